"""Effect sizes: how the joints of a class differ from those of other classes in training clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.agents.answers.checks import NEAR_ALL
from skeletonagent.agents.evidence.motion_features import (
    measure_motion,
)
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature
from skeletonagent.data.loader import ClipLoader, StreamingLoader, iterate_batches

PRIOR_CLIPS = 2.0
"""Clips of typical variance added to those of a class, so that few clips cannot look exact."""
FLOOR = 0.25
"""Share of a feature's typical variance over all joints that is added to the variance of each."""
ONE_SIDED = 1.5
"""Ratio by which sorting the two sides must sharpen a difference before either side is meant."""
CHUNK_SAMPLES = 1024
"""Samples measured at a time where not all are in memory."""

NEGLIGIBLE = 0.2
"""Cohen's d below which a difference is not worth a word. Source: Cohen 1988, a small effect."""
SHARE = 0.5
"""Share of the largest effect below which an effect is left out."""
MOTIONS = (
    MotionFeature.SPEED,
    MotionFeature.VERTICAL_RANGE,
    MotionFeature.HORIZONTAL_RANGE,
    MotionFeature.SYMMETRY,
)
"""Features of how much a joint moves."""
_MOTION_COLUMNS = [list(MotionFeature).index(feature) for feature in MOTIONS]
_SINGLE_COLUMNS = [n for n, q in enumerate(MotionFeature) if q not in PAIR_FEATURES]
STILLNESS = 0.5
"""Weight of moving less than others do, since most joints keep still in most actions."""
DETAILED = (4, 8)
"""Fewest and most joints of a description."""
DISTINGUISHING = (2, 6)
"""Fewest and most joints that set a class apart from its rivals."""


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
class _RegularizedMoments:
    """Moments with a variance that few clips do not make too small.

    Args:
        mean: Mean as measured.
        variance: Variance with :data:`PRIOR_CLIPS` of typical variance.
        floor: Variance added for every joint, see :data:`FLOOR`.
        known: Whether mean and variance were measured.
    """

    mean: Float[Tensor, "y v q"]
    variance: Float[Tensor, "y v q"]
    floor: Float[Tensor, " q"]
    known: Bool[Tensor, "y v q"]

    @classmethod
    def of(cls, moments: FeatureMoments) -> _RegularizedMoments:
        clips, seen = moments.clips.double(), moments.known.any(dim=0)
        typical = (clips * moments.variance).sum(dim=0) / clips.sum(dim=0).clamp(min=1)
        variance = (clips * moments.variance + PRIOR_CLIPS * typical) / (clips + PRIOR_CLIPS)
        floor = FLOOR * typical.sum(dim=0) / seen.sum(dim=0).clamp(min=1) + 1e-8
        return cls(moments.mean, variance, floor, moments.known)

    def cohens_d(
        self, label: int, others: Int[Tensor, " r"], weights: Float[Tensor, " r"]
    ) -> Float[Tensor, "v q"]:
        """Return Cohen's d of a class against the mixture of others; 0 where it is not known."""
        if not len(others):
            return torch.zeros_like(self.mean[label])
        known, share = self.known[others], (weights / weights.sum())[:, None, None]
        if not bool(known.all()):
            share = share * known
            share = share / share.sum(dim=0).clamp(min=1e-12)
        mean = (share * self.mean[others]).sum(dim=0)
        spread = self.variance[others] + (self.mean[others] - mean).square()
        pooled = (self.variance[label] + (share * spread).sum(dim=0)) / 2
        size = (self.mean[label] - mean) / (pooled + self.floor).sqrt()
        return size * (self.known[label] & known.any(dim=0))

    def cohens_d_against_all(self) -> Float[Tensor, "y v q"]:
        """Return Cohen's d of each class against all others with equal weights.

        It is :meth:`cohens_d` from sums over all classes, less the class itself, so that the cost
        is linear in the number of classes. Means are taken from their middle, lest digits cancel.
        """
        known = self.known.double()
        middle = (known * self.mean).sum(dim=0) / known.sum(dim=0).clamp(min=1)
        mean = known * (self.mean - middle)
        others = _sum_of_others(known).clamp(min=1)
        of_others = _sum_of_others(mean) / others
        spread = _sum_of_others(known * self.variance + mean.square()) / others
        pooled = (self.variance + (spread - of_others.square()).clamp(min=0)) / 2
        size = (mean - of_others) / (pooled + self.floor).sqrt()
        return size * (self.known & (_sum_of_others(known) > 0))


def _sum_of_others(values: Float[Tensor, "y v q"]) -> Float[Tensor, "y v q"]:
    """Return the sum over all other classes of each."""
    return values.sum(dim=0) - values


@dataclass(frozen=True)
class EffectSizes:
    """Effect sizes of a class against others.

    Args:
        size: Cohen's d, positive where the class has more of the feature.
        either: Whether the difference is that of whichever side has more (or less) of it, because
            people act with either side; such a ``size`` stands at both joints of a pair.
    """

    size: Float[Tensor, "v q"]
    either: Bool[Tensor, "v q"]

    @cached_property
    def sizes(self) -> Mapping[MotionFeature, Sequence[float]]:
        """Size of each feature, joint by joint."""
        return dict(zip(MotionFeature, self.size.mT.tolist(), strict=True))

    @cached_property
    def eithers(self) -> Mapping[MotionFeature, Sequence[bool]]:
        """Whether each feature's size is that of whichever side acts, joint by joint."""
        return dict(zip(MotionFeature, self.either.mT.tolist(), strict=True))

    @cached_property
    def largest(self) -> Sequence[float]:
        """Largest effect of each joint in any feature."""
        return list(map(float, self.size.abs().amax(dim=1).tolist()))

    @cached_property
    def ranked(self) -> EffectSizes:
        """Effects in which moving less than others do has less weight than moving more."""
        size = self.size.clone()
        size[:, _MOTION_COLUMNS] *= torch.where(size[:, _MOTION_COLUMNS] < 0, STILLNESS, 1.0)
        return replace(self, size=size)

    @cached_property
    def decisive(self) -> tuple[list[float], list[bool]]:
        """Largest effect of each joint, and whether it is that of whichever side acts."""
        best = self.size[:, _SINGLE_COLUMNS].abs().max(dim=1)
        either = self.either[:, _SINGLE_COLUMNS].gather(1, best.indices[:, None]).flatten()
        return best.values.tolist(), either.tolist()


@dataclass(frozen=True)
class Evidence:
    """Motion features of the training clips, by class.

    Args:
        layout: The skeleton.
        class_names: Names of the classes in label order.
        counts: Number of clips of each class.
        plain: Moments of the joints as they are.
        ordered: Moments with each pair's larger value first, whichever side it was on.
    """

    layout: SkeletonLayout
    class_names: tuple[str, ...]
    counts: Int[Tensor, " y"]
    plain: FeatureMoments
    ordered: FeatureMoments

    def against(self, action: str, rivals: Sequence[str]) -> EffectSizes:
        """Return how a class differs from its rivals, which have the weights 1, 1/2, 1/3, ...

        Raises:
            KeyError: If a class is unknown or has no clips.
        """
        known = self._latest.get(action)
        if known is None or known[0] != tuple(rivals):
            label = self._labels[action]
            others = torch.tensor([self._labels[rival] for rival in rivals], dtype=torch.long)
            weights = 1 / torch.arange(1.0, len(rivals) + 1, dtype=torch.double)
            others, weights = others[others != label], weights[others != label]
            plain = self._plain.cohens_d(label, others, weights)
            ordered = self._ordered.cohens_d(label, others, weights)
            known = tuple(rivals), EffectSizes(*self._of_clearer_sides(plain, ordered))
            self._latest[action] = known
        return known[1]

    def against_all(self, action: str) -> EffectSizes:
        """Return how a class differs from all others, with equal weights.

        Raises:
            KeyError: If the class is unknown or has no clips.
        """
        return self._against_all[self._labels[action]]

    def _of_clearer_sides(
        self, plain: Float[Tensor, "*y v q"], ordered: Float[Tensor, "*y v q"]
    ) -> tuple[Float[Tensor, "*y v q"], Bool[Tensor, "*y v q"]]:
        """Return plain effects, and those of the ordered sides where they are clearly larger.

        Returns:
            The effects, and whether they are of the ordered sides.
        """
        size, either = plain.clone(), torch.zeros_like(plain, dtype=torch.bool)
        if self.layout.pairs:
            pairs = torch.tensor(self.layout.pairs)
            sides = ordered[..., pairs, :]  # pairs, left and right, features
            stronger = sides.abs().argmax(dim=-2, keepdim=True)
            sharpest = sides.gather(-2, stronger)
            of_pairs = plain[..., pairs, :]
            clearer = sharpest.abs() > ONE_SIDED * of_pairs.abs().amax(dim=-2, keepdim=True)
            size[..., pairs, :] = torch.where(clearer, sharpest, of_pairs)
            either[..., pairs, :] = clearer.expand_as(of_pairs)
        return size, either

    @cached_property
    def _labels(self) -> Mapping[str, int]:
        """Label of each name whose class has clips; the first, where two have the same name."""
        numbered, counts = list(enumerate(self.class_names)), self.counts.tolist()
        first = {name: label for label, name in reversed(numbered)}
        return {name: label for name, label in first.items() if counts[label]}

    @cached_property
    def _latest(self) -> dict[str, tuple[tuple[str, ...], EffectSizes]]:
        """The latest rivals of each class and the effects against them, asked for several times."""
        return {}

    @cached_property
    def _against_all(self) -> Sequence[EffectSizes]:
        """Effects of each class against all others."""
        size, either = self._of_clearer_sides(
            self._plain.cohens_d_against_all(), self._ordered.cohens_d_against_all()
        )
        return list(map(EffectSizes, size, either))

    @cached_property
    def _plain(self) -> _RegularizedMoments:
        return _RegularizedMoments.of(self.plain)

    @cached_property
    def _ordered(self) -> _RegularizedMoments:
        return _RegularizedMoments.of(self.ordered)


def measure_evidence(source: ClipLoader | ClipStore, samples: Int[Tensor, " n"]) -> Evidence:
    """Return the evidence of some samples of a store: those of the training set.

    Args:
        source: Clips in any unit, 2D or 3D, in memory or loaded in shards.
        samples: Positions of the samples in the store.
    """
    store = source if isinstance(source, ClipStore) else source.store
    if isinstance(source, StreamingLoader):
        batches = iterate_batches(source, samples.split(CHUNK_SAMPLES))
        parts = [measure_motion(sampler.store, chosen) for sampler, chosen, _ in batches]
    else:
        parts = [measure_motion(store, samples)]
    values = torch.cat([part.values for part in parts]).double()
    known = torch.cat([part.known for part in parts])
    labels = store.labels[samples].cpu()
    counts = torch.bincount(labels, minlength=store.num_classes)
    ordered, both = values.clone(), known & known[:, list(store.layout.mirror)]
    for left, right in store.layout.pairs:
        ordered[:, left] = torch.maximum(values[:, left], values[:, right])
        ordered[:, right] = torch.minimum(values[:, left], values[:, right])
    return Evidence(
        layout=store.layout,
        class_names=store.class_names,
        counts=counts,
        plain=_moments(values, known, labels, len(counts)),
        ordered=_moments(ordered, both, labels, len(counts)),
    )


def _moments(
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


def decisive_joints(
    layout: SkeletonLayout, effects: EffectSizes, least: int, most: int
) -> tuple[int, ...]:
    """Return the joints with the largest effects, ascending.

    Joints are taken until the effect drops below half of the largest, both sides of a pair
    together where either is meant. If these are too few, joints next to them follow.
    """
    most = max(1, min(most, math.ceil(NEAR_ALL * layout.num_joints) - 1))
    least = min(least, most)
    score, either = effects.decisive
    chosen: list[int] = []
    for joint in sorted(range(len(score)), key=lambda v: -score[v]):
        unit = {joint, layout.mirror[joint]} if either[joint] else {joint}
        new = sorted(unit - set(chosen))
        if score[joint] >= SHARE * max(score) and len(chosen) + len(new) <= most:
            chosen += new
    while len(chosen) < least:
        adjacent = {end for bone in layout.bones for end in bone if set(bone) & set(chosen)}
        rest = [joint for joint in range(layout.num_joints) if joint not in chosen]
        chosen.append(max(rest, key=lambda v: (v in adjacent, score[v])))
    return tuple(sorted(chosen))
