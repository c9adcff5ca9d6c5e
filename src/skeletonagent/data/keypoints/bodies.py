"""Bodies seen in single frames, and the recording that they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.tracking import track_bodies

_MOST_NUMBERS = 20
"""Number of frames for each frame that is there, above which numbers do not count frames."""


_FEWEST_STEPS = 10
"""Number of steps between frames from which a common step is no coincidence."""


@dataclass(frozen=True)
class SeenBody:
    """Body in one frame.

    Args:
        joints: Coordinates; NaN where a joint was not seen.
        confidence: Confidence of each keypoint from 0 to 1, if the source has it.
        person: Name of the person, if the source tracks persons.
    """

    joints: Float[np.ndarray, "v c"]
    confidence: Float[np.ndarray, " v"] | None = None
    person: str | None = None


class NobodySeenError(DataError):
    """Recording in whose frames nobody is, so that its number of joints is unknown.

    Args:
        frames: Number of frames.
        path: File or folder that it comes from.
        sample: Name of the recording.
    """

    def __init__(self, frames: int, path: Path | None, sample: str) -> None:
        super().__init__(f"nobody is seen in any of its {frames} frames", path=path, sample=sample)
        self.frames, self.recording = frames, sample


def recordings_of_nobody(
    empty: Sequence[NobodySeenError], others: Sequence[KeypointRecording]
) -> list[KeypointRecording]:
    """Return recordings without anybody, with the joints of the others beside them.

    Args:
        empty: Recordings in which nobody is seen.
        others: Recordings of the same source; all must have the same joints, else the recordings
            are left out with a warning.
    """
    kinds = {(other.num_joints, other.coordinates, other.layout) for other in others}
    if not empty or len(kinds) != 1:
        for error in empty:
            remark(error.path, f"nobody is seen in any frame of {error.sample}; it is left out")
        return []
    (joints, coordinates, layout) = kinds.pop()
    return [
        KeypointRecording(
            name=error.sample or "recording",
            joints=np.full((1, error.frames, joints, coordinates), np.nan, dtype=np.float32),
            joint_names=others[0].joint_names,
            layout=layout,
            source=error.path,
        )
        for error in empty
    ]


def recording_of_bodies(
    name: str, frames: Sequence[Sequence[SeenBody]], source: Path, **fields: Any
) -> KeypointRecording:
    """Return the recording of bodies that were seen frame by frame.

    Persons are those of the source where it names each of them once a frame; otherwise bodies are
    tracked from frame to frame.

    Args:
        name: Name of the recording.
        frames: Bodies of each frame.
        source: File or folder that they come from.
        fields: Further fields of the recording.

    Raises:
        DataError: If nobody is in any frame, or bodies have different numbers of joints.
    """
    bodies = [body for frame in frames for body in frame]
    if not bodies:
        raise NobodySeenError(len(frames), source, name)
    shapes = sorted({body.joints.shape for body in bodies})
    if len(shapes) > 1:
        raise DataError(
            f"holds bodies of different shapes, (joints, coordinates) {shapes}; separate them",
            path=source,
            sample=name,
        )
    persons, rows = _persons(frames, f"{source}: {name}")
    joints = np.full((len(persons), len(frames), *shapes[0]), np.nan, dtype=np.float32)
    scored = all(body.confidence is not None for body in bodies)
    confidence = np.zeros(joints.shape[:3], dtype=np.float32) if scored else None
    for t, (frame, places) in enumerate(zip(frames, rows, strict=True)):
        for body, m in zip(frame, places, strict=True):
            joints[m, t] = body.joints
            if confidence is not None and body.confidence is not None:
                confidence[m, t] = np.clip(np.nan_to_num(body.confidence), 0, 1)
    return KeypointRecording(
        name=name,
        joints=joints,
        confidence=confidence,
        person_ids=tuple(persons),
        source=source,
        **fields,
    )


def _persons(frames: Sequence[Sequence[SeenBody]], where: str) -> tuple[list[str], list[list[int]]]:
    """Return the names of the persons, and which of them each body of each frame is."""
    names = [[body.person for body in frame] for frame in frames]
    is_named = all(name is not None for frame in names for name in frame)
    if is_named and all(len(set(frame)) == len(frame) for frame in names):
        persons = list(dict.fromkeys(str(name) for frame in names for name in frame))
        place = {person: m for m, person in enumerate(persons)}
        return persons, [[place[str(name)] for name in frame] for frame in names]
    if any(name is not None for frame in names for name in frame):
        remark(where, "persons have no number in some frames, or share it; they are tracked anew")
    rows = track_bodies([[body.joints for body in frame] for frame in frames])
    count = 1 + max(row for frame in rows for row in frame)
    return [str(number) for number in range(count)], rows


def frame_places(numbers: Sequence[int], where: object, first: int | None = None) -> list[int]:
    """Return the place of each frame on a time axis, from the frames' numbers.

    Numbers that are missing are frames in which nobody was seen; where all numbers are multiples
    of a step, only every so many frames were looked at.

    Args:
        numbers: Numbers of the frames, different from each other.
        where: File or folder that a warning names.
        first: Number of a video's first frame, for formats that leave out frames of nobody: the
            time axis begins there, unless that is farther away than the recording is long.
    """
    ordered = sorted(numbers)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    step = gcd(*gaps) if len(gaps) >= _FEWEST_STEPS else 1
    if gaps and (ordered[-1] - ordered[0]) // step > _MOST_NUMBERS * len(numbers):
        remark(
            where,
            "the frames' numbers leave out most of the frames; they are taken one after "
            "another, without gaps",
        )
        rank = {number: place for place, number in enumerate(ordered)}
        return [rank[number] for number in numbers]
    start = ordered[0]
    if first is not None and start > first:
        if start - first <= ordered[-1] - start + 1:
            start = first
        else:
            remark(where, f"begins with frame {start}; the frames before it are left out")
    return [(number - start) // step for number in numbers]
