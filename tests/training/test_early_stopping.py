"""Early stopping: when training ends, and that the best epoch's weights are what is kept."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import CheckpointFolder, load_checkpoint
from skeletonagent.training.early_stopping import BestEpoch, validation_loss
from skeletonagent.training.settings import TrainSettings

PATIENT = {"epochs": 12, "patience": 2, "validation": 6, "learning_rate": 0.2}


def predictions(*rows: tuple[float, float]) -> ClassProbabilities:
    """Return probabilities of clips that are all of the first class."""
    ids = tuple(f"clip{n}" for n in range(len(rows)))
    return ClassProbabilities(ids, np.zeros(len(rows), dtype=np.int64), np.array(rows))


def test_the_loss_by_hand() -> None:
    expected = -(math.log(0.5) + math.log(0.25)) / 2
    assert validation_loss(predictions((0.5, 0.5), (0.25, 0.75))) == pytest.approx(expected)


def test_better_is_more_accurate_or_as_accurate_and_surer() -> None:
    best, layer = BestEpoch(patience=2), torch.nn.Linear(1, 1)
    good, surer, worse = predictions((0.6, 0.4)), predictions((0.9, 0.1)), predictions((0.4, 0.6))
    for epochs, (given, expected) in enumerate(
        [(worse, 1), (good, 2), (good, 2), (surer, 4), (worse, 4), (good, 4)], start=1
    ):
        assert not best.is_over(epochs - 1)
        best.update(epochs, given, layer)
        assert best.epochs == expected
    assert best.is_over(6)
    assert not BestEpoch(patience=0).is_over(99)


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_training_ends_and_keeps_the_best(
    world: ModuleType, tmp_path: Path, average: float
) -> None:
    whole = world.training(tmp_path, ema_decay=average, **PATIENT)
    whole.run()
    scores = [record.validation_top1 for record in whole.recorder.epochs]
    saved = CheckpointFolder(tmp_path).latest().checkpoint
    assert saved is not None
    best = int(saved.tensors["best.epochs"])
    assert scores[best - 1] == max(scores)
    assert len(scores) == min(best + 2, 12) == saved.epoch
    prefix = "ema" if average else "recognizer"
    then = load_checkpoint(tmp_path / f"epoch_{best:04d}").tensors_under(prefix)
    kept = saved.tensors_under(prefix)
    own = whole.state.eval_model.state_dict()
    if best == saved.epoch:
        then = saved.tensors_under("best.weights")
    assert all(torch.equal(then[n], kept[n]) and torch.equal(then[n], own[n]) for n in own)


class Kill(Callback):
    """Callback that raises in the second step of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_step(self, epoch: int, step: int, losses: Any) -> None:
        if (epoch, step) == (self.epoch, 2):
            raise KeyboardInterrupt


def test_a_killed_training_ends_alike(world: ModuleType, tmp_path: Path) -> None:
    whole = world.training(tmp_path / "whole", **PATIENT)
    whole.run()
    ended = len(whole.recorder.epochs)
    assert ended > 2
    for killed in (1, ended - 1):
        folder = tmp_path / f"part{killed}"
        with pytest.raises(KeyboardInterrupt):
            world.training(folder, **PATIENT).run(callback=Kill(killed))
        again = world.training(folder, **PATIENT)
        again.run(resume=CheckpointFolder(folder).latest().checkpoint)
        assert all(torch.equal(t, again.weights[n]) for n, t in whole.weights.items())
    # One killed between its end and the last checkpoint, or resumed when it is done.
    last = world.training(tmp_path / "whole", **PATIENT)
    last.run(resume=CheckpointFolder(tmp_path / "whole").latest().checkpoint)
    assert not last.recorder.epochs
    assert all(torch.equal(t, last.weights[n]) for n, t in whole.weights.items())


def test_nothing_to_measure_is_refused(world: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="held out to the end"):
        TrainSettings(patience=3, validation_until=0.6)
    with pytest.raises(ConfigError, match=r"training\.patience 3 needs a validation set"):
        world.training(tmp_path, patience=3).run()


def test_a_recognizer_that_has_not_learned_is_named(world: ModuleType, tmp_path: Path) -> None:
    remarks: list[str] = []

    class Notes(Callback):
        def on_remark(self, remark: str) -> None:
            remarks.append(remark)

    training = world.training(tmp_path, epochs=1, learning_rate=1e-6, validation=3)
    training.run(callback=Notes())
    assert [line.split("(")[0].strip() for line in remarks] == [
        "validation set: 3 of 12 training clips",
        "the recognizer has not learned its own training clips",
    ]
