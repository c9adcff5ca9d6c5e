"""Training state: trained parameters of the loss, and the tensors of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.layout import COCO_17
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.train_step import ModelWithLoss, TrainState

SCALE = "loss.logit_scale"


@pytest.fixture
def learning(world: ModuleType, tmp_path: Path) -> Any:
    """Return a state with a learned logit scale, its loss, and a state without."""
    training = world.training(tmp_path, weight_decay=0.5, momentum=0.5)
    loss = SkeletonAgentLoss(logit_scale="learned")
    plain = training.state
    state = TrainState(plain.recognizer, plain.settings, plain.context, loss)
    return state, loss, plain


def step(state: TrainState, loss: torch.Tensor, rate: float) -> None:
    state.optimizer.param_groups[0]["lr"] = rate
    state.optimizer_step(loss)


def test_the_scale_is_a_weight_like_others(learning: Any) -> None:
    """Two steps of Nesterov's momentum, by hand."""
    state, loss, _ = learning
    scale, expected, momentum = loss.logit_scale, 2.659, 0.0
    for rate in (0.1, 0.05):
        step(state, 3 * scale, rate)
        slope = 3 + 0.5 * expected
        momentum = 0.5 * momentum + slope
        expected -= rate * (slope + 0.5 * momentum)
        assert scale.item() == pytest.approx(expected, rel=1e-5)
    assert state.tensors()[f"momentum.{SCALE}"].item() == pytest.approx(momentum, rel=1e-5)


def test_the_scale_comes_back_from_a_checkpoint(learning: Any) -> None:
    state, loss, plain = learning
    step(state, loss.logit_scale * 3, 0.1)
    saved = {name: tensor.clone() for name, tensor in state.tensors().items()}
    fresh = SkeletonAgentLoss(logit_scale="learned")
    other = TrainState(plain.recognizer, plain.settings, plain.context, fresh)
    other.load(Checkpoint(1, saved, {}))
    assert fresh.logit_scale == loss.logit_scale != 2.659
    for one, its_state in ((loss, state), (fresh, other)):
        step(its_state, one.logit_scale * 3, 0.1)
    assert torch.equal(other.tensors()[SCALE], state.tensors()[SCALE])


def test_a_fixed_scale_leaves_no_trace(learning: Any) -> None:
    state, _, plain = learning
    fixed = TrainState(plain.recognizer, plain.settings, plain.context, SkeletonAgentLoss())
    names = set(fixed.tensors())
    assert names == set(plain.tensors())
    assert set(state.tensors()) - names == {SCALE}


def test_a_checkpoint_of_another_loss_is_refused(learning: Any) -> None:
    state, _, plain = learning
    with pytest.raises(CheckpointError, match=r"logit_scale"):
        state.load(Checkpoint(1, plain.tensors(), {}))
    with pytest.raises(CheckpointError, match=r"logit_scale"):
        plain.load(Checkpoint(1, state.tensors(), {}))


def test_a_mixed_copy_has_the_bodies_of_both_clips() -> None:
    """Bodies of the batch are packed; all of the copy's are run, and absent ones not counted."""
    torch.manual_seed(0)
    recognizer = build_recognizer(
        "stgcn++", COCO_17, channels=3, persons=2, num_classes=3, text_dim=8, width=8
    )
    model = ModelWithLoss(recognizer, SkeletonAgentLoss(mixup=1.0)).eval()
    clips = torch.randn(4, 2, 8, 17, 3)
    clips[1:3, 1] = 0
    mixed = torch.lerp(clips, clips.roll(1, 0), 0.5)
    labels, packed = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 2, 4, 6, 7])
    targets, guidance = torch.eye(3)[labels], (torch.rand(3, 17).round(), torch.randn(3, 8))
    losses = [
        model(clips, labels, bodies, mixed, targets, *guidance).losses for bodies in (packed, None)
    ]
    assert torch.isfinite(losses[0]).all()
    torch.testing.assert_close(*losses)
