"""Learning rate and EMA decay of each step."""

from __future__ import annotations

import math
from typing import NamedTuple

from skeletonagent.training.settings import TrainSettings


class StepHyperparameters(NamedTuple):
    """Hyperparameters of one step.

    Args:
        learning_rate: Learning rate.
        ema_decay: Decay of the moving average of the weights.
    """

    learning_rate: float
    ema_decay: float


def step_hyperparameters(
    epoch: int, step: int, steps: int, settings: TrainSettings
) -> StepHyperparameters:
    """Return the hyperparameters of a step.

    Args:
        epoch: Number of epochs done.
        step: Number of steps done of the epoch under way.
        steps: Number of steps in an epoch.
        settings: Settings of the whole training.
    """
    reach = max(settings.ema_reach * settings.epochs * steps, 1.0)
    ema_decay = min(settings.ema_decay, 1 - 1 / reach)
    return StepHyperparameters(learning_rate_at(epoch + step / steps, settings), ema_decay)


def learning_rate_at(epoch: float, settings: TrainSettings) -> float:
    """Return the learning rate after ``epoch`` epochs: a linear warm-up, then a cosine to zero.

    >>> settings = TrainSettings(epochs=10, learning_rate=0.1)
    >>> learning_rate_at(0, settings), round(learning_rate_at(5, settings), 4)
    (0.1, 0.05)
    """
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    rest = max(settings.epochs - settings.warmup_epochs, 1e-9)
    progress = min((epoch - settings.warmup_epochs) / rest, 1.0)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
