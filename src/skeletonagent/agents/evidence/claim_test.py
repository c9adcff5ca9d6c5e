"""Test of claims on clips: effect size, its interval, and a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from scipy.special import nctdtrinc  # type: ignore[import-untyped]
from torch import Tensor

from skeletonagent.agents.evidence.chance import SIGNIFICANCE, WelchTest, holm
from skeletonagent.agents.evidence.claim_values import measure_claims
from skeletonagent.agents.evidence.effect_sizes import NEGLIGIBLE
from skeletonagent.agents.evidence.measured_clips import MeasuredClips
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim

_TAIL = 0.025
"""Share beyond each end of a 95 % interval."""


@dataclass(frozen=True)
class _ClassMoments:
    """Mean and variance of a claim's value over the clips of each class in which it is known.

    Args:
        mean: Mean; 0 without any clip.
        variance: Unbiased variance; that within all classes for one with a single clip.
        clips: Number of clips.
        freedom: Degrees of freedom of the variance.
    """

    mean: Float[Tensor, " y"]
    variance: Float[Tensor, " y"]
    clips: Float[Tensor, " y"]
    freedom: Float[Tensor, " y"]

    @classmethod
    def of(
        cls, values: Float[Tensor, " n"], known: Bool[Tensor, " n"], clips: MeasuredClips
    ) -> _ClassMoments | None:
        """Return the moments; None if no class has two clips, so that nothing is known to vary."""
        classes = len(clips.class_names)
        labels, values = clips.labels[known], values[known].double()
        count = torch.bincount(labels, minlength=classes).double()
        zeros = torch.zeros(classes, dtype=torch.double)
        mean = zeros.index_add(0, labels, values) / count.clamp(min=1)
        squares = zeros.index_add(0, labels, (values - mean[labels]).square())
        freedom = (count - 1).clamp(min=0)
        if not bool(freedom.any()):
            return None
        within = squares.sum() / freedom.sum()
        variance = torch.where(freedom > 0, squares / freedom.clamp(min=1), within)
        return cls(mean, variance, count, freedom.clamp(min=1))


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

    @property
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
        compared = [self._compare(action, claim) for claim in claims]
        tested = [one for one in compared if one is not None]
        off, error, squares = (
            torch.tensor([getattr(one, name) for one in tested], dtype=torch.double)
            for name in ("off", "error", "squares")
        )
        corrected = iter(
            holm(WelchTest.of(off, error, squares).p_values()).tolist() if tested else []
        )
        return tuple(
            ClaimResult(claim) if one is None else _result(claim, one, next(corrected))
            for claim, one in zip(claims, compared, strict=True)
        )

    def _compare(self, action: str, claim: Claim) -> _Comparison | None:
        """Return the comparison by a claim; None if it cannot be made."""
        moments = self._moments(claim)
        own = self._labels[action]
        if moments is None or not moments.clips[own]:
            return None
        others = self._others(own, claim, moments)
        if not len(others):
            return None
        share = 1 / len(others)
        of_others = moments.mean[others]
        within = moments.variance[others] + (of_others - of_others.mean()).square()
        spread = math.sqrt(float(moments.variance[own] + within.mean()) / 2)
        error = moments.variance / moments.clips.clamp(min=1)
        squares = error.square() / moments.freedom
        if spread <= 0 or float(error[own] + error[others].sum()) <= 0:
            return None
        return _Comparison(
            off=claim.sign * float(moments.mean[own] - of_others.mean()),
            spread=spread,
            error=float(error[own] + share**2 * error[others].sum()),
            squares=float(squares[own] + share**4 * squares[others].sum()),
        )

    def _others(self, own: int, claim: Claim, moments: _ClassMoments) -> Sequence[int]:
        """Return the labels that a class is compared with, of those with clips."""
        if claim.rival:
            rival = self._labels.get(claim.rival, own)
            return [rival] if rival != own and moments.clips[rival] else []
        return [y for y, count in enumerate(moments.clips.tolist()) if count and y != own]

    def _moments(self, claim: Claim) -> _ClassMoments | None:
        """Return the moments of a claim's value by class, measured once for all rivals."""
        about = replace(claim, rival="")
        if about not in self._measured:
            measured = measure_claims((about,), self.clips.layout, self.clips.features)
            values, known = measured.values[:, 0], measured.known[:, 0]
            self._measured[about] = _ClassMoments.of(values, known, self.clips)
        return self._measured[about]

    @cached_property
    def _measured(self) -> dict[Claim, _ClassMoments | None]:
        """Moments of the claims so far, without their rivals."""
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
