"""Mean and variance of motion features by class, and how classes differ by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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

    size: Float[np.ndarray, "*y v q"]
    test: WelchTest

    @classmethod
    def joined(cls, parts: Sequence[Difference]) -> Difference:
        """Return differences one after another."""
        fields = zip(*((part.size, *part.test) for part in parts), strict=True)
        size, ratio, freedom = map(np.concatenate, fields)
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
        squares: Square of :attr:`uncertainty` by its degrees of freedom.
    """

    mean: Float[np.ndarray, "y k v q"]
    variance: Float[np.ndarray, "y k v q"]
    floor: Float[np.ndarray, "k 1 q"]
    known: Bool[np.ndarray, "y k v q"]
    uncertainty: Float[np.ndarray, "y k v q"]
    squares: Float[np.ndarray, "y k v q"]

    @classmethod
    def of(cls, *kinds: FeatureMoments) -> RegularizedMoments:
        """Return the regularized moments of one or more kinds that were measured."""
        mean, variance, clips, known = (
            np.stack([getattr(moments, name).numpy() for moments in kinds], axis=1)
            for name in ("mean", "variance", "clips", "known")
        )
        clips, seen = clips.astype(np.double), known.any(axis=0)
        squares = clips * variance
        typical = squares.sum(axis=0) / clips.sum(axis=0).clip(min=1)
        variance = (squares + PRIOR_CLIPS * typical) / (clips + PRIOR_CLIPS)
        joints = seen.sum(axis=1, keepdims=True).clip(min=1)
        floor = FLOOR * typical.sum(axis=1, keepdims=True) / joints + 1e-8
        freedom = (clips - 1).clip(min=0) + PRIOR_CLIPS
        unbiased = squares.sum(axis=0) / (clips - 1).clip(min=0).sum(axis=0).clip(min=1)
        uncertainty = (squares + PRIOR_CLIPS * unbiased) / freedom / clips.clip(min=1) * known
        return cls(mean, variance, floor, known, uncertainty, uncertainty**2 / freedom)

    def against(
        self, label: int, others: Int[np.ndarray, " r"], weights: Float[np.ndarray, " r"]
    ) -> Difference:
        """Return the difference of a class from the mixture of others."""
        if not len(others):
            nothing = np.zeros_like(self.mean[label])
            return Difference(nothing, WelchTest(nothing, np.ones_like(nothing)))
        known, share = self.known[others], (weights / weights.sum())[:, None, None, None]
        if not known.all():
            share = share * known
            share = share / share.sum(axis=0).clip(min=1e-12)
        of_others = self.mean[others]
        mean = (share * of_others).sum(axis=0)
        spread = self.variance[others] + (of_others - mean) ** 2
        pooled = (self.variance[label] + (share * spread).sum(axis=0)) / 2
        off = (self.mean[label] - mean) * (self.known[label] & known.any(axis=0))
        twice = share * share
        error = self.uncertainty[label] + (twice * self.uncertainty[others]).sum(axis=0)
        squares = self.squares[label] + (twice * twice * self.squares[others]).sum(axis=0)
        return Difference(off / np.sqrt(pooled + self.floor), WelchTest.of(off, error, squares))

    def against_each(self, label: int, others: Int[np.ndarray, " r"]) -> Difference:
        """Return the difference of a class from each of others, one by one."""
        pooled = (self.variance[label] + self.variance[others]) / 2
        off = (self.mean[label] - self.mean[others]) * (self.known[label] & self.known[others])
        error = self.uncertainty[label] + self.uncertainty[others]
        squares = self.squares[label] + self.squares[others]
        return Difference(off / np.sqrt(pooled + self.floor), WelchTest.of(off, error, squares))

    def against_all(self) -> Difference:
        """Return the difference of each class from all others with equal weights.

        It is that of :meth:`against` from sums over all classes, less the class itself, so that
        the cost is linear in the number of classes. Means are taken from their middle, lest digits
        cancel.
        """
        known = self.known.astype(np.double)
        middle = (known * self.mean).sum(axis=0) / known.sum(axis=0).clip(min=1)
        mean = known * (self.mean - middle)
        others = _sum_of_others(known).clip(min=1)
        of_others = _sum_of_others(mean) / others
        spread = _sum_of_others(known * self.variance + mean**2) / others
        pooled = (self.variance + (spread - of_others**2).clip(min=0)) / 2
        off = (mean - of_others) * (self.known & (_sum_of_others(known) > 0))
        error = self.uncertainty + _sum_of_others(self.uncertainty) / others**2
        squares = self.squares + _sum_of_others(self.squares) / others**4
        return Difference(off / np.sqrt(pooled + self.floor), WelchTest.of(off, error, squares))


def _sum_of_others(values: Float[np.ndarray, "y k v q"]) -> Float[np.ndarray, "y k v q"]:
    """Return the sum over all other classes of each."""
    return np.asarray(values.sum(axis=0) - values)


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
