"""How long and how fast to learn: of the whole training, and of each step."""

from __future__ import annotations

import math
from typing import NamedTuple

from skeletonagent.training.settings import TrainSettings

MAX_EMA_REACH = 0.1
"""Share of the training the running average reaches back over at most.

A longer average would hold weights of a short training's beginning, with which it recognises
nothing.
"""


class StepHyperparameters(NamedTuple):
    """How fast a step learns.

    Args:
        learning_rate: Its learning rate.
        ema_decay: Share of the running average of the weights that is kept.
    """

    learning_rate: float
    ema_decay: float


def step_hyperparameters(
    epoch: int, step: int, steps: int, settings: TrainSettings
) -> StepHyperparameters:
    """Return the pace of a step.

    Args:
        epoch: Epochs done.
        step: Steps done of the one under way.
        steps: Steps of an epoch.
        settings: Length and speed of the whole training.
    """
    reach = max(MAX_EMA_REACH * settings.epochs * steps, 1.0)
    kept = min(settings.ema_decay, 1 - 1 / reach)
    return StepHyperparameters(learning_rate_at(epoch + step / steps, settings), kept)


def learning_rate_at(epoch: float, settings: TrainSettings) -> float:
    """Return the learning rate after ``epoch`` epochs: a linear rise, then a cosine to zero."""
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    rest = max(settings.epochs - settings.warmup_epochs, 1e-9)
    progress = min((epoch - settings.warmup_epochs) / rest, 1.0)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
