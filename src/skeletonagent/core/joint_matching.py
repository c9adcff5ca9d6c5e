"""Joints that two skeletons share, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from skeletonagent.core.joint_names import sides_and_rests
from skeletonagent.core.layout import SkeletonLayout

_HIPS, _SPINE, _SHOULDERS = "middle of hips", "middle of spine", "middle of shoulders"
_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(
        ("hips", "hip", "hip center", "hip centre", "mid hip", "midhip", "mid hips", "pelvis",
         "base of spine", "spine base", "root"),
        _HIPS,
    ),
    **dict.fromkeys(("spine", "spine mid", "mid spine", "spine middle", "middle spine"), _SPINE),
    **dict.fromkeys(
        ("shoulder center", "shoulder centre", "mid shoulder", "mid shoulders", "spine shoulder"),
        _SHOULDERS,
    ),
}  # fmt: skip
"""Common name of joints in the middle of the body."""
_NEAR: Mapping[str, str] = {
    **dict.fromkeys(("torso", "belly", "abdomen", "waist"), _SPINE),
    "face": "head",
}
"""Common name of joints that lie near another one, where the skeleton has not that one as well."""
_BONE_STARTS: Mapping[str, str] = {
    "shoulder": "clavicle", "arm": "shoulder", "forearm": "elbow", "fore arm": "elbow",
    "hand": "wrist", "upleg": "hip", "up leg": "hip", "leg": "knee", "foot": "ankle",
    "toebase": "foot", "toe base": "foot",
}  # fmt: skip
"""Joint at the start of a bone, by the bone that motion capture (BVH) names the joint after."""
_NUMBERED = re.compile(r"(?:joint|point|keypoint|landmark|marker|node|kp|j|p)?\s*\d+")
"""A name that says nothing but a number."""

JointKey = tuple[str, str]
"""Side of a joint, and its common name."""


def match_joints(source: SkeletonLayout, target: SkeletonLayout) -> tuple[int | None, ...]:
    """Return for each joint of a skeleton the same joint of another one, None where it has none.

    Joints are the same by their side and their name, in any spelling: ``left wrist`` is
    ``l_wrist``, and ``hip center`` is ``pelvis``. Joints that are only numbered are the same in
    skeletons of the same joints and bones alone: a number says nothing about a body.

    Args:
        source: Skeleton whose joints are returned.
        target: Skeleton for whose joints they are looked up.
    """
    if (source.joints, source.bones) == (target.joints, target.bones):
        return tuple(range(target.num_joints))
    place = {key: joint for joint, key in enumerate(_keys(source.joints)) if key is not None}
    return tuple(None if key is None else place.get(key) for key in _keys(target.joints))


def _keys(names: Sequence[str]) -> list[JointKey | None]:
    """Return what each joint is recognised by; None where that is nothing, or not clear."""
    parts = sides_and_rests(names)
    rests = {rest for _, rest in parts}
    starts = bool(rests & {"forearm", "fore arm"}) and bool(rests & {"upleg", "up leg"})
    keys = [(side, _common(side, rest, rests, starts)) for side, rest in parts]
    count = Counter(keys)
    return [
        None if count[key] > 1 or _NUMBERED.fullmatch(rest) else key
        for key, (_, rest) in zip(keys, parts, strict=True)
    ]


def _common(side: str, rest: str, rests: set[str], starts: bool) -> str:
    """Return the common name of a joint.

    Args:
        side: Its side; nothing in the middle of the body.
        rest: Its name without the side.
        rests: Such names of all joints of the skeleton.
        starts: Whether joints are named after the bones that start there.
    """
    if side:
        return _BONE_STARTS.get(rest, rest) if starts else rest
    if rest == "spine" and _SPINE in rests:  # of Kinect v2, where it is between the shoulders
        return _SHOULDERS
    near = _NEAR.get(rest)
    if near is not None and all(_SYNONYMS.get(other, other) != near for other in rests):
        return near
    return _SYNONYMS.get(rest, rest)
