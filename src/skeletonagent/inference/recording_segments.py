"""Segments of whole recordings: all frames through a stream, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from skeletonagent.core.input_format import InputFormat
from skeletonagent.data.joined_persons import join_persons
from skeletonagent.inference.bodies_in_frame import LEAST_JOINTS
from skeletonagent.inference.recording_input import (
    InputRecording,
    RecordingSource,
    read_recordings,
)
from skeletonagent.inference.samples import ImageSize
from skeletonagent.inference.segment_settings import ASSUMED_FPS
from skeletonagent.inference.segment_stream import SegmentEvent, SegmentStream, StreamTask
from skeletonagent.inference.segments import ActionSegment, PersonSpans, RecordingPrediction
from skeletonagent.inference.spans import FrameSpan

CLIPS_AT_ONCE = 64
"""Clips of a recording that are classified together."""


def prepare_recordings(
    source: RecordingSource,
    input_format: InputFormat,
    usual_fps: float | None,
    *,
    fps: float | None = None,
    image_size: ImageSize | None = None,
) -> list[InputRecording]:
    """Return the recordings of a source, each person of which is one body with a name of its own.

    Args:
        source: A recording, an array, or the path of a file or folder.
        input_format: Joints and channels of the recognizer.
        usual_fps: Frames a second of the training clips, which are taken where none are known.
        fps: Frames a second, if recordings do not say them.
        image_size: Width and height of the image in pixels, if recordings lack them.

    Raises:
        DataError: If the source cannot be read or lacks joints.
    """
    recordings = read_recordings(
        source, input_format, fps=fps, image_size=image_size, usual_fps=usual_fps
    )
    return [
        with_joined_persons(without_persons_twice(recording), input_format.coordinates)
        for recording in recordings
    ]


def segment_recording(
    recording: InputRecording,
    task: StreamTask,
    engine: Mapping[str, Any],
    remarks: Sequence[str] = (),
    clips_at_once: int = CLIPS_AT_ONCE,
) -> RecordingPrediction:
    """Return the actions in a recording.

    Args:
        recording: The recording, with the joints and channels of the recognizer.
        task: What is recognized, and how.
        engine: What is to be said about the recognizer.
        remarks: What had to be assumed before, in words.
        clips_at_once: Clips that are classified together.
    """
    stream = SegmentStream(task, previews=False, clips_at_once=clips_at_once)
    # As many frames as numbers: of a body that is left out of a frame, no joint is taken.
    seen = recording.seen(task.input_format.coordinates, LEAST_JOINTS)
    events = []
    for frame in range(recording.num_frames):
        bodies = {
            person: recording.joints[place, frame]
            for place, person in enumerate(recording.persons)
            if seen[place, frame]
        }
        events += stream.push(bodies)
    events += stream.finish()
    segments = [event.segment for event in events if isinstance(event, SegmentEvent)]
    segments.sort(key=lambda segment: (segment.start, segment.end, segment.person))
    words = [
        *remarks,
        *recording.warnings,
        *stream.warnings,
        *_words(recording, seen, segments, task),
    ]
    return RecordingPrediction(
        name=recording.name,
        source=None if recording.source is None else str(recording.source),
        fps=recording.fps,
        frames=recording.num_frames,
        layout=task.input_format.layout.name,
        engine={**engine, **task.settings.to_json()},
        segments=tuple(segments),
        persons=person_spans(recording, seen),
        warnings=tuple(dict.fromkeys(words)),
    )


def person_spans(
    recording: InputRecording, seen: Bool[np.ndarray, "m t"]
) -> tuple[PersonSpans, ...]:
    """Return the persons of a recording that are seen, and when.

    Args:
        recording: The recording.
        seen: Whether each body counts as seen in each frame.
    """
    return tuple(
        PersonSpans(person, int(row.sum()), runs_of(row))
        for person, row in zip(recording.persons, seen, strict=True)
        if row.any()
    )


def runs_of(flags: Bool[np.ndarray, " t"]) -> tuple[FrameSpan, ...]:
    """Return the stretches of frames that have a flag."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return tuple((int(start), int(end)) for start, end in edges.reshape(-1, 2))


def _words(
    recording: InputRecording,
    seen: Bool[np.ndarray, "m t"],
    segments: Sequence[ActionSegment],
    task: StreamTask,
) -> list[str]:
    """Return what should be said about a result."""
    words = []
    settings = task.settings
    if recording.fps is None and recording.num_frames > 1:
        words.append(
            f"frames a second are unknown, {ASSUMED_FPS:g} are assumed for the length of pauses; "
            "say them with fps (--fps)"
        )
    if not seen.any():
        words.append("nobody is seen in it")
        return words
    if recording.num_frames == 1:
        words.append("it has one frame, in which no movement can be seen")
    persons = int(seen.any(axis=1).sum())
    if not settings.singles.any() and persons < 2:
        words.append("all classes are of two persons, and one is seen in it")
    acting = {person for segment in segments for person in segment.person.split("+")}
    idle = [
        person
        for person, row in zip(recording.persons, seen, strict=True)
        if row.any() and person not in acting
    ]
    if idle and recording.num_frames > 1:
        shown = ", ".join(idle[:10])
        words.append(
            f"no action of person {shown}: not long enough in view, or no movement faster than a "
            "pause"
            if settings.uses_stillness
            else f"no action of person {shown}"
        )
    return words


def without_persons_twice(recording: InputRecording) -> InputRecording:
    """Return a recording in which no two bodies have one name, by numbering those that do."""
    if len(set(recording.persons)) == len(recording.persons):
        return recording
    numbered = tuple(f"{name}#{place}" for place, name in enumerate(recording.persons, start=1))
    return replace(
        recording,
        persons=numbered,
        warnings=(*recording.warnings, "persons have the same name; they are numbered"),
    )


def with_joined_persons(recording: InputRecording, coordinates: int) -> InputRecording:
    """Return a recording in which persons whom a tracker numbered anew are one body each.

    Args:
        recording: The recording, no two bodies of which have one name.
        coordinates: Number of leading channels that are coordinates.
    """
    joined = join_persons(recording.joints[..., :coordinates])
    if joined is None:
        return recording
    return replace(
        recording,
        joints=joined.rows(recording.joints),
        persons=joined.names(recording.persons),
        warnings=(*recording.warnings, joined.remark(recording.persons)),
    )
