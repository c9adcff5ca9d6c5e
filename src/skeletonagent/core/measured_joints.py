"""Joints of a skeleton by which bodies are measured: the ends of bones, and those of axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from skeletonagent.core.skeleton_layout import SkeletonLayout

CLEARLY_UPRIGHT = 0.3
"""Part of a body's own up along y, from -1 to 1, above which it is clear where y points."""

_UPPER = re.compile(
    r"\b(?:head|nose|face|eye|ear|neck|shoulders?|skull|crown|forehead|nape|acromion)\b"
)
_TRUNK = re.compile(r"\b(?:shoulder|hip)\b")
_FOOT_ENDS = (re.compile(r"\b(?:foot|toes?)\b").search, re.compile(r"\b(?:ankle|heel)\b").search)
"""Names of joints at the front and at the back of a foot."""


def bone_ends(layout: SkeletonLayout) -> tuple[Sequence[int], Sequence[int]]:
    """Return the joints at both ends of the bones; without bones, of lines to the center."""
    spokes = [(joint, layout.center) for joint in range(layout.num_joints)]
    child, parent = (list(ends) for ends in zip(*(layout.bones or spokes), strict=True))
    return child, parent


def unseen_bone_sources(
    layout: SkeletonLayout,
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Return what the lengths of bones that are not seen are taken from.

    Returns:
        For each of the :func:`bone_ends`, the bone of the other side, a joint beyond its child,
        and the joint beyond its parent; the bone or joint itself if there is none.
    """
    child, parent = bone_ends(layout)
    place = {frozenset(ends): bone for bone, ends in enumerate(zip(child, parent, strict=True))}
    sides = (frozenset(layout.mirror[v] for v in ends) for ends in zip(child, parent, strict=True))
    other = [place.get(ends, bone) for bone, ends in enumerate(sides)]
    beyond = dict(zip(reversed(parent), reversed(child), strict=True))
    return other, [beyond.get(v, v) for v in child], [layout.parents[v] for v in parent]


@lru_cache(maxsize=64)
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


@lru_cache(maxsize=64)
def nth_neighbors(layout: SkeletonLayout) -> list[list[int]]:
    """Return the n-th neighbor of each joint along its bones, or the joint itself, for each n."""
    ends = [[*bone, *reversed(bone)] for bone in layout.bones]
    near = [
        [other for a, b, c, d in ends for joint, other in ((a, b), (c, d)) if joint == v]
        for v in range(layout.num_joints)
    ]
    most = max(map(len, near))
    return [
        [others[n] if n < len(others) else v for v, others in enumerate(near)] for n in range(most)
    ]


@lru_cache(maxsize=64)
def foot_joints(layout: SkeletonLayout) -> tuple[list[int], list[int]]:
    """Return the joints at the front and at the back of the feet."""
    names = [layout.display_name(joint) for joint in range(layout.num_joints)]
    feet, ankles = ([v for v, name in enumerate(names) if found(name)] for found in _FOOT_ENDS)
    return feet, ankles
