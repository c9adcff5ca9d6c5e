"""Sets of joints that cannot tell what they should: half of a pair, or those of a rival too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skeletonagent.agents import wording
from skeletonagent.agents.analyst import standing, weighed
from skeletonagent.agents.evidence import Effects
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import SkeletonLayout

_SIDE = re.compile(r"(?<![a-z])(?:left|right)(?:ward|wards|ed)?(?![a-z])", re.IGNORECASE)


def missing_sides(
    action: str, joints: Sequence[int], layout: SkeletonLayout, effects: Effects | None = None
) -> tuple[int, ...]:
    """Return the mirror joints a set lacks though either side of the body may do the action.

    A class whose name says a side is done by that side. Of any other, the evidence decides where
    there is some, for the joints that stand out: the largest effect is that of whichever side
    acts, or it is not. Without evidence both sides belong together.

    Args:
        action: Name of the class.
        joints: The set.
        layout: The skeleton.
        effects: How the class differs from its rivals, or from all classes.
    """
    if _SIDE.search(action.replace("_", " ")):
        return ()
    half = [joint for joint in joints if layout.mirror[joint] not in joints]
    if effects is not None:
        score, either = standing(weighed(effects))
        least = wording.SHARE * max(score)
        half = [joint for joint in half if either[joint] and score[joint] >= least]
    return tuple(sorted(layout.mirror[joint] for joint in half))


def identical_sets(guidance: Guidance) -> tuple[tuple[int, int], ...]:
    """Return the pairs of classes that are rivals of each other and have the same joints.

    L_con scores a class by its joints alone, so such a pair is one class to it.
    """
    classes = guidance.classes
    return tuple(
        (first, second)
        for first, one in enumerate(classes)
        for second, other in enumerate(classes[first + 1 :], start=first + 1)
        if one.joints
        and one.joints == other.joints
        and one.action in other.rivals
        and other.action in one.rivals
    )
