"""What the two guidance losses emphasise, where it is not what the paper says."""

from __future__ import annotations

import math
from enum import StrEnum

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Schedule(StrEnum):
    """How the weights of the joint constraint and the alignment go over the training.

    ``constant``: they stay (the paper). ``fading``: they fall evenly from twice their value to
    zero. ``rising``: the reverse. All three have the same mean.
    """

    CONSTANT = "constant"
    FADING = "fading"
    RISING = "rising"

    def factor(self, progress: float) -> float:
        """Return by what the weights are multiplied after a share of the training."""
        match self:
            case Schedule.FADING:
                return 2 * (1 - progress)
            case Schedule.RISING:
                return 2 * progress
            case _:
                return 1.0


class JointWeights(StrEnum):
    """How much each salient joint counts in the joint constraint.

    ``equal``: one (the paper). ``mean``: a class's joints share a weight of one, so that classes
    with many are not louder than those with few. ``rare``: the rarer the more, by the logarithm of
    how many times as many classes there are as classes with that joint.
    """

    EQUAL = "equal"
    MEAN = "mean"
    RARE = "rare"


class Contrast(StrEnum):
    """Which classes compete in the joint constraint.

    ``all``: all of them (the paper). ``rivals``: a clip's own class and those it is confused with;
    where there are none, all.
    """

    ALL = "all"
    RIVALS = "rivals"


def weighted(salient: Bool[Tensor, "y v"], weights: JointWeights) -> Float[Tensor, "y v"]:
    """Return how much each joint counts for each class, zero where it is not salient."""
    mask = salient.float()
    match weights:
        case JointWeights.MEAN:
            return mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        case JointWeights.RARE:
            # one class more, so that a joint of all classes still counts a little
            return mask * ((len(mask) + 1) / mask.sum(dim=0).clamp(min=1)).log()
        case _:
            return mask


def among_rivals(
    logits: Float[Tensor, "n y"], labels: Int[Tensor, " n"], rivals: Bool[Tensor, "y y"]
) -> Float[Tensor, "n y"]:
    """Return class scores in which only rivals of the true class compete with it.

    All compete where it has none.
    """
    row = rivals[labels]
    own = F.one_hot(labels, logits.shape[1]).bool()
    return logits.masked_fill(~(row | own | ~row.any(dim=1, keepdim=True)), -math.inf)
