"""Folders in which each file is a frame: recordings of the files that differ in a number only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.source import KeypointSource, numbered_files

FrameReader = Callable[[KeypointSource], list[SeenBody]]
"""Reader of the bodies in the file of a frame."""


def is_frame_folder(
    folder: KeypointSource, suffix: str, is_frame: Callable[[KeypointSource], bool]
) -> bool:
    """Return whether the first files of a folder with a suffix, and a number, are frames."""
    samples = folder.samples.get(suffix, ())
    return bool(samples) and all(is_frame(file) for file in samples)


def frame_recordings(
    source: KeypointSource,
    suffix: str,
    read_frame: FrameReader,
    first: int | None = None,
    **fields: Any,
) -> list[KeypointRecording]:
    """Return the recordings of a folder of frames, or the one frame of a file.

    Args:
        source: Folder of files that are frames, or such a file.
        suffix: End of the names of the files.
        read_frame: Reader of the bodies in a file.
        first: Number of a video's first frame, where frames of nobody have no file.
        fields: Further fields of each recording.

    Raises:
        DataError: If a file cannot be read, or nobody is in any frame of a recording.
    """
    if not source.is_folder:
        return [recording_of_bodies(source.name, [read_frame(source)], source.path, **fields)]
    files = [file for file in source.files if file.suffix.lower() == suffix]
    groups = numbered_files(files)
    recordings = []
    for prefix, numbered in groups.items():
        name = _folder_name(source) if len(groups) == 1 else prefix
        frames = _frames(numbered, source, read_frame, first)
        recordings.append(recording_of_bodies(name, frames, source.path, **fields))
    return recordings


def _folder_name(source: KeypointSource) -> str:
    """Return the name of a folder; that of the one around it where it only says ``labels``."""
    if source.name.lower() in ("labels", "json", "keypoints", "poses"):
        return KeypointSource(source.path.resolve().parent).name
    return source.name


def _frames(
    numbered: Mapping[int, Path],
    source: KeypointSource,
    read_frame: FrameReader,
    first: int | None,
) -> list[list[SeenBody]]:
    numbers = sorted(numbered)
    places = frame_places(numbers, source.path, first)
    frames: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
    for number, place in zip(numbers, places, strict=True):
        frames[place] = read_frame(KeypointSource(numbered[number], source.num_joints))
    return frames
