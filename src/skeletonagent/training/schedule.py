"""Epochs of a training, and learning rate and EMA decay of each of its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from skeletonagent.training.settings import TrainSettings

FEWEST_STEPS = 7
"""Steps of an epoch, at least, where a number of steps is set: a checkpoint takes about one."""


class StepHyperparameters(NamedTuple):
    """Hyperparameters of one step.

    Args:
        learning_rate: Learning rate.
        ema_decay: Decay of the moving average of the weights.
    """

    learning_rate: float
    ema_decay: float


@dataclass(frozen=True)
class TrainingSchedule:
    """Number of steps of each epoch, and hyperparameters of each step.

    It follows from settings and numbers of samples alone, so that a resumed training has the same.

    Args:
        settings: Settings of the whole training.
        epoch_steps: Number of steps of each epoch.
        validated_epochs: Number of epochs after which the validation samples are trained on as
            well.
        pass_steps: Number of steps in which every training sample is seen once.
        passes_before: Number of passes over the samples before each epoch.
    """

    settings: TrainSettings
    epoch_steps: tuple[int, ...]
    validated_epochs: int
    pass_steps: int
    passes_before: tuple[int, ...]

    @classmethod
    def plan(
        cls, settings: TrainSettings, train: int, validation: int = 0, world_size: int = 1
    ) -> TrainingSchedule:
        """Return the schedule of a training set.

        Where the number of steps is set, the last epoch ends with the last step, and an epoch of
        few samples is several passes over them.

        Args:
            settings: Settings of the whole training.
            train: Number of samples to train on.
            validation: Number of validation samples, which may be trained on later.
            world_size: Number of ranks that share a batch.
        """
        first, later = (
            count_steps(samples, settings.batch_size, world_size)
            for samples in (train, train + validation)
        )
        until, total = settings.validation_until, settings.steps
        if total is None:
            validated = sum(epoch < until * settings.epochs for epoch in range(settings.epochs))
            counts = [first] * validated + [later] * (settings.epochs - validated)
            return cls(settings, tuple(counts), validated, first, tuple(range(settings.epochs)))
        counts, passes_before, validated, done, seen = [], [], 0, 0, 0
        while done < total:
            is_validated = done < until * total
            validated += is_validated
            one_pass = first if is_validated else later
            passes = math.ceil(FEWEST_STEPS / one_pass)
            counts.append(min(passes * one_pass, total - done))
            passes_before.append(seen)
            done, seen = done + counts[-1], seen + passes
        return cls(settings, tuple(counts), validated, first, tuple(passes_before))

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(self.epoch_steps)

    def hyperparameters(self, epoch: int, step: int) -> StepHyperparameters:
        """Return the hyperparameters of a step.

        Args:
            epoch: Number of epochs done.
            step: Number of steps done of the epoch under way.
        """
        settings = self.settings
        reach = settings.ema_reach * settings.epochs * self.epoch_steps[epoch]
        if settings.steps is not None:
            reach = settings.ema_reach * settings.steps
        ema_decay = min(settings.ema_decay, 1 - 1 / max(reach, 1.0))
        return StepHyperparameters(self.learning_rate(epoch, step), ema_decay)

    def learning_rate(self, epoch: int, step: int = 0) -> float:
        """Return the learning rate after some epochs, and some steps of the next one."""
        settings = self.settings
        if settings.steps is None:
            done = epoch + step / self.epoch_steps[epoch] if step else epoch
            return learning_rate_at(done, settings)
        done = (sum(self.epoch_steps[:epoch]) + step) / self.pass_steps
        return learning_rate_at(done, settings, settings.steps / self.pass_steps)


def count_steps(samples: int, batch_size: int, world_size: int = 1) -> int:
    """Return the number of batches of an epoch.

    A last one too small for every rank to have statistics is part of its neighbour.

    >>> count_steps(65, batch_size=32), count_steps(66, batch_size=32)
    (2, 3)
    """
    batches = max(math.ceil(samples / batch_size), 1)
    last = samples - (batches - 1) * batch_size
    return batches - 1 if batches > 1 and last < 2 * world_size else batches


def learning_rate_at(epoch: float, settings: TrainSettings, epochs: float | None = None) -> float:
    """Return the learning rate after ``epoch`` epochs: a linear warm-up, then a cosine to zero.

    Args:
        epoch: Number of epochs done.
        settings: Settings of the whole training.
        epochs: Number of epochs of the whole training, if not that of the settings.

    >>> settings = TrainSettings(epochs=10, learning_rate=0.1)
    >>> learning_rate_at(0, settings), round(learning_rate_at(5, settings), 4)
    (0.1, 0.05)
    """
    length = settings.epochs if epochs is None else epochs
    warmup = settings.warmup_epochs + settings.warmup_share * length
    if epoch < warmup:
        return settings.learning_rate * epoch / warmup
    rest = max(length - warmup, 1e-9)
    progress = min((epoch - warmup) / rest, 1.0)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
