"""Data set of imported recordings: persons chosen, gaps filled, absent joints as zeros."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Float32

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.importing.labels import LabelledRecording
from skeletonagent.data.importing.short_gaps import fill_short_gaps, frames_of_limit
from skeletonagent.data.joined_persons import joined_recording

_NUMBER = re.compile(r"\d+")
_ALWAYS = 0.99
"""Share of frames in which a joint at zero is the origin of the coordinates."""


@dataclass(frozen=True)
class ClipOptions:
    """Options of what becomes of the joints of a recording.

    Args:
        persons: Number of bodies that are kept at most, those seen most.
        fill_gaps: Largest length of a gap that is filled, and whether it is in seconds; None to
            fill none.
        least_confidence: Confidence below which a joint counts as not seen.
    """

    persons: int = 2
    fill_gaps: tuple[float, bool] | None = None
    least_confidence: float = 0.0


@dataclass
class ImportCounts:
    """What was done to joints and bodies, over all clips.

    Args:
        filled: Joints that were interpolated.
        unsure: Joints that count as not seen for want of confidence.
        bodies_left_out: Bodies beyond the number of persons that are kept.
        crowded: Clips from which bodies were left out.
        empty: Names of the clips in which nobody is ever seen.
        joined: Names of the clips in which a tracker numbered persons anew.
    """

    filled: int = 0
    unsure: int = 0
    bodies_left_out: int = 0
    crowded: int = 0
    empty: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)


def clip_of_recording(
    recording: KeypointRecording, options: ClipOptions, counts: ImportCounts
) -> KeypointRecording:
    """Return a recording with the persons seen most, short gaps filled; NaN stays absent.

    Persons whom a tracker numbered anew are one body each.

    Args:
        recording: The recording.
        options: What is to be done.
        counts: Counts that are added to.
    """
    joints = recording.joints.astype(np.float32)
    joints[np.isnan(joints).any(axis=-1)] = np.nan
    if options.least_confidence and recording.confidence is not None:
        unsure = ~(recording.confidence >= options.least_confidence) & recording.seen
        joints[unsure] = np.nan
        counts.unsure += int(unsure.sum())
    recording, joined = joined_recording(replace(recording, joints=joints))
    joints = recording.joints
    if joined:
        counts.joined.append(recording.name)
    seen = (~np.isnan(joints[..., 0])).sum(axis=(1, 2))
    order = np.argsort(-seen, kind="stable")
    kept = [body for body in order.tolist() if seen[body]] or [0]
    if len(kept) > options.persons:
        counts.bodies_left_out += len(kept) - options.persons
        counts.crowded += 1
    kept = sorted(kept[: options.persons])
    joints = joints[kept]
    if options.fill_gaps is not None:
        joints, filling = fill_short_gaps(joints, frames_of_limit(options.fill_gaps, recording))
        counts.filled += int(filling.sum())
    if not seen.any():
        counts.empty.append(recording.name)
    scores = recording.confidence
    return replace(recording, joints=joints, confidence=None if scores is None else scores[kept])


def origin_shift(clips: Sequence[KeypointRecording]) -> tuple[int, float] | None:
    """Return the joint that is the origin of the coordinates, and a shift that moves it from zero.

    Where coordinates are relative to a joint, it lies at zero whenever it is seen, which an
    archive would take for absent. None is returned where there is no such joint.

    Args:
        clips: Clips of the same joints.
    """
    at_zero = np.zeros(clips[0].num_joints)
    seen = np.zeros(clips[0].num_joints)
    sizes = []
    for clip in clips:
        at_zero += (clip.joints == 0).all(axis=-1).sum(axis=(0, 1))
        seen += clip.seen.sum(axis=(0, 1))
        if clip.seen.any():
            sizes.append(float(np.nanmax(np.abs(clip.joints))))
    share = at_zero / np.maximum(seen, 1)
    if not share.max() >= _ALWAYS:
        return None
    return int(share.argmax()), float(np.median(sizes)) or 1.0


def archived_joints(
    clip: KeypointRecording, has_confidence: bool, shift: float = 0.0
) -> Float32[np.ndarray, "m t v c"]:
    """Return the joints of a clip as an archive holds them, with zeros where nothing was seen.

    Args:
        clip: The clip.
        has_confidence: Whether the keypoint confidence comes after the coordinates.
        shift: Number that is added to all coordinates.
    """
    seen = clip.seen[..., None]
    joints: Float[np.ndarray, "m t v c"] = np.where(seen, clip.joints + shift, 0)
    if has_confidence:
        scores = clip.seen * 1.0 if clip.confidence is None else np.nan_to_num(clip.confidence)
        joints = np.concatenate([joints, np.clip(scores, 0, 1)[..., None]], axis=-1)
    return joints.astype(np.float32)


def number_subjects(names: Sequence[str]) -> Mapping[str, int]:
    """Return a number for each subject: the one in its name, if all have one of their own.

    Args:
        names: Names of subjects; an empty one has no number.
    """
    unique = sorted({name for name in names if name})
    found = [_NUMBER.findall(name) for name in unique]
    numbers = [int(parts[0]) for parts in found if len(parts) == 1]
    if len(set(numbers)) == len(unique) and max(numbers, default=0) < 2**31:
        return dict(zip(unique, numbers, strict=True))
    return {name: n for n, name in enumerate(unique, start=1)}


def require_own_names(clips: Sequence[LabelledRecording]) -> None:
    """Check that no two clips have the same name.

    Raises:
        DataError: If they have.
    """
    counts = Counter(item.recording.name for item in clips)
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{count} clips would have this name; a segment may be in the table once only",
            sample=name,
        )
