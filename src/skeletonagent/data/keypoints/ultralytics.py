"""Ultralytics' poses: text files of a frame each (``save_txt``), and results as JSON.

A line of text is class, box (4 numbers), then x, y and confidence of each joint as shares of the
image, and at will the box's confidence and the number of the track. Frames in which nobody was
found have no file. JSON is a list of persons with ``keypoints: {x, y, visible}``, or such a list
for each frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, recording_of_bodies
from skeletonagent.data.keypoints.frame_files import frame_recordings, is_frame_folder
from skeletonagent.data.keypoints.json_points import scores, seen_body, track_name
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource
from skeletonagent.data.keypoints.text_table import is_number

_BOX = 5
"""Numbers before the keypoints: the class and the box."""
_USUAL = COCO_17.num_joints


def _matches_text(source: KeypointSource) -> bool:
    if source.is_folder:
        return is_frame_folder(source, ".txt", _is_label_file)
    return source.suffix == ".txt" and _is_label_file(source)


def _is_label_file(source: KeypointSource) -> bool:
    """Return whether each line is a class, a box within the image and pairs or triples."""
    if not source.is_text:
        return False
    lines = [line.split() for line in source.text.splitlines() if line.strip()]
    if not lines or any(len(line) <= _BOX + 3 for line in lines):
        return False
    if not all(is_number(cell) for line in lines for cell in line):
        return False
    return all(
        line[0].isdecimal() and all(0 <= float(cell) <= 1 for cell in line[1:_BOX])
        for line in lines
    )


def _read_text(source: KeypointSource) -> list[KeypointRecording]:
    remark(
        source.path,
        "coordinates are shares of the image's width and height, whose ratio is "
        "not known; bodies are stretched where images are no squares",
    )
    recordings = frame_recordings(source, ".txt", _lines, first=1)
    return [_with_layout(recording) for recording in recordings]


def _lines(file: KeypointSource) -> list[SeenBody]:
    rows = [line.split() for line in file.text.splitlines() if line.strip()]
    if len({len(row) for row in rows}) > 1 or not _is_label_file(file):
        raise DataError("is no file of labels with keypoints", path=file.path)
    numbers = np.array(rows, dtype=np.float64)
    joints, channels, extra = _shape(numbers, file)
    bodies = []
    for row in numbers:
        points = row[_BOX : _BOX + joints * channels].reshape(joints, channels)
        track = row[-1] if extra and row[-1] == int(row[-1]) and row[-1] >= 1 else None
        confidence = points[:, 2] if channels == 3 else None
        bodies.append(seen_body(points[:, :2], confidence, track_name(track)))
    return bodies


def _shape(numbers: Float[np.ndarray, "n k"], file: KeypointSource) -> tuple[int, int, int]:
    """Return the number of joints, of channels and of further columns behind them."""
    rest = numbers.shape[1] - _BOX
    candidates = [
        ((rest - extra) // channels, channels, extra)
        for channels in (3, 2)
        for extra in (0, 1, 2)
        if (rest - extra) % channels == 0
    ]
    wanted = file.num_joints or _USUAL
    fitting = [each for each in candidates if each[0] == wanted]
    if len(fitting) == 1:
        return fitting[0]
    whole = [each for each in candidates if not each[2]]
    if len(whole) == 1 and len(candidates) == 1:
        return whole[0]
    listed = ", ".join(f"{joints} joints with {channels} numbers" for joints, channels, _ in whole)
    raise DataError(
        f"has {rest} numbers behind the box, which leaves the number of joints open "
        f"({listed or 'no whole number'}); give the layout",
        path=file.path,
    )


def _with_layout(recording: KeypointRecording) -> KeypointRecording:
    """Return a recording with the layout of the pose models, which are trained on COCO."""
    return replace(recording, layout=COCO_17 if recording.num_joints == _USUAL else None)


def _matches_json(source: KeypointSource) -> bool:
    if source.is_folder:
        return is_frame_folder(source, ".json", lambda file: _is_persons(file.json))
    return _frames(source.json) is not None


def _is_persons(value: Any) -> bool:
    """Return whether a value lists persons as the results of an image do."""
    if not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
        return False
    keypoints = value[0].get("keypoints")
    return isinstance(keypoints, Mapping) and {"x", "y"} <= keypoints.keys()


def _frames(value: Any) -> Sequence[Any] | None:
    if _is_persons(value):
        return [value]
    if isinstance(value, list) and all(isinstance(frame, list) for frame in value):
        return value if any(_is_persons(frame) for frame in value) else None
    return None


def _read_json(source: KeypointSource) -> list[KeypointRecording]:
    if source.is_folder:
        recordings = frame_recordings(source, ".json", lambda file: _persons(file.json, file))
    else:
        frames = [_persons(frame, source) for frame in _frames(source.json) or ()]
        recordings = [recording_of_bodies(source.name, frames, source.path)]
    return [_with_layout(recording) for recording in recordings]


def _persons(value: Any, source: KeypointSource) -> list[SeenBody]:
    if value and not _is_persons(value):
        raise DataError("has a frame that lists no persons", path=source.path)
    bodies = []
    for person in value:
        keypoints = person.get("keypoints") if isinstance(person, Mapping) else None
        if not isinstance(keypoints, Mapping):
            raise DataError("has a person without keypoints", path=source.path)
        try:
            joints = np.array([keypoints["x"], keypoints["y"]], dtype=np.float64).T
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"has keypoints without x and y: {error}", path=source.path) from error
        visible = scores(keypoints.get("visible"), len(joints), source.path)
        bodies.append(seen_body(joints, visible, track_name(person.get("track_id"))))
    return bodies


ULTRALYTICS_TEXT = KeypointFormat(
    name="ultralytics-txt",
    title="Ultralytics' text files of a frame each (save_txt)",
    matches=_matches_text,
    read=_read_text,
    frame_suffix=".txt",
)
"""Labels that Ultralytics saves as text."""

ULTRALYTICS_JSON = KeypointFormat(
    name="ultralytics-json",
    title="Ultralytics' results as JSON",
    matches=_matches_json,
    read=_read_json,
    frame_suffix=".json",
)
"""Results of Ultralytics as JSON."""
