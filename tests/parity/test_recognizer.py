"""The recognizer gives what the authors' code gave from the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.cli.checkpoints import convert_checkpoint
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.recognizer import Prediction, Recognizer, build_recognizer
from skeletonagent.models.released_keys import convert_released_keys
from skeletonagent.models.settings import PersonPooling
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, Tensor]:
    path = shared / "reference" / "golden" / "recognizer_ntu60.npz"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
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
        person_pooling=PersonPooling.RELEASED,
    )
    prefix = "weights/"
    released = {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}
    model.load_state_dict(convert_released_keys(released))
    return model


@pytest.fixture(scope="module")
def converted(golden: Mapping[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return the golden weights by way of a file as the authors save it, CLIP's tower included."""
    folder = tmp_path_factory.mktemp("released")
    weights = {k.removeprefix("weights/"): v for k, v in golden.items() if "weights/" in k}
    tower = "backbone.model_text_dict.ViT-B/32.model"
    state = {
        **{key.replace("head.fc_cls", "cls_head.fc_cls"): value for key, value in weights.items()},
        "backbone.examplar": golden["salient"].float()[:, :, None].expand(-1, -1, 25).clone(),
        f"{tower}.positional_embedding": torch.randn(77, 8),
        f"{tower}.transformer.resblocks.0.attn.in_proj_weight": torch.randn(24, 8),
    }
    meta = {"epoch": 150, "hook_msgs": {"best_score": np.float64(0.92)}}
    torch.save({"state_dict": state, "meta": meta}, folder / "released.pth")
    convert_checkpoint(folder / "released.pth", folder / "run", None, None, as_json=False)
    checkpoint = RunDirectory(folder / "run").checkpoints.latest().checkpoint
    assert checkpoint is not None
    return checkpoint


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
    bodies = recognizer.backbone(golden["input"]).mean((2, 3))
    assert_close(bodies.unflatten(0, (2, 2)).mean(1), golden["eval_features_mean"])


@torch.no_grad()
def test_a_converted_checkpoint_equals_the_released_code(
    converted: Checkpoint, golden: Mapping[str, Tensor]
) -> None:
    facts, model = converted.metadata, converted.metadata["config"]["model"]
    assert (model["backbone"], facts["text_dim"], facts["persons"]) == ("skeletonagent", 512, 2)
    recognizer = build_recognizer(
        model["backbone"],
        KINECT_25,
        channels=facts["channels"],
        persons=facts["persons"],
        num_classes=len(facts["class_names"]),
        text_dim=facts["text_dim"],
        width=model["width"],
        person_pooling=PersonPooling(model["person_pooling"]),
    )
    recognizer.load_state_dict(converted.tensors_under("recognizer"))
    salient = Guidance.from_json(facts["guidance"], KINECT_25).salient()
    assert torch.equal(salient, golden["salient"])
    prediction = recognizer.eval()(golden["input"], salient.float())
    assert_prediction(prediction, golden, "eval")


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
    recognizer.person_pooling = PersonPooling.PAPER
    logits = recognizer.classify(golden["input"])
    assert_close(logits[:1], golden["eval_logits"][:1])
    assert (logits[1] - golden["eval_logits"][1]).abs().mean().item() > 10 * TOLERANCE
