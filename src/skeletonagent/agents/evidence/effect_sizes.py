"""What the training clips themselves show: how a class's joints differ from other classes'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.motion_features import compute_motion_features
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.loader import ClipLoader, StreamingLoader, iterate_batches

PRIOR_CLIPS = 2.0
"""How many clips of typical variance join a class's own, so that few clips cannot look exact."""
FLOOR = 0.25
"""Share of a quantity's typical variance over all joints that every joint is given on top."""
ONE_SIDED = 1.5
"""By how much sorting the two sides must sharpen a difference before either side is meant."""


@dataclass(frozen=True)
class FeatureMoments:
    """Mean and variance, over a class's clips, of each quantity of each joint."""

    mean: Float[Tensor, "y v q"]
    variance: Float[Tensor, "y v q"]


@dataclass(frozen=True)
class _Yardstick:
    """Moments made ready to compare classes with each other.

    Args:
        mean: As measured.
        variance: Joined by some of what is typical, see :data:`PRIOR_CLIPS`.
        floor: What every joint's variance is given on top, see :data:`FLOOR`.
    """

    mean: Float[Tensor, "y v q"]
    variance: Float[Tensor, "y v q"]
    floor: Float[Tensor, " q"]

    @classmethod
    def of(cls, moments: FeatureMoments, counts: Int[Tensor, " y"]) -> _Yardstick:
        clips = counts[:, None, None].double()
        typical = (clips * moments.variance).sum(dim=0) / clips.sum()
        variance = (clips * moments.variance + PRIOR_CLIPS * typical) / (clips + PRIOR_CLIPS)
        return cls(moments.mean, variance, FLOOR * typical.mean(dim=0) + 1e-8)

    def cohen(
        self, own: int, others: Int[Tensor, " r"], weights: Float[Tensor, " r"]
    ) -> Float[Tensor, "v q"]:
        """Return Cohen's d of a class against the mixture of others; 0 if there are no others."""
        if not len(others):
            return torch.zeros_like(self.mean[own])
        share = (weights / weights.sum())[:, None, None]
        mean = (share * self.mean[others]).sum(dim=0)
        spread = self.variance[others] + (self.mean[others] - mean).square()
        both = (self.variance[own] + (share * spread).sum(dim=0)) / 2
        return (self.mean[own] - mean) / (both + self.floor).sqrt()


@dataclass(frozen=True)
class EffectSizes:
    """How a class differs from others.

    Args:
        size: Cohen's d, positive where the class has more of the quantity.
        either: Where the difference is that of whichever side has more (or less) of it, because
            people act with either side; such a ``size`` stands at both joints of a pair.
    """

    size: Float[Tensor, "v q"]
    either: Bool[Tensor, "v q"]


@dataclass(frozen=True)
class Evidence:
    """Measurements of the training clips, by class.

    Args:
        layout: The skeleton.
        class_names: Names in the order of the labels.
        counts: Clips of each class.
        plain: Moments of the joints as they are.
        ordered: Moments with each pair's larger value first, whichever side it was on.
    """

    layout: SkeletonLayout
    class_names: tuple[str, ...]
    counts: Int[Tensor, " y"]
    plain: FeatureMoments
    ordered: FeatureMoments

    def against(self, action: str, rivals: Sequence[str]) -> EffectSizes:
        """Return how a class differs from its rivals, the first weighing most (1, 1/2, 1/3, ...).

        Raises:
            KeyError: If a class is unknown or has no clips.
        """
        own = self._label(action)
        others = torch.tensor([self._label(rival) for rival in rivals], dtype=torch.long)
        weights = 1 / torch.arange(1.0, len(rivals) + 1, dtype=torch.double)
        return self._effects(own, others[others != own], weights[others != own])

    def against_all(self, action: str) -> EffectSizes:
        """Return how a class differs from all others, which weigh alike.

        Raises:
            KeyError: If the class is unknown or has no clips.
        """
        own = self._label(action)
        others = self.counts.index_fill(0, torch.tensor([own]), 0).nonzero()[:, 0]
        return self._effects(own, others, others.new_ones(len(others), dtype=torch.double))

    def _label(self, action: str) -> int:
        """Return the label of a class; the first, where two have the same name."""
        if action not in self.class_names or not self.counts[self.class_names.index(action)]:
            raise KeyError(action)
        return self.class_names.index(action)

    def _effects(
        self, own: int, others: Int[Tensor, " r"], weights: Float[Tensor, " r"]
    ) -> EffectSizes:
        """Return plain effects, and those of the ordered sides where they are clearly larger."""
        size = self._plain.cohen(own, others, weights)
        ordered = self._ordered.cohen(own, others, weights)
        either = torch.zeros_like(size, dtype=torch.bool)
        for pair in map(list, self.layout.pairs):
            stronger = ordered[pair].abs().argmax(dim=0, keepdim=True)
            sharpest = ordered[pair].gather(0, stronger)[0]
            either[pair] = sharpest.abs() > ONE_SIDED * size[pair].abs().amax(dim=0)
            size[pair] = torch.where(either[pair], sharpest, size[pair])
        return EffectSizes(size, either)

    @cached_property
    def _plain(self) -> _Yardstick:
        return _Yardstick.of(self.plain, self.counts)

    @cached_property
    def _ordered(self) -> _Yardstick:
        return _Yardstick.of(self.ordered, self.counts)


PART = 1024
"""Samples measured at a time where not all are in memory."""


def measure_evidence(source: ClipLoader | ClipStore, samples: Int[Tensor, " n"]) -> Evidence:
    """Return the measurements of some samples of a store: those of the training split.

    Args:
        source: Clips in any unit, 2D or 3D, in memory or brought there in shards.
        samples: Which of them.
    """
    store = source if isinstance(source, ClipStore) else source.store
    if isinstance(source, StreamingLoader):
        turns = iterate_batches(source, samples.split(PART))
        parts = [compute_motion_features(sampler.store, chosen) for sampler, chosen, _ in turns]
        values = torch.cat(parts).double()
    else:
        values = compute_motion_features(store, samples).double()
    labels = store.labels[samples].cpu()
    counts = torch.bincount(labels, minlength=store.num_classes)
    ordered = values.clone()
    for left, right in store.layout.pairs:
        ordered[:, left] = torch.maximum(values[:, left], values[:, right])
        ordered[:, right] = torch.minimum(values[:, left], values[:, right])
    return Evidence(
        layout=store.layout,
        class_names=store.class_names,
        counts=counts,
        plain=_moments(values, labels, counts),
        ordered=_moments(ordered, labels, counts),
    )


def _moments(
    values: Float[Tensor, "n v q"], labels: Int[Tensor, " n"], counts: Int[Tensor, " y"]
) -> FeatureMoments:
    clips = counts.clamp(min=1)[:, None, None]
    zeros = values.new_zeros(len(counts), *values.shape[1:])
    mean = zeros.index_add(0, labels, values) / clips
    return FeatureMoments(
        mean, zeros.index_add(0, labels, (values - mean[labels]).square()) / clips
    )
