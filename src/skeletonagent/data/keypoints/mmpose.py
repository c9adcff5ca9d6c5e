"""MMPose's predictions: JSON of a video, or of one image.

A video is ``{"meta_info": {...}, "instance_info": [{"frame_id", "instances": [{"keypoints",
"keypoint_scores"}]}]}`` or that list alone, an image a list of instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, H36M_17, HALPE_26, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.frame_files import frame_recordings, is_frame_folder
from skeletonagent.data.keypoints.json_points import nested_points, scores, seen_body, track_name
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_LAYOUTS = {"coco": COCO_17, "halpe26": HALPE_26, "body8-halpe26": HALPE_26, "h36m": H36M_17}


def _matches(source: KeypointSource) -> bool:
    if source.is_folder:
        return is_frame_folder(source, ".json", lambda file: _is_image(file.json))
    frames = _frames(source.json)
    return bool(frames) or _is_image(source.json)


def _frames(value: Any) -> list[Any] | None:
    """Return the frames of a video; None if it is none."""
    frames = value.get("instance_info") if isinstance(value, Mapping) else value
    if not isinstance(frames, list) or not frames:
        return None
    first = frames[0]
    is_frame = isinstance(first, Mapping) and isinstance(first.get("instances"), list)
    return frames if is_frame else None


def _is_image(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, Mapping) and {"keypoints", "keypoint_scores"} <= first.keys()


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return the recording of a video, or those of a folder of images."""
    frames = None if source.is_folder else _frames(source.json)
    if frames is None:
        return [_named(r, {}) for r in frame_recordings(source, ".json", _image)]
    meta = source.json.get("meta_info") if isinstance(source.json, Mapping) else None
    numbers = [_number(frame, place, source) for place, frame in enumerate(frames)]
    if len(set(numbers)) != len(numbers):
        raise DataError("has the same frame_id twice", path=source.path)
    places = frame_places(numbers, source.path)
    seen: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
    for frame, place in zip(frames, places, strict=True):
        seen[place] = _instances(frame["instances"], source)
    recording = recording_of_bodies(source.name, seen, source.path)
    return [_named(recording, meta if isinstance(meta, Mapping) else {})]


def _number(frame: Any, place: int, source: KeypointSource) -> int:
    if not isinstance(frame, Mapping) or not isinstance(frame.get("instances"), list):
        raise DataError(f"frame {place} has no instances", path=source.path)
    number = frame.get("frame_id", place)
    return number if isinstance(number, int) else place


def _image(file: KeypointSource) -> list[SeenBody]:
    if not isinstance(file.json, list):
        raise DataError("is no list of instances as MMPose writes it", path=file.path)
    return _instances(file.json, file)


def _instances(instances: list[Any], source: KeypointSource) -> list[SeenBody]:
    bodies = []
    for instance in instances:
        if not isinstance(instance, Mapping) or "keypoints" not in instance:
            raise DataError("has an instance without keypoints", path=source.path)
        points = nested_points(instance["keypoints"], source.path)
        confidence = scores(instance.get("keypoint_scores"), len(points), source.path)
        bodies.append(seen_body(points, confidence, track_name(instance.get("track_id"))))
    return bodies


def _named(recording: KeypointRecording, meta: Mapping[str, Any]) -> KeypointRecording:
    """Return a recording with the names of the joints, or the layout of the data set."""
    names = meta.get("keypoint_id2name")
    if isinstance(names, Mapping) and len(names) == recording.num_joints:
        by_number = {int(key): clean_text(name) for key, name in names.items() if _whole(key)}
        if sorted(by_number) == list(range(recording.num_joints)):
            listed = tuple(by_number[joint] for joint in range(recording.num_joints))
            return replace(recording, joint_names=listed)
    layout: SkeletonLayout | None = _LAYOUTS.get(str(meta.get("dataset_name", "")).lower())
    fits = layout is not None and layout.num_joints == recording.num_joints
    return replace(recording, layout=layout if fits else None)


def _whole(key: Any) -> bool:
    return str(key).isdecimal()


MMPOSE = KeypointFormat(
    name="mmpose",
    title="MMPose's predictions: JSON of a video, or of each image",
    matches=_matches,
    read=_read,
    frame_suffix=".json",
)
"""Predictions of MMPose."""
