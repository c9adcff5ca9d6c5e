"""A training killed at any place and resumed ends as one that ran through, bit for bit."""

from __future__ import annotations

from pathlib import Path
from signal import SIGTERM
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.training import schedule
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.interrupts import InterruptFlag
from skeletonagent.training.settings import OptimizerName

ADAMW = {"optimizer": OptimizerName.ADAMW, "weight_decay": 0.05, "learning_rate": 2e-3}
STEPS = {**ADAMW, "steps": 16, "warmup_share": 0.2, "ema_decay": 0.7}
"""Sixteen steps of epochs of nine, three passes each, so that the last epoch has seven."""
LENGTHS = {
    "steps": STEPS,
    "steps and late validation samples": {**STEPS, "validation": 3, "validation_until": 0.5},
    "epochs": {**ADAMW, "epochs": 3, "warmup_share": 0.5, "ema_decay": 0.7},
    "epochs of sgd": {"epochs": 3, "warmup_share": 0.5},
}


class Kill(Callback):
    """Callback that ends the training after some steps, by a signal or at once."""

    def __init__(self, after: int, flag: InterruptFlag | None = None) -> None:
        self.after, self.flag, self.done = after, flag, 0

    def on_step(self, epoch: int, step: int, losses: Tensor) -> None:
        self.done += 1
        if self.done == self.after:
            if self.flag is None:
                raise KeyboardInterrupt
            self.flag.signal = SIGTERM


def records(training: Any) -> dict[int, dict[str, Any]]:
    """Return the metrics of each epoch but for times."""
    return {
        r.epoch: {k: v for k, v in vars(r).items() if "second" not in k}
        for r in training.recorder.epochs
    }


@pytest.mark.parametrize("by_signal", [True, False])
@pytest.mark.parametrize("after", [2, 3, 7])
@pytest.mark.parametrize("name", LENGTHS)
def test_a_killed_training_goes_on_alike(
    world: ModuleType, tmp_path: Path, name: str, after: int, by_signal: bool
) -> None:
    def training(folder: str) -> Any:
        return world.training(tmp_path / folder, train_count=10, guidance_period=2, **LENGTHS[name])

    whole, part, again = training("whole"), training("part"), training("part")
    expected = whole.run()
    flag = InterruptFlag() if by_signal else None
    arguments = {} if flag is None else {"interrupt": flag}
    with pytest.raises(TrainingInterrupted if flag else KeyboardInterrupt):
        part.run(callback=Kill(after, flag), **arguments)
    torch.manual_seed(99)
    latest = CheckpointFolder(tmp_path / "part").latest().checkpoint
    assert again.run(resume=latest) == expected
    for key, tensor in whole.weights.items():
        assert torch.equal(tensor, again.weights[key]), key
    complete = records(whole)
    assert {epoch: complete[epoch] for epoch in records(again)} == records(again)
    saved = [CheckpointFolder(tmp_path / n).latest().checkpoint for n in ("whole", "part")]
    assert saved[0] is not None and saved[1] is not None
    assert saved[0].epoch == saved[1].epoch
    assert all(torch.equal(t, saved[1].tensors[key]) for key, t in saved[0].tensors.items())


def test_counted_steps_are_taken_and_no_more(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, train_count=10, **STEPS)
    training.run()
    assert [(epoch, step) for epoch, step, _ in training.recorder.steps] == [
        *((0, step) for step in range(1, 10)), *((1, step) for step in range(1, 8)),
    ]  # fmt: skip
    assert training.state.ema_steps == 16
    assert training.recorder.epochs[-1].learning_rate == pytest.approx(0, abs=1e-12)


def test_epochs_of_several_passes_train_as_epochs_of_one_do(
    world: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = world.training(tmp_path / "several", train_count=10, guidance_period=0, **STEPS)
    several.run()
    monkeypatch.setattr(schedule, "FEWEST_STEPS", 1)
    single = world.training(tmp_path / "single", train_count=10, guidance_period=0, **STEPS)
    single.run()
    assert len(several.recorder.epochs) == 2 and len(single.recorder.epochs) == 6
    weights = single.state.recognizer.state_dict()
    for name, tensor in several.state.recognizer.state_dict().items():
        assert tensor.equal(weights[name]), name
