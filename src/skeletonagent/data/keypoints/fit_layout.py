"""Layout of a recording: one that names of its joints tell, or one that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skeletonagent.core.errors import DataError
from skeletonagent.core.joint_names import canonical_name
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.remarks import remark


def known_layout(recording: KeypointRecording) -> KeypointRecording:
    """Return a recording with the known layout that has exactly its joints, in its order.

    A recording that has a layout already, or joints of no known layout, stays as it is.
    """
    if recording.layout is not None or recording.joint_names is None:
        return recording
    names = frozenset(map(canonical_name, recording.joint_names))
    for layout in LAYOUTS.values():
        if names == frozenset(map(canonical_name, layout.joints)):
            order = joint_order(recording.joint_names, layout)
            if order is not None and len(order) == recording.num_joints:
                return _reordered(recording, order, layout)
    return recording


def fit_layout(recording: KeypointRecording, layout: SkeletonLayout) -> KeypointRecording:
    """Return a recording whose joints are those of a layout.

    Where all joints of the layout have their name in the recording, they are taken by name, and
    further ones are left out with a warning. Otherwise they are taken in their order.

    Raises:
        DataError: If it has another number of joints, and not all those of the layout by name.
    """
    names = recording.joint_names or (recording.layout.joints if recording.layout else None)
    order = None if names is None else joint_order(names, layout)
    if order is not None and names is not None:
        extra = [name for n, name in enumerate(names) if n not in set(order)]
        if extra:
            remark(
                _where(recording),
                f"joints that {layout.name} does not have are left out: {', '.join(extra)[:200]}",
            )
        return _reordered(recording, order, layout)
    if recording.num_joints != layout.num_joints:
        missing = _missing(names, layout)
        raise DataError(
            f"has {recording.num_joints} joints, and {layout.name} has {layout.num_joints}"
            f"{f'; not named: {missing}' if missing else ''}",
            path=recording.source,
            sample=recording.name,
        )
    if names is not None:
        remark(
            _where(recording),
            f"joints are taken for those of {layout.name} by their order, "
            f"since names differ, such as {_missing(names, layout)}",
        )
    return replace(recording, layout=layout)


def joint_order(names: Sequence[str], layout: SkeletonLayout) -> list[int] | None:
    """Return the place of each of a layout's joints among names; None if not all are there once.

    Spelling does not count: ``LeftWrist`` is ``left wrist``.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(canonical_name(name), []).append(place)
    order = [places.get(canonical_name(joint), []) for joint in layout.joints]
    return [found[0] for found in order] if all(len(found) == 1 for found in order) else None


def _missing(names: Sequence[str] | None, layout: SkeletonLayout) -> str:
    known = set(map(canonical_name, names or ()))
    return ", ".join(j for j in layout.joints if names and canonical_name(j) not in known)[:120]


def _reordered(
    recording: KeypointRecording, order: list[int], layout: SkeletonLayout
) -> KeypointRecording:
    names, confidence = recording.joint_names, recording.confidence
    return replace(
        recording,
        layout=layout,
        joints=recording.joints[:, :, order],
        confidence=None if confidence is None else confidence[:, :, order],
        joint_names=None if names is None else tuple(names[place] for place in order),
    )


def _where(recording: KeypointRecording) -> str:
    return f"{recording.source}: {recording.name}"
