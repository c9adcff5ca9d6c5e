"""Skeleton layouts: joints, bones, left/right pairs and limbs.

Tables of the usual layouts are below; any other is read from a skeleton archive's JSON. Pairs and
limbs are derived from the joint names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

LIMBS = ("torso", "left arm", "right arm", "left leg", "right leg")
"""Body parts of every layout; a joint of no limb belongs to the torso."""

_ARM = re.compile(r"shoulder|elbow|wrist|hand|thumb|arm|finger")
_LEG = re.compile(r"hip|knee|ankle|foot|leg|toe|heel")
_SIDE = re.compile(r"(?:^|[\s_-])(left|right|l|r)(?=$|[\s_-])|^(left|right)")


@dataclass(frozen=True)
class SkeletonLayout:
    """Joints and bones of a skeleton.

    Args:
        name: Name of the layout.
        joints: Joint names, in index order.
        bones: ``(child, parent)`` pairs; a joint that is no child is a root.
        center: Joint on which clips are centred.

    Raises:
        ValueError: If names repeat, an index is out of range, a joint has two parents or the
            bones run in a circle.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    center: int = 0

    def __post_init__(self) -> None:
        """Check what all derived properties rely on."""
        v = len(self.joints)
        if len(set(self.joints)) != v or not v:
            raise ValueError("joint names must be given and must differ from each other")
        if not 0 <= self.center < v:
            raise ValueError(f"root joint {self.center} is outside 0..{v - 1}")
        children = [child for child, _ in self.bones]
        for child, parent in self.bones:
            if not (0 <= child < v and 0 <= parent < v) or child == parent:
                raise ValueError(f"bone ({child}, {parent}) does not join two of {v} joints")
        if len(set(children)) != len(children):
            raise ValueError("a joint has two parents; bones are (child, parent) pairs of a tree")
        for joint in range(v):
            seen = {joint}
            while (joint := self.parents[joint]) not in self.roots:
                if joint in seen:
                    raise ValueError("the bones run in a circle; they must form a tree")
                seen.add(joint)

    @property
    def num_joints(self) -> int:
        """Number of joints, V."""
        return len(self.joints)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint; a root is its own parent, so that its bone is zero."""
        parent_of = dict(self.bones)
        return tuple(parent_of.get(joint, joint) for joint in range(len(self.joints)))

    @cached_property
    def roots(self) -> frozenset[int]:
        """Joints without a parent."""
        children = {child for child, _ in self.bones}
        return frozenset(range(len(self.joints))) - children

    @cached_property
    def grandparents(self) -> tuple[int, ...]:
        """Start of each joint's k-bone: its grandparent, or the joint itself below a root."""
        return tuple(
            joint if parent in self.roots else self.parents[parent]
            for joint, parent in enumerate(self.parents)
        )

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of ``(left, right)`` joints, derived from the names."""
        sided = {_side_and_rest(name): joint for joint, name in enumerate(self.joints)}
        return tuple(
            (joint, sided["right", rest])
            for (side, rest), joint in sided.items()
            if side == "left" and ("right", rest) in sided
        )

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Joint that each joint becomes when left and right are swapped."""
        mirrored = list(range(len(self.joints)))
        for left, right in self.pairs:
            mirrored[left], mirrored[right] = right, left
        return tuple(mirrored)

    @cached_property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """Joints of each of the five :data:`LIMBS`, derived from the names."""
        members: dict[str, list[int]] = {limb: [] for limb in LIMBS}
        for joint, name in enumerate(self.joints):
            members[_limb(name)].append(joint)
        return {limb: tuple(joints) for limb, joints in members.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain values."""
        return {
            "name": self.name,
            "joints": list(self.joints),
            "bones": [list(bone) for bone in self.bones],
            "center": self.center,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SkeletonLayout:
        """Return the layout of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field is of another kind.
            ValueError: If it describes no skeleton.
        """
        return cls(
            name=str(value["name"]),
            joints=tuple(map(str, value["joints"])),
            bones=tuple((int(child), int(parent)) for child, parent in value["bones"]),
            center=int(value["center"]),
        )

    def label(self, joint: int) -> str:
        """Return the 1-based label of a joint in the agents' dialogues, such as ``8-left hand``."""
        return f"{joint + 1}-{self.display_name(joint)}"

    def display_name(self, joint: int) -> str:
        """Return a joint's name in words, as in a sentence."""
        return re.sub(r"[_\s]+", " ", self.joints[joint]).strip().lower()


def _side_and_rest(name: str) -> tuple[str, str]:
    match = _SIDE.search(name.lower())
    if match is None:
        return "", name.lower()
    word = match.group(1) or match.group(2)
    rest = name.lower()[: match.start()] + name.lower()[match.end() :]
    return {"l": "left", "r": "right"}.get(word, word), re.sub(r"[\s_-]+", " ", rest).strip()


def _limb(name: str) -> str:
    side, rest = _side_and_rest(name)
    if side and _ARM.search(rest):
        return f"{side} arm"
    if side and _LEG.search(rest):
        return f"{side} leg"
    return "torso"


def _chain(*paths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the bones of several paths, each listed from the root outwards."""
    return tuple((child, parent) for path in paths for parent, child in pairwise(path))


_KINECT_ARM = ("shoulder", "elbow", "wrist", "hand")
_KINECT_LEG = ("hip", "knee", "ankle", "foot")


def _both(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{side} {name}" for side in ("left", "right") for name in names)


KINECT_25 = SkeletonLayout(
    name="kinect-25",
    joints=(
        "base of spine", "middle of spine", "neck", "head",
        *_both(_KINECT_ARM), *_both(_KINECT_LEG),
        "spine", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=_chain(
        (20, 2, 3), (20, 1, 0), (20, 4, 5, 6, 7, 22, 21), (20, 8, 9, 10, 11, 24, 23),
        (0, 12, 13, 14, 15), (0, 16, 17, 18, 19),
    ),
    center=1,
)  # fmt: skip
"""Kinect v2, NTU RGB+D. Source: joint order and parents of NTU RGB+D, spec 2.2."""

KINECT_20 = SkeletonLayout(
    name="kinect-20",
    joints=(
        "hip center", "spine", "shoulder center", "head",
        *_both(_KINECT_ARM), *_both(_KINECT_LEG),
    ),
    bones=_chain(
        (2, 3), (2, 1, 0), (2, 4, 5, 6, 7), (2, 8, 9, 10, 11),
        (0, 12, 13, 14, 15), (0, 16, 17, 18, 19),
    ),
    center=1,
)  # fmt: skip
"""Kinect v1."""

_COCO_FACE = ("nose", "left eye", "right eye", "left ear", "right ear")
_COCO_BODY = tuple(
    f"{side} {name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)

COCO_17 = SkeletonLayout(
    name="coco-17",
    joints=(*_COCO_FACE, *_COCO_BODY),
    bones=_chain(
        (0, 1, 3), (0, 2, 4), (0, 5, 7, 9), (0, 6, 8, 10), (5, 11, 13, 15), (6, 12, 14, 16)
    ),
)  # fmt: skip
"""COCO keypoints, as most pose estimators return them."""

COCO_20 = SkeletonLayout(
    name="coco-20",
    joints=(*_COCO_FACE, *_COCO_BODY, "middle of hips", "thorax", "middle of shoulders"),
    bones=_chain(
        (19, 0, 1, 3), (0, 2, 4), (19, 5, 7, 9), (19, 6, 8, 10),
        (19, 18, 17, 11, 13, 15), (17, 12, 14, 16),
    ),
    center=19,
)  # fmt: skip
"""COCO-17 with mid-hip, thorax and mid-shoulder (Kinetics-Skeleton, FineGYM), spec 2.2."""

UAV_17 = SkeletonLayout(
    name="uav-17",
    joints=(
        "nose",
        *(f"{side} {name}" for side in ("right", "left") for name in _KINECT_ARM[:3]),
        *(f"{side} {name}" for side in ("right", "left") for name in _KINECT_LEG[:3]),
        "right eye", "left eye", "right ear", "left ear",
    ),
    bones=_chain((1, 2, 3), (1, 4, 5, 6), (1, 7, 8, 9), (7, 10, 11, 12), (0, 13, 15), (0, 14, 16)),
)  # fmt: skip
"""UAV-Human. Two trees, body and face, as its released parents have it, spec 2.2."""

LAYOUTS = {layout.name: layout for layout in (KINECT_25, KINECT_20, COCO_17, COCO_20, UAV_17)}
"""Layouts by name."""
