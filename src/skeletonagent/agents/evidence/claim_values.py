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
