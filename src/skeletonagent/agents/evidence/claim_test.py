"""Test of claims on clips: effect size, its interval, and a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import nctdtrinc  # type: ignore[import-untyped]
from torch import Tensor

from skeletonagent.agents.evidence.chance import SIGNIFICANCE, WelchTest, holm
from skeletonagent.agents.evidence.claim_values import measure_claims
from skeletonagent.agents.evidence.effect_sizes import NEGLIGIBLE
from skeletonagent.agents.evidence.measured_clips import MeasuredClips
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.motion_feature import MotionFeature

_TAIL = 0.025
"""Share beyond each end of a 95 % interval."""

_Measured = tuple[tuple[tuple[int, ...], ...], bool, MotionFeature]
"""Joints of each side, whether the higher of the sides counts, and the feature."""


@dataclass(frozen=True)
class _Comparison:
    """Comparison of a class with others by one claim.

    Args:
        off: Difference of the means, positive in the direction claimed.
        spread: Standard deviation that the effect size is in units of.
        error: Square of the standard error of the difference.
        squares: Sum of the squares of its parts by their degrees of freedom.
    """

    off: float
    spread: float
    error: float
    squares: float

    @property
    def effect(self) -> float:
        """Cohen's d."""
        return self.off / self.spread

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Cohen's d, from the noncentral t-distribution.

        It has no zero in it if, and only if, the difference is significant by itself.
        """
        freedom, error = max(1.0, self.error**2 / self.squares), math.sqrt(self.error)
        ends = (
            float(nctdtrinc(freedom, share, self.off / error)) * error / self.spread
            for share in (1 - _TAIL, _TAIL)
        )
        return next(ends), next(ends)


class _Sums(NamedTuple):
    """Values of one class, or their sums over several, by a claim's value.

    Means are taken from a middle, lest digits cancel where a class is taken out of a sum.
    """

    classes: float
    mean: float
    moment: float
    """Variance, and the square of the mean."""
    error: float
    """Square of the standard error of the mean."""
    squares: float
    """Square of the error, by its degrees of freedom."""

    def mixed(self) -> _Sums:
        """Return the values of the mixture of these classes with equal weights."""
        n = self.classes
        return _Sums(1, self.mean / n, self.moment / n, self.error / n**2, self.squares / n**4)

    @property
    def variance(self) -> float:
        """The variance of a mixture."""
        return max(0.0, self.moment - self.mean**2)


@dataclass(frozen=True)
class _ClassMoments:
    """Moments of a claim's value over the clips of each class in which it is known.

    Args:
        rows: Values of each class, zeros of one without clips; columns are those of _Sums.
    """

    rows: Float[np.ndarray, "y s"]

    @classmethod
    def of(
        cls, values: Float[Tensor, " n"], known: Bool[Tensor, " n"], clips: MeasuredClips
    ) -> _ClassMoments | None:
        """Return the moments; None if no class has two clips, so that nothing is known to vary.

        A class with a single clip has the variance within all classes.
        """
        classes = len(clips.class_names)
        labels, numbers = clips.labels[known].numpy(), values[known].double().numpy()
        count = np.bincount(labels, minlength=classes)
        mean = np.bincount(labels, numbers, classes) / count.clip(min=1)
        squares = np.bincount(labels, (numbers - mean[labels]) ** 2, classes)
        freedom = (count - 1).clip(min=0)
        if not freedom.any():
            return None
        present = count > 0
        within = squares.sum() / freedom.sum()
        variance = np.where(freedom > 0, squares / freedom.clip(min=1), within) * present
        error = variance / count.clip(min=1)
        mean = (mean - mean.sum() / present.sum()) * present
        rows = (present, mean, variance + mean**2, error, error**2 / freedom.clip(min=1))
        return cls(np.stack(rows, axis=1).astype(np.double))

    def of_class(self, label: int) -> _Sums:
        """Return the values of a class."""
        return _Sums(*self.rows[label].tolist())

    def of_others(self, label: int) -> _Sums:
        """Return the sums over all classes but one."""
        own = self.rows[label].tolist()
        return _Sums(*(whole - part for whole, part in zip(self._sums, own, strict=True)))

    @cached_property
    def _sums(self) -> list[float]:
        return [float(value) for value in self.rows.sum(axis=0)]


@dataclass(frozen=True)
class ClaimTester:
    """Test of claims about a class on clips.

    A claim is measured in every clip. Its effect is Cohen's d of the class against the rival, or
    against the mixture of all other classes with equal weights. It is borne out, or contradicted,
    if Welch's test shows a difference after Holm's correction for the claims tested together, and
    the effect is not negligible. Clips are taken as independent of each other.

    Args:
        clips: The clips, such as those of the training set.
    """

    clips: MeasuredClips

    def test(self, action: str, claims: Sequence[Claim]) -> tuple[ClaimResult, ...]:
        """Return the result of each claim about a class; undecided where it cannot be measured."""
        if action not in self._labels:
            return tuple(ClaimResult(claim) for claim in claims)
        known = self._latest.get(action, {})
        compared = {
            claim: known[claim] if claim in known else self._compare(action, claim)
            for claim in claims
        }
        self._latest[action] = compared
        tested = [one for one in map(compared.__getitem__, claims) if one is not None]
        off, error, squares = (
            np.array([getattr(one, name) for one in tested], dtype=np.double)
            for name in ("off", "error", "squares")
        )
        corrected = iter(holm(WelchTest.of(off, error, squares).p_values()).tolist())
        return tuple(
            ClaimResult(claim) if one is None else _result(claim, one, next(corrected))
            for claim, one in zip(claims, map(compared.__getitem__, claims), strict=True)
        )

    def _compare(self, action: str, claim: Claim) -> _Comparison | None:
        """Return the comparison by a claim; None if it cannot be made."""
        moments = self._moments(claim)
        label = self._labels[action]
        if moments is None:
            return None
        own, others = moments.of_class(label), self._others(label, claim, moments)
        if not own.classes or others is None or not others.classes:
            return None
        if own.error + others.error <= 0:
            return None
        mixture = others.mixed()
        spread = math.sqrt((own.variance + mixture.variance) / 2)
        if spread <= 0:
            return None
        return _Comparison(
            off=claim.sign * (own.mean - mixture.mean),
            spread=spread,
            error=own.error + mixture.error,
            squares=own.squares + mixture.squares,
        )

    def _others(self, own: int, claim: Claim, moments: _ClassMoments) -> _Sums | None:
        """Return what a class is compared with; None if there is no such class."""
        if not claim.rival:
            return moments.of_others(own)
        rival = self._labels.get(claim.rival, own)
        return None if rival == own else moments.of_class(rival)

    def _moments(self, claim: Claim) -> _ClassMoments | None:
        """Return the moments of a claim's value by class, measured once for all rivals."""
        about = claim_joints(claim, self.clips.layout)
        if about is None:
            return None
        # Of a single side, more and less are about the same values.
        key = about.groups, about.highest or len(about.groups) == 1, claim.feature
        if key not in self._measured:
            measured = measure_claims((claim,), self.clips.layout, self.clips.features)
            values, known = measured.values[:, 0], measured.known[:, 0]
            self._measured[key] = _ClassMoments.of(values, known, self.clips)
        return self._measured[key]

    @cached_property
    def _latest(self) -> dict[str, dict[Claim, _Comparison | None]]:
        """Comparisons by the latest claims of each class, most of which are tested again."""
        return {}

    @cached_property
    def _measured(self) -> dict[_Measured, _ClassMoments | None]:
        """Moments by what the claims so far are about."""
        return {}

    @cached_property
    def _labels(self) -> Mapping[str, int]:
        """Label of each name that is that of one class alone."""
        names = self.clips.class_names
        bearers = Counter(names)
        return {name: label for label, name in enumerate(names) if bearers[name] == 1}


def _result(claim: Claim, compared: _Comparison, p: float) -> ClaimResult:
    """Return the result of a claim from its comparison and its corrected p-value."""
    effect, (low, high) = compared.effect, compared.interval
    verdict = Verdict.UNDECIDED
    if p < SIGNIFICANCE and abs(effect) > NEGLIGIBLE:
        verdict = Verdict.BORNE_OUT if effect > 0 else Verdict.CONTRADICTED
    return ClaimResult(claim, verdict, round(effect, 3), round(low, 3), round(high, 3))
