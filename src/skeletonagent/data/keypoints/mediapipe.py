"""MediaPipe's pose landmarks as JSON: 33 of ``{x, y, z, visibility}``, frame by frame.

MediaPipe itself writes no files, so that programs differ: a frame is a list of landmarks, a list
of such lists for several persons, or an object that has them under ``landmarks``,
``pose_landmarks`` or ``pose_world_landmarks``. World landmarks are in metres around the hips;
others are shares of the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, recording_of_bodies
from skeletonagent.data.keypoints.frame_rate import frame_rate_of_times
from skeletonagent.data.keypoints.json_points import constant_size
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource

_WORLD = ("poseworldlandmarks", "worldlandmarks")
_IMAGE = ("poselandmarks", "landmarks", "landmark", "keypoints", "pose")
_FRAMES = ("frames", "data", "results")
_TIMES = ("timestamp", "timestampms", "time", "timems")


def _plain(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping whose keys are in small letters, without anything between words."""
    return {re.sub(r"[\W_]", "", str(key)).lower(): value for key, value in mapping.items()}


def _is_landmark(value: Any) -> bool:
    return isinstance(value, Mapping) and {"x", "y", "z"} <= value.keys()


def _is_landmarks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_landmark(value[0])


def _persons(value: Any) -> list[list[Any]] | None:
    """Return the landmarks of each person in a frame; None if the value holds none."""
    if isinstance(value, Mapping):
        inside = _plain(value).get("landmark")
        return None if inside is None else _persons(inside)
    if _is_landmarks(value):
        return [value]
    if value is None or value == []:
        return []
    if isinstance(value, list):
        nested = [_persons(person) for person in value]
        if all(person is not None and len(person) == 1 for person in nested):
            return [person[0] for person in nested if person]
    return None


def _frame(value: Any, keys: tuple[str, ...]) -> list[list[Any]] | None:
    """Return the persons of a frame, under one of the keys if it is an object."""
    if not isinstance(value, Mapping):
        return _persons(value)
    plain = _plain(value)
    found = next((plain[key] for key in keys if key in plain), _MISSING)
    return None if found is _MISSING else _persons(found)


_MISSING = object()


def _frames(value: Any) -> list[Any] | None:
    """Return the frames of a file, in which landmarks are; None if there are none."""
    if isinstance(value, Mapping):
        plain = _plain(value)
        listed = next((plain[key] for key in _FRAMES if key in plain), None)
        if listed is not None:
            return _frames(listed)
        held = {key: plain[key] for key in (*_WORLD, *_IMAGE) if isinstance(plain.get(key), list)}
        lengths = {len(frames) for frames in held.values()}
        if len(lengths) == 1 and not any(_is_landmarks(frames) for frames in held.values()):
            columns = zip(*held.values(), strict=True)
            return [dict(zip(held, frame, strict=True)) for frame in columns]
        return [value] if held else None
    if _is_landmarks(value):
        return [value]
    return value if isinstance(value, list) and value else None


def _matches(source: KeypointSource) -> bool:
    frames = _frames(source.json)
    if frames is None:
        return False
    persons = [_frame(frame, (*_WORLD, *_IMAGE)) for frame in frames]
    return all(frame is not None for frame in persons) and any(persons)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    frames = _frames(source.json) or []
    in_world = [_frame(frame, _WORLD) for frame in frames if isinstance(frame, Mapping)]
    is_world = any(in_world)
    keys = _WORLD if is_world else _IMAGE
    if is_world and any(_frame(frame, _IMAGE) for frame in frames):
        remark(source.path, "world landmarks, in metres, are read; those in the image are left out")
    size = None if is_world else _image_size(source)
    if not is_world and size is None:
        remark(
            source.path,
            "coordinates are shares of the image's width and height, whose ratio "
            "is not known; bodies are stretched where images are no squares",
        )
    bodies = [
        [_body(person, size, source) for person in _frame(frame, keys) or []] for frame in frames
    ]
    recording = recording_of_bodies(
        source.name, bodies, source.path, image_size=size, fps=_fps(frames, source)
    )
    is_pose = recording.num_joints == MEDIAPIPE_33.num_joints
    return [replace(recording, layout=MEDIAPIPE_33 if is_pose else None)]


def _body(
    landmarks: list[Any], size: tuple[float, float] | None, source: KeypointSource
) -> SeenBody:
    scale = np.ones(3) if size is None else np.array([size[0], size[1], size[0]])
    try:
        joints = np.array([[each["x"], each["y"], each["z"]] for each in landmarks], dtype=float)
        visible = [each.get("visibility") for each in landmarks]
        confidence = None if None in visible else np.array(visible, dtype=float)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a landmark without x, y, z: {error}", path=source.path) from error
    return SeenBody(joints * scale, confidence)


def _image_size(source: KeypointSource) -> tuple[float, float] | None:
    plain = _plain(source.json) if isinstance(source.json, Mapping) else {}
    pair = plain.get("imagesize", plain.get("size"))
    width = plain.get("width", plain.get("imagewidth"))
    height = plain.get("height", plain.get("imageheight"))
    if isinstance(pair, list) and len(pair) == 2:
        width, height = pair
    return constant_size([(width, height)], source.path)


def _fps(frames: list[Any], source: KeypointSource) -> float | None:
    plain = _plain(source.json) if isinstance(source.json, Mapping) else {}
    fps = plain.get("fps", plain.get("framerate"))
    if isinstance(fps, int | float) and not isinstance(fps, bool) and fps > 0:
        return float(fps)
    times = [_time(frame) for frame in frames]
    known = [time for time in times if time is not None]
    if len(known) < len(frames):
        return None
    return frame_rate_of_times(np.array(known), source.path)


def _time(frame: Any) -> float | None:
    plain = _plain(frame) if isinstance(frame, Mapping) else {}
    time = next((plain[key] for key in _TIMES if key in plain), None)
    return float(time) if isinstance(time, int | float) and not isinstance(time, bool) else None


MEDIAPIPE = KeypointFormat(
    name="mediapipe",
    title="MediaPipe's pose landmarks as JSON",
    matches=_matches,
    read=_read,
)
"""Landmarks of MediaPipe as JSON."""
