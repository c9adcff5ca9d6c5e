"""Prior scores of classes: how well what is claimed of each class holds of a sample.

Every claim is measured in every sample. How far a sample lies on the claimed side of the mean of
all samples speaks for the class, the claims of a class together. No label is looked at, so that the
scores are knowledge from outside the clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.agents.evidence.claim_values import ClaimMoments, measure_claims
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import Claim
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.runtime.claimed import PRIOR_SATURATION, FittedClaims

ClassClaims = tuple[tuple[Claim, ...], ...]
"""Claims about each class, in label order; none about a class of which nothing is known."""


@dataclass(frozen=True)
class ClaimPrior:
    """Scores of samples for the classes that claims are about.

    Args:
        claims: Claims about each class against all others.
        moments: Moments of each distinct claim's value over the training samples.
        center: Mean score of each class over the training samples.
        spread: Mean over the classes of the scores' standard deviation there.
    """

    claims: ClassClaims
    moments: ClaimMoments
    center: Float[Tensor, " y"]
    spread: float

    @classmethod
    def fit(
        cls, claims: ClassClaims, layout: SkeletonLayout, features: MotionFeatures
    ) -> ClaimPrior:
        """Return the scores in units of some samples' own.

        Args:
            claims: Claims about each class.
            layout: The skeleton.
            features: Motion features of the training samples.
        """
        moments = measure_claims(_distinct(claims), layout, features).moments()
        raw = cls(claims, moments, torch.zeros(len(claims)), 1.0).scores(layout, features)
        known = [label for label, of_class in enumerate(claims) if of_class]
        spread = raw[:, known].std(dim=0, correction=0).mean() if known else torch.tensor(0.0)
        return cls(claims, moments, raw.mean(dim=0), max(float(spread), 1e-6))

    def scores(self, layout: SkeletonLayout, features: MotionFeatures) -> Float[Tensor, "n y"]:
        """Return the scores of samples; 0 for a class without claims.

        Args:
            layout: The skeleton.
            features: Motion features of the samples; those that are not known play no part.
        """
        measured = measure_claims(_distinct(self.claims), layout, features)
        sums = (self.moments.units(measured) / PRIOR_SATURATION).tanh() @ self._signs.T
        return (sums - self.center) / self.spread

    @cached_property
    def _signs(self) -> Float[Tensor, "y k"]:
        """Direction of each claim of a class, over the root of their number."""
        place = {claim: k for k, claim in enumerate(_distinct(self.claims))}
        signs = torch.zeros(len(self.claims), len(place))
        for row, of_class in zip(signs, self.claims, strict=True):
            for claim in of_class:
                row[place[claim]] = claim.sign / len(of_class) ** 0.5
        return signs

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the prior as tensors by name, which :meth:`from_tensors` reads."""
        lines = json.dumps([list(map(str, of_class)) for of_class in self.claims])
        return {
            "claims.lines": torch.frombuffer(bytearray(lines.encode()), dtype=torch.uint8),
            "claims.mean": self.moments.mean,
            "claims.scale": self.moments.deviation,
            "claims.center": self.center,
            "claims.spread": torch.tensor(self.spread, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> ClaimPrior | None:
        """Return the prior that tensors hold, among others; None if they hold none.

        Raises:
            KeyError: If a tensor is missing.
            ValueError: If tensors do not fit each other, or a claim cannot be read.
        """
        named = {name: tensors[name] for name in tensors if name.startswith("claims.")}
        found = FittedClaims.from_arrays({name: t.double().numpy() for name, t in named.items()})
        if found is None:
            return None
        mean, scale, center = (
            torch.from_numpy(part).float() for part in (found.mean, found.scale, found.center)
        )
        moments = ClaimMoments(mean, scale, torch.ones_like(mean, dtype=torch.bool))
        return cls(found.claims, moments, center, found.spread)


def _distinct(claims: Sequence[Sequence[Claim]]) -> tuple[Claim, ...]:
    """Return all claims, each once, in the order in which they come up."""
    return tuple(dict.fromkeys(claim for of_class in claims for claim in of_class))
