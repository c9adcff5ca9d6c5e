"""Values of claims: what a claim is about, measured in every sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

_CONSTANT = 1e-6
"""Standard deviation up to which a value counts as constant."""

_COLUMNS = {feature: column for column, feature in enumerate(MotionFeature)}


@dataclass(frozen=True)
class ClaimValues:
    """Value of each claim in each sample, in units of its feature.

    Args:
        values: The mean over the joints of a side; of two sides the one that counts. 0 where it
            is not known.
        known: Whether it is known: the layout has the part, and it is seen on every side meant.
    """

    values: Float[Tensor, "n k"]
    known: Bool[Tensor, "n k"]

    def moments(self) -> ClaimMoments:
        """Return mean and standard deviation of each claim's value where it is known."""
        count = self.known.sum(dim=0).clamp(min=1)
        mean = self.values.sum(dim=0) / count
        deviations = (self.values - mean) * self.known
        deviation = (deviations.square().sum(dim=0) / count).sqrt()
        varies = deviation > _CONSTANT
        return ClaimMoments(mean, torch.where(varies, deviation, 1.0), varies)


@dataclass(frozen=True)
class ClaimMoments:
    """Mean and standard deviation of the values of claims over samples.

    Args:
        mean: Mean of each claim's value; 0 where it is known of no sample.
        deviation: Its standard deviation, 1 where it does not vary.
        varies: Whether it varies.
    """

    mean: Float[Tensor, " k"]
    deviation: Float[Tensor, " k"]
    varies: Bool[Tensor, " k"]

    def units(self, measured: ClaimValues) -> Float[Tensor, "n k"]:
        """Return values of samples in deviations from the mean, 0 where they are not known."""
        return (measured.values - self.mean) / self.deviation * measured.known


def measure_claims(
    claims: Sequence[Claim], layout: SkeletonLayout, features: MotionFeatures
) -> ClaimValues:
    """Return the value of each claim in each sample; its direction plays no part but for sides.

    Args:
        claims: Claims; rivals play no part.
        layout: The skeleton.
        features: Motion features of the samples.
    """
    shape = len(features.values), len(claims)
    values, known = torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)
    for k, claim in enumerate(claims):
        about = claim_joints(claim, layout)
        if about is None:
            continue
        column = _COLUMNS[claim.feature]
        sides, seen = zip(*(_mean(features, group, column) for group in about.groups), strict=True)
        of_sides = torch.stack(sides)
        values[:, k] = of_sides.amax(dim=0) if about.highest else of_sides.amin(dim=0)
        known[:, k] = torch.stack(seen).all(dim=0)
    return ClaimValues(values * known, known)


def _mean(
    features: MotionFeatures, joints: Sequence[int], column: int
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Return the mean of a feature over the joints of which it is known, and whether any is."""
    chosen = list(joints)
    values, known = features.values[:, chosen, column], features.known[:, chosen, column]
    mean = (values * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
    return mean, known.any(dim=1)
