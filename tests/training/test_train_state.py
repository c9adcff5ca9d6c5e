"""The learner: what it learns beside the recognizer, and what a checkpoint has to hold."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from skeletonagent.core.errors import CheckpointError
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.settings import LogitScale, LossSettings
from skeletonagent.training.train_step import TrainState

FACTOR = "loss.scaling.factor"


@pytest.fixture
def learning(world: ModuleType, tmp_path: Path) -> Any:
    """Return a learner with a scale to learn, and its objective."""
    training = world.training(tmp_path, weight_decay=0.5, momentum=0.5)
    objective = SkeletonAgentLoss(LossSettings(logit_scale=LogitScale.LEARNED))
    plain = training.learner
    learner = TrainState(plain.recognizer, plain.settings, plain.engine, objective)
    return learner, objective, plain


def step(learner: TrainState, loss: torch.Tensor, rate: float) -> None:
    learner.optimizer.param_groups[0]["lr"] = rate
    learner.optimizer_step(loss)


def test_the_scale_is_a_weight_like_others(learning: Any) -> None:
    """Two steps of Nesterov's momentum, by hand."""
    learner, objective, _ = learning
    factor, expected, momentum = objective.scaling.factor, 2.659, 0.0
    for rate in (0.1, 0.05):
        step(learner, 3 * factor, rate)
        slope = 3 + 0.5 * expected
        momentum = 0.5 * momentum + slope
        expected -= rate * (slope + 0.5 * momentum)
        assert factor.item() == pytest.approx(expected, rel=1e-5)
    assert learner.tensors()[f"momentum.{FACTOR}"].item() == pytest.approx(momentum, rel=1e-5)


def test_the_scale_comes_back_from_a_checkpoint(learning: Any) -> None:
    learner, objective, plain = learning
    step(learner, objective.scaling.factor * 3, 0.1)
    saved = {name: tensor.clone() for name, tensor in learner.tensors().items()}
    fresh = SkeletonAgentLoss(objective.settings)
    other = TrainState(plain.recognizer, plain.settings, plain.engine, fresh)
    other.load(Checkpoint(1, saved, {}))
    assert fresh.scaling.factor == objective.scaling.factor != 2.659
    for judge, each in ((objective, learner), (fresh, other)):
        step(each, judge.scaling.factor * 3, 0.1)
    assert torch.equal(other.tensors()[FACTOR], learner.tensors()[FACTOR])


def test_a_fixed_scale_leaves_no_trace(learning: Any) -> None:
    learner, _, plain = learning
    fixed = TrainState(
        plain.recognizer, plain.settings, plain.engine, SkeletonAgentLoss(LossSettings())
    )
    names = set(fixed.tensors())
    assert names == set(plain.tensors())
    assert set(learner.tensors()) - names == {FACTOR}


def test_a_checkpoint_of_another_objective_is_refused(learning: Any) -> None:
    learner, _, plain = learning
    with pytest.raises(CheckpointError, match=r"scaling\.factor"):
        learner.load(Checkpoint(1, plain.tensors(), {}))
    with pytest.raises(CheckpointError, match=r"scaling\.factor"):
        plain.load(Checkpoint(1, learner.tensors(), {}))
