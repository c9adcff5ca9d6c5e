"""The recognizer gives what the authors' code gave from the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.recognizer import PersonRule, Prediction, Recognizer, build_recognizer
from skeletonagent.models.released import from_released

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, Tensor]:
    path = shared / "reference" / "golden" / "recognizer_ntu60.npz"
    if not path.is_file():
        pytest.skip(f"no reference results at {path}")
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture
def recognizer(golden: Mapping[str, Tensor]) -> Recognizer:
    model = build_recognizer(
        "skeletonagent",
        KINECT_25,
        channels=3,
        persons=2,
        num_classes=60,
        text_dim=512,
        person_rule=PersonRule.RELEASED,
    )
    prefix = "weights/"
    released = {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}
    model.load_state_dict(from_released(released))
    return model


def assert_close(actual: Tensor, golden: Tensor) -> None:
    assert actual.shape == golden.shape
    assert (actual - golden).abs().mean().item() < TOLERANCE


def assert_prediction(prediction: Prediction, golden: Mapping[str, Tensor], mode: str) -> None:
    assert_close(prediction.logits, golden[f"{mode}_logits"])
    assert_close(prediction.joint_logits, golden[f"{mode}_constraint_logits"])
    assert_close(prediction.embedding, golden[f"{mode}_embedding"])


@torch.no_grad()
def test_evaluation_equals_the_released_code(
    recognizer: Recognizer, golden: Mapping[str, Tensor]
) -> None:
    recognizer.eval()
    assert_prediction(recognizer(golden["input"], golden["salient"].float()), golden, "eval")
    assert_close(recognizer.backbone(golden["input"]).mean((1, 3, 4)), golden["eval_features_mean"])


@torch.no_grad()
def test_training_mode_equals_the_released_code(
    recognizer: Recognizer, golden: Mapping[str, Tensor]
) -> None:
    recognizer.train()
    assert_prediction(recognizer(golden["input"], golden["salient"].float()), golden, "train")


@torch.no_grad()
def test_the_papers_person_rule_differs_only_where_a_body_is_absent(
    recognizer: Recognizer, golden: Mapping[str, Tensor]
) -> None:
    recognizer.eval()
    recognizer.person_rule = PersonRule.PAPER
    logits = recognizer.classify(golden["input"])
    assert_close(logits[:1], golden["eval_logits"][:1])
    assert (logits[1] - golden["eval_logits"][1]).abs().mean().item() > 10 * TOLERANCE
