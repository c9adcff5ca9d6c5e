"""How long and how fast to learn: of the whole training, and of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from annotated_types import Ge, Gt, Interval

LONGEST = 0.1
"""Share of the training the running average reaches back over at most.

A longer average would hold weights of a short training's beginning, with which it recognises
nothing.
"""


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast to learn.

    Args:
        epochs: Passes over the training part.
        batch_size: Clips in a step.
        learning_rate: Highest learning rate, annealed to zero along a cosine, step by step.
        momentum: Nesterov momentum.
        weight_decay: Of all parameters.
        warmup_epochs: Epochs over which the learning rate rises from zero.
        average: Share of the running average of the weights that is kept each step, less where
            it would reach back over more than a tenth of the steps; the average is what is
            evaluated. 0 evaluates the weights as they are.
        period: Epochs between two rounds of the agents; 0 asks them once, before the first epoch.
        hold_out: Share of the training part that is kept for validation.
        hold_out_until: Share of the epochs after which it is learned from as well.
        compile: Whether torch.compile fuses the step's operations; the first steps then take long.
        graphs: Whether a step's kernels are recorded and replayed, on a single GPU.
        snapshots: How many times what was learned is kept for a report, over the training.
    """

    epochs: Annotated[int, Ge(1)] = 150
    batch_size: Annotated[int, Ge(2)] = 64
    learning_rate: Annotated[float, Gt(0)] = 0.1
    momentum: Annotated[float, Interval(gt=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    warmup_epochs: Annotated[float, Ge(0)] = 0.0
    average: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    period: Annotated[int, Ge(0)] = 5
    hold_out: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    hold_out_until: Annotated[float, Interval(gt=0, le=1)] = 1.0
    compile: bool = False
    graphs: bool = False
    snapshots: Annotated[int, Ge(0)] = 0


class Pace(NamedTuple):
    """How fast a step learns.

    Args:
        rate: Its learning rate.
        kept: Share of the running average of the weights that is kept.
    """

    rate: float
    kept: float


def pace_at(epoch: int, step: int, steps: int, settings: TrainSettings) -> Pace:
    """Return the pace of a step.

    Args:
        epoch: Epochs done.
        step: Steps done of the one under way.
        steps: Steps of an epoch.
        settings: Length and speed of the whole training.
    """
    reach = max(LONGEST * settings.epochs * steps, 1.0)
    kept = min(settings.average, 1 - 1 / reach)
    return Pace(learning_rate_at(epoch + step / steps, settings), kept)


def learning_rate_at(epoch: float, settings: TrainSettings) -> float:
    """Return the learning rate after ``epoch`` epochs: a linear rise, then a cosine to zero."""
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    rest = max(settings.epochs - settings.warmup_epochs, 1e-9)
    progress = min((epoch - settings.warmup_epochs) / rest, 1.0)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
