"""Layout that the joints of recordings are taken for, with the reason for it.

A layout is taken by what is given, by the format, or by the names of joints. Without names, a
known layout is taken only if the data confirm it, never by the number of joints alone; otherwise
bones are derived from the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.joint_names import canonical_name
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.bone_check import BoneCheck, check_bones, choose_layout
from skeletonagent.data.importing.derived_bones import derive_skeleton

_MIDDLES = (
    "hips", "hip", "hipcenter", "midhip", "middleofhips", "pelvis", "root", "baseofspine",
    "spine", "torso", "belly", "chest", "spinebase", "thorax", "neck", "middleofshoulders",
)  # fmt: skip
"""Names of joints in the middle of a body, the best to centre clips on first."""


class MappingSource(StrEnum):
    """What the layout of recordings rests on."""

    GIVEN = "given"
    FORMAT = "format"
    NAMES = "names"
    DATA = "data"
    DERIVED = "derived"


@dataclass(frozen=True)
class JointMapping:
    """Layout that the joints of recordings are taken for.

    Args:
        layout: The layout; its joints are in the order of the recordings'.
        source: What it rests on.
        reason: Why it was taken, in words.
        check: Check of the layout against the data; None if too little is seen.
    """

    layout: SkeletonLayout
    source: MappingSource
    reason: str
    check: BoneCheck | None = None

    @property
    def names_no_sides(self) -> bool:
        """Whether nothing says which joints are on the left and which on the right."""
        return not self.layout.pairs

    @property
    def problems(self) -> tuple[str, ...]:
        """What in the data contradicts the layout, in words."""
        return self.check.problems if self.check else ()


def map_joints(
    recordings: Sequence[KeypointRecording],
    given: str | None = None,
    *,
    name: str = "derived",
    accept: bool = False,
) -> JointMapping:
    """Return the layout that the joints of recordings are taken for.

    Args:
        recordings: Recordings of the same joints, with their layout where one is given, the format
            fixes it or names of joints tell it.
        given: Option by which the layout was given; None if it was not.
        name: Name of a layout that is derived.
        accept: Whether a given layout is taken even where it contradicts the data.

    Raises:
        DataError: If recordings have different joints, or a given layout contradicts the data.
    """
    first = require_same_joints(recordings)
    if first.layout is not None:
        mapping = _known_mapping(first, first.layout, given)
    elif first.joint_names is not None:
        mapping = _named_mapping(recordings, first.joint_names, name)
    else:
        mapping = _nameless_mapping(recordings, name)
    mapping = replace(mapping, check=check_bones([r.joints for r in recordings], mapping.layout))
    if mapping.problems and mapping.source is MappingSource.GIVEN and not accept:
        raise DataError(
            f"the data contradict the layout of {given}: {mapping.problems[0]}; its joints may be "
            "in another order. Leave it out to have bones found, or take it all the same by "
            "--accept-layout",
            path=first.source,
        )
    return mapping


def require_same_joints(recordings: Sequence[KeypointRecording]) -> KeypointRecording:
    """Return the first of recordings, which all have the same joints and coordinates.

    Raises:
        DataError: If they have not, naming the first that differs.
    """
    first = recordings[0]
    for other in recordings[1:]:
        for what, one, two in (
            ("joints", first.num_joints, other.num_joints),
            ("coordinates", first.coordinates, other.coordinates),
            ("joints", first.joint_names, other.joint_names),
            ("layout", first.layout, other.layout),
        ):
            if one != two:
                raise DataError(
                    f"has the {what} {_shown(two)}, and {first.name!r} {_shown(one)}; import them "
                    "separately",
                    path=other.source,
                    sample=other.name,
                )
    return first


def _shown(value: object) -> str:
    if isinstance(value, SkeletonLayout):
        return value.name
    return ", ".join(map(str, value))[:80] if isinstance(value, tuple) else str(value)


def _known_mapping(
    first: KeypointRecording, layout: SkeletonLayout, given: str | None
) -> JointMapping:
    if given is not None:
        return JointMapping(layout, MappingSource.GIVEN, given)
    names = first.joint_names
    if names is None or list(names) == list(layout.joints):
        return JointMapping(layout, MappingSource.FORMAT, f"the files are of {layout.name}")
    spelled = f"such as {names[0]!r}"
    reason = f"joints have the names of {layout.name}, {spelled}"
    return JointMapping(layout, MappingSource.NAMES, reason)


def _named_mapping(
    recordings: Sequence[KeypointRecording], names: tuple[str, ...], name: str
) -> JointMapping:
    """Return the mapping by names: to a part of a known layout, or else to bones by the data."""
    for known in sorted(LAYOUTS.values(), key=lambda layout: layout.num_joints):
        part = _part_of(known, names, name)
        if part is not None:
            reason = f"names of {known.name}, without {known.num_joints - len(names)} of its joints"
            return JointMapping(part, MappingSource.NAMES, reason)
    layout = _derived(recordings, name, names)
    reason = "no known layout has these names; bones join joints that keep their distance"
    return JointMapping(layout, MappingSource.DERIVED, reason)


def _part_of(known: SkeletonLayout, names: tuple[str, ...], name: str) -> SkeletonLayout | None:
    """Return the part of a known layout with some names; None if it lacks one of them.

    A bone leads to the nearest joint on the way to the root that is left.
    """
    kinds = [canonical_name(joint) for joint in known.joints]
    wanted = [canonical_name(joint) for joint in names]
    if not set(wanted) <= set(kinds) or len(set(wanted)) < len(names):
        return None
    place = {kinds.index(kind): n for n, kind in enumerate(wanted)}
    bones = []
    for joint, n in place.items():
        parent = joint
        while parent not in known.roots:
            parent = known.parents[parent]
            if parent in place:
                bones.append((n, place[parent]))
                break
    part = SkeletonLayout(name, names, tuple(bones))
    return replace(part, center=_middle(part, place.get(known.center)))


def _derived(
    recordings: Sequence[KeypointRecording], name: str, names: tuple[str, ...] | None
) -> SkeletonLayout:
    layout = derive_skeleton([recording.joints for recording in recordings], name, names)
    return replace(layout, center=_middle(layout, layout.center))


def _middle(layout: SkeletonLayout, otherwise: int | None) -> int:
    """Return the joint to centre clips on: one with the name of a middle, or another."""
    kinds = [canonical_name(joint) for joint in layout.joints]
    named = next((kinds.index(kind) for kind in _MIDDLES if kind in kinds), None)
    if named is not None or otherwise is not None:
        return otherwise if named is None and otherwise is not None else (named or 0)
    ends = [joint for bone in layout.bones for joint in bone]
    return int(np.bincount(ends).argmax()) if ends else 0


def _nameless_mapping(recordings: Sequence[KeypointRecording], name: str) -> JointMapping:
    """Return the mapping to a known layout that the data confirm, or else to derived bones."""
    v = recordings[0].num_joints
    candidates = [known for known in LAYOUTS.values() if known.num_joints == v]
    layout, why = choose_layout([recording.joints for recording in recordings], candidates)
    if layout is not None:
        reason = f"{v} joints without names, and the data fit {layout.name}: {why}"
        return JointMapping(layout, MappingSource.DATA, reason)
    derived = _derived(recordings, name, None)
    reason = f"joints have no names; bones join joints that keep their distance ({why})"
    return JointMapping(derived, MappingSource.DERIVED, reason)
