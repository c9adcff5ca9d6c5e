"""The alignment of the released recipe equals that of the authors' code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.losses import (
    INITIAL_LOGIT_SCALE,
    GuidanceTensors,
    SkeletonAgentLoss,
    alignment_loss,
    alignment_targets,
)
from skeletonagent.training.settings import AlignTargets, LogitScale


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    path = shared / "reference" / "golden" / "losses.npz"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    with np.load(path) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def test_directions_equal_the_released_code(golden: dict[str, Tensor]) -> None:
    labels = golden["labels"]
    cosine = F.normalize(golden["skeleton"]) @ F.normalize(golden["text_table"])[labels].T
    targets = alignment_targets(labels, AlignTargets.SOFTMAX)
    loss = alignment_loss(cosine * golden["logit_scale"], targets)
    both = golden["released_skeleton_to_text"], golden["released_text_to_skeleton"]
    torch.testing.assert_close(loss, sum(both) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(loss, golden["released_align"], atol=1e-5, rtol=0)
    assert (both[0] - both[1]).abs() > 1e-4  # or one direction taken twice would pass


def test_the_loss_equals_the_released_code(golden: dict[str, Tensor]) -> None:
    """The recipe as it starts: softmax targets, and a learned logit scale."""
    assert pytest.approx(float(golden["logit_scale"]), abs=5e-4) == INITIAL_LOGIT_SCALE
    loss = SkeletonAgentLoss(
        align_targets=AlignTargets.SOFTMAX, logit_scale=LogitScale.LEARNED, mixup=1.0
    )
    n = len(golden["labels"])
    prediction = Prediction(torch.zeros(n, 60), torch.zeros(n, 60), golden["skeleton"])
    texts = F.normalize(golden["text_table"])
    guidance = GuidanceTensors(torch.ones(len(texts), 1), texts)
    losses = loss(prediction, golden["labels"], guidance)
    torch.testing.assert_close(losses.align, golden["released_align"], atol=1e-4, rtol=0)
    torch.testing.assert_close(loss.logit_scale, golden["logit_scale"], atol=5e-4, rtol=0)
