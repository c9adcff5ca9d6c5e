"""Claims that effects beyond chance come to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice

from skeletonagent.agents.evidence.effect_sizes import EffectSizes
from skeletonagent.agents.evidence.verbalize import differences
from skeletonagent.core.claims import CENTRAL_PARTS, CLAIMED_PARTS, Claim, claim_joints
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature

_CARRIED = {"wrist": "hand", "ankle": "foot"}
"""Parts of which nothing is claimed where the same is claimed of the part that they carry."""
PARTS_OF_A_FEATURE = 2
"""Most body parts of which one feature is claimed."""


def effect_claims(
    layout: SkeletonLayout, effects: EffectSizes, joints: Sequence[int], rival: str, most: int
) -> tuple[Claim, ...]:
    """Return what joints do differently beyond chance as claims about parts, the surest first.

    Of all joints of a part the difference is beyond chance. Joints that make up no part claim
    nothing.

    Args:
        layout: The skeleton.
        effects: How the class differs from the rival, or from all other classes.
        joints: The joints to speak of.
        rival: Name of the rival; empty for all other classes.
        most: Largest number of claims.
    """
    claims = (
        Claim(part, side, feature, effects.sizes[feature][alike[0]] > 0, rival)
        for feature, alike in differences(layout, effects, joints)
        for part, side in _parts(layout, feature, alike, effects.eithers[feature][alike[0]])
    )
    return tuple(islice(claims, most))


def _parts(
    layout: SkeletonLayout, feature: MotionFeature, alike: Sequence[int], either: bool
) -> list[tuple[str, str]]:
    """Return the largest parts that joints make up, each with its side, which share no joint."""
    left, found = set(alike), []
    for joints, part, side in _known_parts(layout, feature, either):
        if joints <= left:
            left -= joints
            found.append((part, side))
    kept = [(part, side) for part, side in found if (_CARRIED.get(part), side) not in found]
    return kept[:PARTS_OF_A_FEATURE]


@cache
def _known_parts(
    layout: SkeletonLayout, feature: MotionFeature, either: bool
) -> tuple[tuple[frozenset[int], str, str], ...]:
    """Return the joints of each part and side that may be claimed, those of most joints first."""
    parts = []
    for part in CLAIMED_PARTS:
        sides: tuple[str, ...] = ("both", "left", "right")
        if part in CENTRAL_PARTS:
            sides = ("",)
        elif feature in PAIR_FEATURES:
            sides = ("both",)
        elif either:
            sides = ("",)
        for side in sides:
            about = claim_joints(Claim(part, side, feature, more=True), layout)
            if about is not None:
                parts.append((frozenset(about.joints), part, side))
    return tuple(sorted(parts, key=lambda known: -len(known[0])))
