"""OpenPose: JSON files of a frame each, in 2D or 3D, or a folder of them.

A file is ``{"people": [{"person_id": [-1], "pose_keypoints_2d": [x, y, score, ...]}]}``; a
``person_id`` of -1 says that persons were not tracked. Source: OpenPose's documentation of its
output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import BODY_25, OPENPOSE_15, OPENPOSE_18
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody
from skeletonagent.data.keypoints.frame_files import frame_recordings, is_frame_folder
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource

_LAYOUTS_BY_JOINTS = {layout.num_joints: layout for layout in (BODY_25, OPENPOSE_18, OPENPOSE_15)}
_OLD_NAME = "pose_keypoints"
_OTHER_PARTS = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")


def _is_openpose(value: Any) -> bool:
    people = value.get("people") if isinstance(value, Mapping) else None
    return isinstance(people, list) and all(
        isinstance(person, Mapping) and any(str(key).startswith(_OLD_NAME) for key in person)
        for person in people
    )


def _matches(source: KeypointSource) -> bool:
    if source.is_folder:
        return is_frame_folder(source, ".json", lambda file: _is_openpose(file.json))
    return source.is_json and _is_openpose(source.json)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each name of numbered files, or that of a single file."""
    recordings = frame_recordings(source, ".json", _bodies)
    return [_with_layout(recording) for recording in recordings]


def _with_layout(recording: KeypointRecording) -> KeypointRecording:
    return replace(recording, layout=_LAYOUTS_BY_JOINTS.get(recording.num_joints))


def _bodies(file: KeypointSource) -> list[SeenBody]:
    if not _is_openpose(file.json):
        raise DataError("is no JSON file of OpenPose", path=file.path)
    return [_body(person, file.path) for person in file.json["people"]]


def _body(person: Mapping[str, Any], path: Path) -> SeenBody:
    flat, channels = person.get("pose_keypoints_3d"), 4
    if not flat:
        flat, channels = person.get("pose_keypoints_2d", person.get(_OLD_NAME)), 3
    try:
        points = np.asarray(flat, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"holds keypoints that are no numbers: {error}", path=path) from error
    if points.ndim != 1 or not len(points) or len(points) % channels:
        raise DataError(
            f"holds {points.size} numbers as keypoints of a person, no multiple of {channels}",
            path=path,
        )
    if any(person.get(part) for part in _OTHER_PARTS):
        remark(path.parent, "OpenPose's keypoints of hands and faces are left out")
    points = points.reshape(-1, channels)
    joints, confidence = points[:, :-1].copy(), points[:, -1]
    joints[confidence == 0] = np.nan
    return SeenBody(joints, confidence, _person_name(person.get("person_id")))


def _person_name(value: Any) -> str | None:
    """Return the number of a tracked person; -1 says that there was no tracking."""
    number = value[0] if isinstance(value, list) and value else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        return None
    return str(number)


OPENPOSE = KeypointFormat(
    name="openpose",
    title="OpenPose JSON: a file for each frame, and folders of them",
    matches=_matches,
    read=_read,
    frame_suffix=".json",
)
"""JSON of OpenPose."""
