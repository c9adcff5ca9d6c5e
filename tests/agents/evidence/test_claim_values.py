"""Values of claims against a reference joint by joint."""

from __future__ import annotations

import torch

from skeletonagent.agents.evidence.claim_values import measure_claims
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.layout import LAYOUTS
from skeletonagent.core.motion_feature import MotionFeature

LAYOUT = LAYOUTS["kinect-20"]
LINES = (
    "right hand height more", "hand speed more", "hand speed less", "both hands speed more",
    "both feet vertical range less", "trunk net vertical less", "left leg speed more",
)  # fmt: skip


def features(seed: int = 0) -> MotionFeatures:
    generator = torch.Generator().manual_seed(seed)
    shape = 9, LAYOUT.num_joints, len(MotionFeature)
    known = torch.rand(shape, generator=generator) > 0.2
    return MotionFeatures(torch.randn(shape, generator=generator) * known, known)


def reference(claim: Claim, measured: MotionFeatures, sample: int) -> float | None:
    """Return the value of a claim in a sample, None where it is not known."""
    about, column = claim_joints(claim, LAYOUT), list(MotionFeature).index(claim.feature)
    assert about is not None
    sides = []
    for group in about.groups:
        seen = [
            float(measured.values[sample, joint, column])
            for joint in group
            if measured.known[sample, joint, column]
        ]
        if not seen:
            return None
        sides.append(sum(seen) / len(seen))
    return max(sides) if about.highest else min(sides)


def test_values_are_those_of_the_reference() -> None:
    measured, claims = features(), [Claim.parse(line) for line in LINES]
    result = measure_claims(claims, LAYOUT, measured)
    for k, claim in enumerate(claims):
        for n in range(len(result.values)):
            expected = reference(claim, measured, n)
            assert bool(result.known[n, k]) == (expected is not None)
            assert abs(float(result.values[n, k]) - (expected or 0.0)) < 1e-6


def test_a_part_that_the_layout_lacks_is_not_known() -> None:
    layout = LAYOUTS["coco-17"]
    shape = 3, layout.num_joints, len(MotionFeature)
    measured = MotionFeatures(torch.ones(shape), torch.ones(shape, dtype=torch.bool))
    result = measure_claims([Claim.parse("neck speed more")], layout, measured)
    assert not result.known.any()
    assert not result.values.any()
