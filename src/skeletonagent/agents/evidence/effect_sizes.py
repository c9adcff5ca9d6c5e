"""Effect sizes: how the joints of a class differ from those of other classes in training clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.chance import WelchTest
from skeletonagent.agents.evidence.feature_moments import (
    Difference,
    FeatureMoments,
    RegularizedMoments,
    measure_moments,
)
from skeletonagent.agents.evidence.measured_clips import MeasuredClips, measure_labelled_clips
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature
from skeletonagent.data.loader import ClipLoader

ONE_SIDED = 1.5
"""Ratio by which sorting the two sides must sharpen a difference before either side is meant."""
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
_FEATURES = tuple(MotionFeature)
_OF_MOTION = np.array([feature in MOTIONS for feature in MotionFeature])
_RANGE_COLUMNS = [
    list(MotionFeature).index(feature)
    for feature in (MotionFeature.VERTICAL_RANGE, MotionFeature.HORIZONTAL_RANGE)
]
"""Columns of how far a joint moves; its speed is left out, since it is mostly sensor noise."""
_MORE_COLUMNS = [*_RANGE_COLUMNS, list(MotionFeature).index(MotionFeature.SPEED)]
_SINGLE_COLUMNS = np.array([n for n, q in enumerate(MotionFeature) if q not in PAIR_FEATURES])
STILLNESS = 0.5
"""Weight of what keeps still, since most joints keep still in most actions."""
STILL = 0.5
"""A joint that moves less far than this share of the mean of all joints and classes keeps still."""

_Latest = tuple[tuple[str, ...], tuple[str, ...], tuple["EffectSizes", ...]]
"""Rivals of a class together, those one by one, and the effects against them."""


@dataclass(frozen=True)
class EffectSizes:
    """Effect sizes of a class against others.

    Args:
        size: Cohen's d, positive where the class has more of the feature.
        either: Whether the difference is that of whichever side has more (or less) of it, because
            people act with either side; such a ``size`` stands at both joints of a pair.
        beyond: Whether the difference is beyond chance, all joints and features taken together,
            and not negligible.
        moves: Whether a joint moves in the class, rather than keeps still.
    """

    size: Float[np.ndarray, "v q"]
    either: Bool[np.ndarray, "v q"]
    beyond: Bool[np.ndarray, "v q"]
    moves: Bool[np.ndarray, " v"]

    @cached_property
    def sizes(self) -> Mapping[MotionFeature, Sequence[float]]:
        """Size of each feature, joint by joint."""
        return dict(zip(_FEATURES, self.size.T.tolist(), strict=True))

    @cached_property
    def eithers(self) -> Mapping[MotionFeature, Sequence[bool]]:
        """Whether each feature's size is that of whichever side acts, joint by joint."""
        return dict(zip(_FEATURES, self.either.T.tolist(), strict=True))

    @cached_property
    def largest(self) -> Sequence[float]:
        """Largest effect of each joint in any feature."""
        return list(map(float, np.abs(self.size).max(axis=1).tolist()))

    @cached_property
    def beyonds(self) -> Mapping[MotionFeature, Sequence[bool]]:
        """Whether each feature's size is beyond chance, joint by joint."""
        return dict(zip(_FEATURES, self.beyond.T.tolist(), strict=True))

    @cached_property
    def ranked(self) -> EffectSizes:
        """Effects in which keeping still has less weight than moving.

        That is: moving less than others do, and all else about a joint that does not move.
        """
        still = ~self.moves[:, None] | ((self.size < 0) & _OF_MOTION)
        size = np.where(still, STILLNESS * self.size, self.size)
        return EffectSizes(size, self.either, self.beyond, self.moves)

    @cached_property
    def decisive(self) -> tuple[list[float], list[bool]]:
        """Largest effect of each joint, and whether it is that of whichever side acts."""
        return self._largest(self.size)

    @cached_property
    def proven(self) -> tuple[list[float], list[bool]]:
        """The same of the effects beyond chance alone; 0 for a joint without one."""
        return self._largest(self.size * self.beyond)

    def _largest(self, size: Float[np.ndarray, "v q"]) -> tuple[list[float], list[bool]]:
        single = np.abs(size[:, _SINGLE_COLUMNS])
        best, joints = single.argmax(axis=1), np.arange(len(size))
        either = self.either[joints, _SINGLE_COLUMNS[best]]
        return single[joints, best].tolist(), either.tolist()


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

    @classmethod
    def of(cls, clips: MeasuredClips) -> Evidence:
        """Return the evidence of clips that were measured."""
        layout, labels, classes = clips.layout, clips.labels, len(clips.class_names)
        values, known = clips.features.values.double(), clips.features.known
        ordered, both = values.clone(), known & known[:, list(layout.mirror)]
        for left, right in layout.pairs:
            ordered[:, left] = torch.maximum(values[:, left], values[:, right])
            ordered[:, right] = torch.minimum(values[:, left], values[:, right])
        return cls(
            layout=layout,
            class_names=clips.class_names,
            counts=torch.bincount(labels, minlength=classes),
            plain=measure_moments(values, known, labels, classes),
            ordered=measure_moments(ordered, both, labels, classes),
        )

    def against(self, action: str, rivals: Sequence[str]) -> EffectSizes:
        """Return how a class differs from its rivals, which have the weights 1, 1/2, 1/3, ...

        Raises:
            KeyError: If a class is unknown or has no clips.
        """
        known = self._latest.get(action)
        if known is None or known[0] != tuple(rivals):
            return self.against_and_each(action, rivals, ())[0]
        return known[2][0]

    def against_each(self, action: str, rivals: Sequence[str]) -> list[EffectSizes]:
        """Return how a class differs from each of its rivals.

        Raises:
            KeyError: If a class is unknown or has no clips.
        """
        return self._effects(self._labels[action], self._from_each(action, rivals))

    def against_and_each(
        self, action: str, rivals: Sequence[str], single: Sequence[str]
    ) -> list[EffectSizes]:
        """Return :meth:`against` some rivals, and :meth:`against_each` of others after it.

        They are computed together, which is quicker.

        Raises:
            KeyError: If a class is unknown or has no clips.
        """
        known = self._latest.get(action)
        if known is not None and known[:2] == (tuple(rivals), tuple(single)):
            return list(known[2])
        label = self._labels[action]
        others = np.array([self._labels[rival] for rival in rivals], dtype=np.intp)
        weights = 1 / np.arange(1.0, len(rivals) + 1)
        mixture = self._moments.against(label, others[others != label], weights[others != label])
        first = Difference(mixture.size[None], WelchTest(*(part[None] for part in mixture.test)))
        effects = self._effects(label, Difference.joined([first, self._from_each(action, single)]))
        self._latest[action] = (tuple(rivals), tuple(single), tuple(effects))
        return effects

    def _from_each(self, action: str, rivals: Sequence[str]) -> Difference:
        others = np.array([self._labels[rival] for rival in rivals], dtype=np.intp)
        return self._moments.against_each(self._labels[action], others)

    def against_all(self, action: str) -> EffectSizes:
        """Return how a class differs from all others, with equal weights.

        Raises:
            KeyError: If the class is unknown or has no clips.
        """
        return self._against_all[self._labels[action]]

    def _of_clearer_sides(
        self, kinds: Difference, ranging: Bool[np.ndarray, "*z v"]
    ) -> tuple[Difference, Bool[np.ndarray, "*y v q"]]:
        """Return plain differences, and those of the ordered sides where they are clearly larger.

        Where only one side moves, that is the side meant.

        Args:
            kinds: Plain differences, and beside them those of the ordered sides.
            ranging: Whether a joint moves far in the class.

        Returns:
            The differences, and whether they are of the ordered sides.
        """
        size, ratio, freedom = (
            part[..., 0, :, :].copy() for part in (kinds.size, kinds.test.ratio, kinds.test.freedom)
        )
        either = np.zeros(size.shape, dtype=bool)
        if not self.layout.pairs:
            return Difference(size, WelchTest(ratio, freedom)), either
        lefts, rights = self._pairs
        larger, smaller = (kinds.size[..., 1, side, :] for side in (lefts, rights))
        # Of one side can be said that the larger value is larger, or the smaller smaller.
        larger, smaller = np.maximum(larger, 0.0), np.minimum(smaller, 0.0)
        second = -smaller > larger
        sharpest = np.where(second, smaller, larger)
        of_pairs = np.maximum(np.abs(size[..., lefts, :]), np.abs(size[..., rights, :]))
        alike = ranging[..., lefts] == ranging[..., rights]
        clearer = (np.abs(sharpest) > ONE_SIDED * of_pairs) & alike[..., None]
        for part, ordered in ((ratio, kinds.test.ratio), (freedom, kinds.test.freedom)):
            chosen = np.where(second, ordered[..., 1, rights, :], ordered[..., 1, lefts, :])
            for side in (lefts, rights):
                part[..., side, :] = np.where(clearer, chosen, part[..., side, :])
        for side in (lefts, rights):
            size[..., side, :] = np.where(clearer, sharpest, size[..., side, :])
            either[..., side, :] = clearer
        return Difference(size, WelchTest(ratio, freedom)), either

    def _effects(self, labels: int | slice, kinds: Difference) -> list[EffectSizes]:
        """Return effects, those beyond chance and the joints that move marked.

        The p-value of a joint of a pair is doubled, since one of two differences was chosen.

        Args:
            labels: Class of all differences, or the classes of each.
            kinds: Differences of the joints as they are, and with their sides ordered.
        """
        ranging = self.ranging[labels]
        differences, either = self._of_clearer_sides(kinds, ranging)
        size, rows = differences.size, (-1, differences.size[0].size)
        test = WelchTest(*(part.reshape(rows) for part in differences.test))
        significant = test.significant(np.broadcast_to(self._doubled, test.ratio.shape))
        beyond = significant.reshape(size.shape) & (np.abs(size) > NEGLIGIBLE)
        moves = ranging | (beyond & (size > 0))[..., _MORE_COLUMNS].any(axis=-1)
        return [EffectSizes(*one) for one in zip(size, either, beyond, moves, strict=True)]

    @cached_property
    def _pairs(self) -> tuple[list[int], list[int]]:
        """Left joints, and the right one of each."""
        pairs = self.layout.pairs
        return [left for left, _ in pairs], [right for _, right in pairs]

    @cached_property
    def _doubled(self) -> Bool[np.ndarray, " k"]:
        """Whether a joint has two sides, for each joint and feature in one row."""
        paired = [joint != other for joint, other in enumerate(self.layout.mirror)]
        return np.repeat(paired, len(MotionFeature))

    @cached_property
    def _labels(self) -> Mapping[str, int]:
        """Label of each name whose class has clips; the first, where two have the same name."""
        numbered, counts = list(enumerate(self.class_names)), self.counts.tolist()
        first = {name: label for label, name in reversed(numbered)}
        return {name: label for name, label in first.items() if counts[label]}

    @cached_property
    def _latest(self) -> dict[str, _Latest]:
        """The latest rivals of each class and the effects against them, asked for several times."""
        return {}

    @cached_property
    def ranging(self) -> Bool[np.ndarray, "y v"]:
        """Whether a joint moves far in a class, or is seen in none of its clips."""
        mean, known = (
            part[..., _RANGE_COLUMNS].numpy() for part in (self.plain.mean, self.plain.known)
        )
        usual = mean.sum(axis=(0, 1)) / known.sum(axis=(0, 1)).clip(min=1)
        return np.asarray((mean > STILL * usual).any(axis=2) | ~known.all(axis=2))

    @cached_property
    def _against_all(self) -> Sequence[EffectSizes]:
        """Effects of each class against all others."""
        return self._effects(slice(None), self._moments.against_all())

    @cached_property
    def _moments(self) -> RegularizedMoments:
        return RegularizedMoments.of(self.plain, self.ordered)


def measure_evidence(source: ClipLoader | ClipStore, samples: Int[Tensor, " n"]) -> Evidence:
    """Return the evidence of some samples of a store: those of the training set.

    Args:
        source: Clips in any unit, 2D or 3D, in memory or loaded in shards.
        samples: Positions of the samples in the store.
    """
    return Evidence.of(measure_labelled_clips(source, samples))
