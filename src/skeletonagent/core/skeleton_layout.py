"""Skeleton layout: joints, bones, left/right pairs and limbs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from skeletonagent.core.joint_names import LIMBS, limb_of, sides_and_rests
from skeletonagent.core.outside_text import brief


@dataclass(frozen=True)
class SkeletonLayout:
    """Joints and bones of a skeleton.

    Args:
        name: Name of the layout.
        joints: Joint names, in index order.
        bones: ``(child, parent)`` pairs; a joint that is no child is a root.
        center: Joint on which clips are centred.
        given_pairs: Pairs of ``(left, right)`` joints, where names do not say them; None derives
            them from the names.

    Raises:
        ValueError: If names repeat, an index is out of range, a joint has two parents, the bones
            run in a circle or a joint is in two pairs.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    center: int = 0
    given_pairs: tuple[tuple[int, int], ...] | None = None

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
        paired = [joint for pair in self.given_pairs or () for joint in pair]
        if len(set(paired)) != len(paired) or not set(paired) <= set(range(v)):
            raise ValueError(f"pairs must be of different joints of 0..{v - 1}, each in one pair")

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
        """Pairs of ``(left, right)`` joints, as given or derived from the names."""
        if self.given_pairs is not None:
            return self.given_pairs
        sided = {name: joint for joint, name in enumerate(sides_and_rests(self.joints))}
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
        for joint, (side, rest) in enumerate(sides_and_rests(self.joints)):
            members[limb_of(side, rest)].append(joint)
        return {limb: tuple(joints) for limb, joints in members.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain values."""
        value: dict[str, Any] = {
            "name": self.name,
            "joints": list(self.joints),
            "bones": [list(bone) for bone in self.bones],
            "center": self.center,
        }
        if self.given_pairs is not None:
            value["pairs"] = [list(pair) for pair in self.given_pairs]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SkeletonLayout:
        """Return the layout of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field is of another kind.
            ValueError: If it describes no skeleton.
        """
        pairs = value.get("pairs")
        return cls(
            name=str(value["name"]),
            joints=tuple(map(str, value["joints"])),
            bones=tuple((joint_index(child), joint_index(up)) for child, up in value["bones"]),
            center=joint_index(value["center"]),
            given_pairs=None
            if pairs is None
            else tuple((joint_index(left), joint_index(right)) for left, right in pairs),
        )

    def label(self, joint: int) -> str:
        """Return the 1-based label of a joint in the agents' dialogues, such as ``8-left hand``."""
        return f"{joint + 1}-{self.display_name(joint)}"

    def display_name(self, joint: int) -> str:
        """Return a joint's name in words, as in a sentence."""
        return self._display_names[joint]

    @cached_property
    def _display_names(self) -> tuple[str, ...]:
        return tuple(re.sub(r"[_\s]+", " ", name).strip().lower() for name in self.joints)


def joint_index(value: object) -> int:
    """Return the position of a joint, as a file says it.

    Raises:
        TypeError: If it is no whole number.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"joints are counted 0, 1, 2 and so on, got {brief(value)}")
    return value
