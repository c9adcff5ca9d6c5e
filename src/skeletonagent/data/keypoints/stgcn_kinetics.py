"""ST-GCN's Kinetics-Skeleton: a JSON file for each clip, with OpenPose's 18 joints.

A file is ``{"data": [{"frame_index", "skeleton": [{"pose": [x, y, ...], "score": [...]}]}],
"label", "label_index"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import OPENPOSE_18
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.json_points import flat_points, scores, seen_body
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text


def _matches(source: KeypointSource) -> bool:
    value = source.json
    frames = value.get("data") if isinstance(value, Mapping) else None
    if not isinstance(frames, list) or not all(isinstance(f, Mapping) for f in frames):
        return False
    return "label" in value and all({"frame_index", "skeleton"} <= frame.keys() for frame in frames)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    frames = source.json["data"]
    numbers = [frame["frame_index"] for frame in frames]
    if not all(isinstance(number, int) for number in numbers) or len(set(numbers)) < len(numbers):
        raise DataError("has frames without a number of their own", path=source.path)
    places = frame_places(numbers, source.path) if numbers else []
    seen: list[list[SeenBody]] = [[] for _ in range(1 + max(places, default=-1))]
    for frame, place in zip(frames, places, strict=True):
        seen[place] = [_body(person, source) for person in frame["skeleton"]]
    label = source.json["label"]
    recording = recording_of_bodies(
        source.name, seen, source.path, label=clean_text(label) or None if label else None
    )
    is_openpose = recording.num_joints == OPENPOSE_18.num_joints
    return [replace(recording, layout=OPENPOSE_18 if is_openpose else None)]


def _body(person: Any, source: KeypointSource) -> SeenBody:
    if not isinstance(person, Mapping) or "pose" not in person:
        raise DataError("has a skeleton without a pose", path=source.path)
    joints = flat_points(person["pose"], 2, source.path)
    return seen_body(joints, scores(person.get("score"), len(joints), source.path))


STGCN_KINETICS = KeypointFormat(
    name="kinetics-skeleton",
    title="Kinetics-Skeleton of ST-GCN: a JSON file for each clip",
    matches=_matches,
    read=_read,
)
"""Clips of Kinetics-Skeleton as ST-GCN has them."""
