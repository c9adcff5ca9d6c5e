"""Mean and variance of motion features by class, and how classes differ by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.chance import WelchTest

PRIOR_CLIPS = 2.0
"""Clips of typical variance added to those of a class, so that few clips cannot look exact."""
FLOOR = 0.25
"""Share of a feature's typical variance over all joints that is added to the variance of each."""


@dataclass(frozen=True)
class FeatureMoments:
    """Mean and variance, over a class's clips, of each feature of each joint.

    Args:
        mean: Mean over the clips in which the feature is known; 0 without any.
        variance: Variance over the same clips.
        clips: Number of these clips.
    """

    mean: Float[Tensor, "y v q"]
    variance: Float[Tensor, "y v q"]
    clips: Int[Tensor, "y v q"]

    @property
    def known(self) -> Bool[Tensor, "y v q"]:
        """Whether there is a clip in which the feature is known."""
        return self.clips > 0


@dataclass(frozen=True)
class Difference:
    """Difference of classes from others.

    Args:
        size: Cohen's d; 0 where it is not known.
        test: Welch's test of the two means; its ratio is 0 where it is not known.
    """

    size: Float[Tensor, "*y v q"]
    test: WelchTest

    @classmethod
    def joined(cls, parts: Sequence[Difference]) -> Difference:
        """Return differences one after another."""
        fields = zip(*((part.size, *part.test) for part in parts), strict=True)
        size, ratio, freedom = map(torch.cat, fields)
        return cls(size, WelchTest(ratio, freedom))


@dataclass(frozen=True)
class RegularizedMoments:
    """Moments with a variance that few clips do not make too small, one kind beside another.

    Args:
        mean: Mean as measured.
        variance: Variance with :data:`PRIOR_CLIPS` of typical variance.
        floor: Variance added for every joint, see :data:`FLOOR`.
        known: Whether mean and variance were measured.
        uncertainty: Square of the standard error of the mean; 0 where it is not known.
        freedom: Degrees of freedom of :attr:`uncertainty`.
    """

    mean: Float[Tensor, "y k v q"]
    variance: Float[Tensor, "y k v q"]
    floor: Float[Tensor, "k 1 q"]
    known: Bool[Tensor, "y k v q"]
    uncertainty: Float[Tensor, "y k v q"]
    freedom: Float[Tensor, "y k v q"]

    @classmethod
    def of(cls, *kinds: FeatureMoments) -> RegularizedMoments:
        """Return the regularized moments of one or more kinds that were measured."""
        mean, variance, clips, known = (
            torch.stack([getattr(moments, name) for moments in kinds], dim=1)
            for name in ("mean", "variance", "clips", "known")
        )
        clips, seen = clips.double(), known.any(dim=0)
        squares = clips * variance
        typical = squares.sum(dim=0) / clips.sum(dim=0).clamp(min=1)
        variance = (squares + PRIOR_CLIPS * typical) / (clips + PRIOR_CLIPS)
        joints = seen.sum(dim=1, keepdim=True).clamp(min=1)
        floor = FLOOR * typical.sum(dim=1, keepdim=True) / joints + 1e-8
        freedom = (clips - 1).clamp(min=0) + PRIOR_CLIPS
        unbiased = squares.sum(dim=0) / (clips - 1).clamp(min=0).sum(dim=0).clamp(min=1)
        uncertainty = (squares + PRIOR_CLIPS * unbiased) / freedom / clips.clamp(min=1)
        return cls(mean, variance, floor, known, uncertainty * known, freedom)

    def against(
        self, label: int, others: Int[Tensor, " r"], weights: Float[Tensor, " r"]
    ) -> Difference:
        """Return the difference of a class from the mixture of others."""
        if not len(others):
            nothing = torch.zeros_like(self.mean[label])
            return Difference(nothing, WelchTest(nothing, torch.ones_like(nothing)))
        known, share = self.known[others], (weights / weights.sum())[:, None, None, None]
        if not bool(known.all()):
            share = share * known
            share = share / share.sum(dim=0).clamp(min=1e-12)
        mean = (share * self.mean[others]).sum(dim=0)
        spread = self.variance[others] + (self.mean[others] - mean).square()
        pooled = (self.variance[label] + (share * spread).sum(dim=0)) / 2
        both = self.known[label] & known.any(dim=0)
        off = (self.mean[label] - mean) * both
        parts = share.square() * self.uncertainty[others]
        own = self.uncertainty[label]
        squares = own.square() / self.freedom[label]
        squares = squares + (parts.square() / self.freedom[others]).sum(dim=0)
        return Difference(
            off / (pooled + self.floor).sqrt(), WelchTest.of(off, own + parts.sum(dim=0), squares)
        )

    def against_each(self, label: int, others: Int[Tensor, " r"]) -> Difference:
        """Return the difference of a class from each of others, one by one."""
        both = self.known[label] & self.known[others]
        pooled = (self.variance[label] + self.variance[others]) / 2
        off = (self.mean[label] - self.mean[others]) * both
        error = self.uncertainty[label] + self.uncertainty[others]
        own = self.uncertainty[label].square() / self.freedom[label]
        squares = own + self.uncertainty[others].square() / self.freedom[others]
        return Difference(off / (pooled + self.floor).sqrt(), WelchTest.of(off, error, squares))

    def against_all(self) -> Difference:
        """Return the difference of each class from all others with equal weights.

        It is that of :meth:`against` from sums over all classes, less the class itself, so that
        the cost is linear in the number of classes. Means are taken from their middle, lest digits
        cancel.
        """
        known = self.known.double()
        middle = (known * self.mean).sum(dim=0) / known.sum(dim=0).clamp(min=1)
        mean = known * (self.mean - middle)
        others = _sum_of_others(known).clamp(min=1)
        of_others = _sum_of_others(mean) / others
        spread = _sum_of_others(known * self.variance + mean.square()) / others
        pooled = (self.variance + (spread - of_others.square()).clamp(min=0)) / 2
        both = self.known & (_sum_of_others(known) > 0)
        off = (mean - of_others) * both
        squares = self.uncertainty.square() / self.freedom
        error = self.uncertainty + _sum_of_others(self.uncertainty) / others.square()
        squares = squares + _sum_of_others(squares) / others.pow(4)
        return Difference(off / (pooled + self.floor).sqrt(), WelchTest.of(off, error, squares))


def _sum_of_others(values: Float[Tensor, "y k v q"]) -> Float[Tensor, "y k v q"]:
    """Return the sum over all other classes of each."""
    return values.sum(dim=0) - values


def measure_moments(
    values: Float[Tensor, "n v q"],
    known: Bool[Tensor, "n v q"],
    labels: Int[Tensor, " n"],
    classes: int,
) -> FeatureMoments:
    """Return moments over the clips of each class in which a feature is known."""
    zeros = values.new_zeros(classes, *values.shape[1:])
    clips = zeros.long().index_add(0, labels, known.long())
    divisor = clips.clamp(min=1)
    mean = zeros.index_add(0, labels, values * known) / divisor
    squares = (values - mean[labels]).square() * known
    return FeatureMoments(mean, zeros.index_add(0, labels, squares) / divisor, clips)
