"""Own files of keypoint recordings, which hold them exactly, as JSON or as NumPy archive.

Both have a JSON object with ``schema``, ``name``, ``joint_names``, ``layout``, ``fps``,
``image_size``, ``person_ids`` and ``shape``; in the archive as the text ``about``. ``joints`` are
(persons, frames, joints, coordinates), ``confidence`` is without the last axis. What was not seen
is ``null``, in the archive NaN.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.npz_files import read_npz
from skeletonagent.core.outside_files import UNREADABLE
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

KEYPOINT_SCHEMA = "skeletonagent.keypoints/1"
"""Name and version of the format."""

_DIGITS = 5
"""Decimals of coordinates in JSON: a hundredth of a millimetre, or of a thousandth of a pixel."""


def write_keypoints(path: Path, recording: KeypointRecording) -> None:
    """Write a recording as ``.json`` or ``.npz``, which ``read_keypoints`` reads.

    Raises:
        ConfigError: If the name of the file ends otherwise.
        DataError: If it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".json", ".npz"):
        raise ConfigError(f"keypoints are written as .json or .npz, got {path.name!r}")
    about = {
        "schema": KEYPOINT_SCHEMA,
        "name": recording.name,
        "joint_names": None if recording.joint_names is None else list(recording.joint_names),
        "layout": None if recording.layout is None else recording.layout.to_json(),
        "fps": recording.fps,
        "image_size": None if recording.image_size is None else list(recording.image_size),
        "person_ids": list(recording.person_ids),
        "shape": list(recording.joints.shape),
    }
    try:
        with write_atomically(path) as file:
            file.write(
                _as_json(about, recording) if suffix == ".json" else _as_npz(about, recording)
            )
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", path=path) from error


def _as_json(about: Mapping[str, Any], recording: KeypointRecording) -> bytes:
    confidence = recording.confidence
    content = {
        **about,
        "joints": _nested(recording.joints),
        "confidence": None if confidence is None else _nested(confidence),
    }
    return json.dumps(content, allow_nan=False).encode()


def _nested(values: np.ndarray) -> Any:
    """Return nested lists with None in place of NaN."""
    rounded = np.round(values.astype(float), _DIGITS)
    listed = rounded.astype(object)
    listed[np.isnan(rounded)] = None
    return listed.tolist()


def _as_npz(about: Mapping[str, Any], recording: KeypointRecording) -> bytes:
    arrays = {"about": np.array(json.dumps(about)), "joints": recording.joints.astype(np.float32)}
    if recording.confidence is not None:
        arrays["confidence"] = recording.confidence.astype(np.float32)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def is_recorded(path: Path) -> bool:
    """Return whether a file is one that :func:`write_keypoints` wrote."""
    return path.is_file() and _matches(KeypointSource(path))


def _matches(source: KeypointSource) -> bool:
    if source.head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(source.path) as archive:
                return {"about.npy", "joints.npy"} <= set(archive.namelist())
        except UNREADABLE:
            return False
    start = source.head[:4096] if source.is_json else b""
    return b'"skeletonagent.keypoints/' in start


def _read(source: KeypointSource) -> list[KeypointRecording]:
    try:
        about, joints, confidence = _content(source)
        if about["schema"] != KEYPOINT_SCHEMA:
            found = clean_text(about["schema"])
            raise DataError(
                f"is of the schema {found}; this version reads {KEYPOINT_SCHEMA}", path=source.path
            )
        return [_recording(about, joints, confidence, source)]
    except UNREADABLE as error:
        raise DataError(f"is damaged: {clean_text(error)}", path=source.path) from error


def _content(source: KeypointSource) -> tuple[dict[str, Any], np.ndarray, np.ndarray | None]:
    if source.is_json:
        about = source.json
        joints, confidence = about["joints"], about.get("confidence")
    else:
        arrays = read_npz(source.path, ("about", "joints", "confidence"))
        about, joints = json.loads(str(arrays["about"])), arrays["joints"]
        confidence = arrays.get("confidence")
    m, t, v, c = (int(length) for length in about["shape"])
    return (
        about,
        np.array(joints, dtype=np.float32).reshape(m, t, v, c),
        None if confidence is None else np.array(confidence, dtype=np.float32).reshape(m, t, v),
    )


def _recording(
    about: Mapping[str, Any],
    joints: Float[np.ndarray, "m t v c"],
    confidence: Float[np.ndarray, "m t v"] | None,
    source: KeypointSource,
) -> KeypointRecording:
    if joints.shape[-1] not in (2, 3) or np.isinf(joints).any():
        raise ValueError("coordinates must be two or three finite numbers")
    names, layout, size = about["joint_names"], about["layout"], about["image_size"]
    for labels in (names, layout and layout["joints"]):
        if labels is not None and len(labels) != joints.shape[2]:
            raise ValueError(f"{len(labels)} names for {joints.shape[2]} joints")
    return KeypointRecording(
        name=clean_text(about["name"]) or source.name,
        joints=joints,
        joint_names=None if names is None else tuple(map(clean_text, names)),
        layout=None if layout is None else SkeletonLayout.from_json(layout),
        confidence=None if confidence is None else np.clip(np.nan_to_num(confidence), 0, 1),
        fps=None if about["fps"] is None else float(about["fps"]),
        image_size=None if size is None else (float(size[0]), float(size[1])),
        person_ids=tuple(map(clean_text, about["person_ids"])),
        source=source.path,
    )


RECORDED_KEYPOINTS = KeypointFormat(
    name="skeletonagent",
    title="keypoints that 'skeletonagent pose estimate' wrote",
    matches=_matches,
    read=_read,
)
"""Own files of keypoint recordings."""
