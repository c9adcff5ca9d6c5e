"""Joints of a skeleton by which bodies are measured: the ends of bones, and those of axes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skeletonagent.core.skeleton_layout import SkeletonLayout

_UPPER = re.compile(
    r"\b(?:head|nose|face|eye|ear|neck|shoulders?|skull|crown|forehead|nape|acromion)\b"
)
_TRUNK = re.compile(r"\b(?:shoulder|hip)\b")


def bone_ends(layout: SkeletonLayout) -> tuple[Sequence[int], Sequence[int]]:
    """Return the joints at both ends of the bones; without bones, of lines to the center."""
    spokes = [(joint, layout.center) for joint in range(layout.num_joints)]
    child, parent = (list(ends) for ends in zip(*(layout.bones or spokes), strict=True))
    return child, parent


def axis_joints(
    layout: SkeletonLayout,
) -> tuple[Sequence[int], Sequence[int], Sequence[tuple[int, int]]]:
    """Return the joints that axes are measured by: upper, lower, and pairs of left and right."""
    names = [layout.display_name(joint) for joint in range(layout.num_joints)]
    lower = [*layout.parts["left leg"], *layout.parts["right leg"]] or [layout.center]
    upper = [v for v, name in enumerate(names) if _UPPER.search(name)]
    upper = upper or [v for v in range(len(names)) if v not in lower]
    trunk = [pair for pair in layout.pairs if _TRUNK.search(names[pair[0]])]
    return upper, lower, trunk or layout.pairs
