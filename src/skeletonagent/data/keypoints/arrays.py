"""NumPy arrays of keypoints: one recording, or many with bodies and frames as axes.

Arrays are (T, V, C), (M, T, V, C), (N, M, T, V, C), ST-GCN's (N, C, T, V, M) or rows of one frame
each, (T, V C), for N recordings, M bodies, T frames, V joints and C channels. An archive may have
several, each a recording, and beside them ``joint_names``, ``fps``, ``confidence``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.npz_files import read_npy, read_npz
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.absence import (
    require_finite_coordinates,
    split_confidence,
    zeros_as_absent,
)
from skeletonagent.data.keypoints.flat_samples import read_flat_samples
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.sample_labels import with_stgcn_labels
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_NUMPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_MAX_BODIES = 10
"""Largest length of an axis that is taken for bodies."""
_CONFIDENCES = ("confidence", "confidences", "scores", "score", "keypoint_score", "visibility")
_NAMES = ("joint_names", "joints_names", "keypoint_names", "node_names", "names")


def _matches_array(source: KeypointSource) -> bool:
    return source.head.startswith(_NUMPY)


def _matches_archive(source: KeypointSource) -> bool:
    return source.head.startswith(_ZIP) and b".npy" in source.head[:300]


def _read_array(source: KeypointSource) -> list[KeypointRecording]:
    recordings = recordings_of_array(read_npy(source.path), source, source.name)
    return with_stgcn_labels(recordings, source)


def _read_archive(source: KeypointSource) -> list[KeypointRecording]:
    content = read_npz(source.path)
    if {"x_train", "y_train"} <= content.keys() or {"x_test", "y_test"} <= content.keys():
        return read_flat_samples(content, source)
    fields = _fields(content)
    arrays = {name: a for name, a in content.items() if a.dtype.kind in "fiu" and a.ndim >= 3}
    confidence = next((arrays.pop(name) for name in _CONFIDENCES if name in arrays), None)
    if not arrays:
        found = ", ".join(f"{name} {array.shape}" for name, array in content.items())
        raise DataError(
            f"holds no keypoints; it has {found[:200]}, and an array (T, V, C) or (M, T, V, C) is "
            "expected",
            path=source.path,
        )
    recordings = []
    for name, array in arrays.items():
        title = source.name if len(arrays) == 1 else f"{source.name}/{clean_text(name)}"
        found_here = recordings_of_array(array, source, title, **fields)
        recordings += [_scored(r, confidence) for r in found_here]
    return recordings


def _fields(content: Mapping[str, np.ndarray]) -> dict[str, Any]:
    names = next((content[name] for name in _NAMES if name in content), None)
    fps = content.get("fps", content.get("frame_rate"))
    fields: dict[str, Any] = {}
    if names is not None and names.dtype.kind in "US" and names.ndim == 1:
        decoded = names.astype("U") if names.dtype.kind == "S" else names
        fields["joint_names"] = tuple(map(clean_text, decoded.tolist()))
    if fps is not None and fps.size == 1 and fps.dtype.kind in "fiu" and float(fps.item()) > 0:
        fields["fps"] = float(fps.item())
    return fields


def _scored(recording: KeypointRecording, confidence: np.ndarray | None) -> KeypointRecording:
    if confidence is None or recording.confidence is not None:
        return recording
    shape = recording.joints.shape[:3]
    if confidence.shape not in (shape, shape[1:]):
        remark(
            recording.source,
            f"confidence {confidence.shape} does not fit joints {shape} and is not used",
        )
        return recording
    return replace(
        recording, confidence=np.clip(confidence.reshape(shape), 0, 1).astype(np.float32)
    )


def recordings_of_array(
    array: np.ndarray, source: KeypointSource, name: str, **fields: Any
) -> list[KeypointRecording]:
    """Return the recordings in an array.

    Args:
        array: Joints with two to five axes.
        source: File that it comes from.
        name: Name of the recording; several get a number behind it.
        fields: Further fields of each recording.

    Raises:
        DataError: If the axes are not those of keypoints.
    """
    if array.dtype.kind not in "fiu" or not array.size:
        raise DataError(f"holds an array of {array.dtype} {array.shape}, no keypoints",
                        path=source.path)  # fmt: skip
    if array.ndim == 2:
        return [recording_of_flat_rows(array, source, name, **fields)]
    if array.ndim == 5:
        samples = _samples(array, source)
        width = len(str(len(samples) - 1))
        return [
            recording_of_joints(sample, source, f"{name}/{number:0{width}d}", **fields)
            for number, sample in enumerate(samples)
        ]
    if array.ndim not in (3, 4) or not 2 <= array.shape[-1] <= 4:
        raise DataError(
            f"has an array {array.shape}; (frames, joints, 2 or 3), with bodies before frames, is "
            "expected",
            path=source.path,
        )
    joints = array if array.ndim == 4 else array[None]
    if len(joints) > _MAX_BODIES:
        raise DataError(
            f"has an array {array.shape}, which would be {len(joints)} bodies; give recordings as "
            "(N, M, T, V, C), with one body each as (N, 1, T, V, C)",
            path=source.path,
        )
    return [recording_of_joints(joints, source, name, **fields)]


def _samples(array: np.ndarray, source: KeypointSource) -> np.ndarray:
    """Return an array of samples as (N, M, T, V, C)."""
    if array.shape[1] in (2, 3) and array.shape[4] <= 2:
        return array.transpose(0, 4, 2, 3, 1)
    if array.shape[1] <= _MAX_BODIES and 2 <= array.shape[4] <= 4:
        return array
    raise DataError(
        f"has an array {array.shape}; (N, M, T, V, C) or ST-GCN's (N, C, T, V, M) is expected",
        path=source.path,
    )


def recording_of_flat_rows(
    rows: Float[np.ndarray, "t k"], source: KeypointSource, name: str | None = None, **fields: Any
) -> KeypointRecording:
    """Return the recording of rows with the coordinates of one joint after another.

    A first column that counts frames is left out.

    Args:
        rows: Rows of one frame each.
        source: File that they come from.
        name: Name of the recording; by default the file's.
        fields: Further fields of the recording.

    Raises:
        DataError: If the number of columns leaves open whether joints are in 2D or in 3D.
    """
    others = rows.shape[1] - 1
    if _counts(rows[:, 0]) and (others % 2 == 0 or others % 3 == 0):
        remark(source.path, "the first column counts frames and is left out")  # fmt: skip
        rows = rows[:, 1:]
    columns = rows.shape[1]
    fitting = [channels for channels in (2, 3) if columns % channels == 0]
    if source.num_joints:
        fitting = [c for c in (2, 3, 4) if columns == c * source.num_joints]
    if len(fitting) != 1:
        either = " or ".join(f"{columns // c} joints in {c}D" for c in fitting) or "no joints"
        raise DataError(
            f"has {columns} columns without names, {either}; name them (nose_x, nose_y, ...) or "
            "give the layout",
            path=source.path,
        )
    joints = rows.reshape(1, len(rows), -1, fitting[0])
    return recording_of_joints(joints, source, name or source.name, **fields)


def _counts(column: Float[np.ndarray, " t"]) -> bool:
    """Return whether a column counts 0, 1, 2, ... or 1, 2, 3, ..."""
    return len(column) > 2 and column[0] in (0, 1) and bool((np.diff(column) == 1).all())


def recording_of_joints(
    joints: Float[np.ndarray, "m t v k"], source: KeypointSource, name: str, **fields: Any
) -> KeypointRecording:
    """Return the recording of an array, whose zeros are joints that were not seen.

    Args:
        joints: Coordinates, and at will the confidence as last channel.
        source: File that they come from.
        name: Name of the recording.
        fields: Further fields of the recording.

    Raises:
        DataError: If coordinates are infinite.
    """
    where = f"{source.path}: {name}"
    joints = np.asarray(joints, dtype=np.float64)
    require_finite_coordinates(joints, where)
    coordinates, confidence = split_confidence(joints, where)
    joints = zeros_as_absent(coordinates, where)
    seen = ~np.isnan(joints).all(axis=(1, 2, 3))
    kept = seen if seen.any() else np.arange(len(seen)) == 0
    return KeypointRecording(
        name=name,
        joints=joints[kept].astype(np.float32),
        confidence=(
            None
            if confidence is None
            else np.clip(np.nan_to_num(confidence[kept]), 0, 1).astype(np.float32)
        ),
        person_ids=tuple(str(number) for number in np.flatnonzero(kept)),
        source=source.path,
        **fields,
    )


NUMPY_ARRAYS = KeypointFormat(
    name="npy",
    title="NumPy arrays (.npy) of (T, V, C), (M, T, V, C) and the like",
    matches=_matches_array,
    read=_read_array,
)
"""NumPy arrays."""

NUMPY_ARCHIVES = KeypointFormat(
    name="npz",
    title="NumPy archives (.npz), also of many samples as CTR-GCN's NTU60_CS.npz",
    matches=_matches_archive,
    read=_read_archive,
)
"""Archives of NumPy arrays."""
