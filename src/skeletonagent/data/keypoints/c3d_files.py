"""C3D motion capture: positions of markers, by the package c3d of the extra ``keypoints``.

A residual below zero says that a marker was not seen. Points that are angles, forces, moments,
powers or scalars of a model are left out, as the file's parameters name them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import UNREADABLE
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.absence import zeros_as_absent
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_SIGN = 0x50
"""Second byte of every C3D file."""
_NO_POSITIONS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")


def _matches(source: KeypointSource) -> bool:
    return len(source.head) >= 512 and source.head[1] == _SIGN and source.suffix == ".c3d"


def _read(source: KeypointSource) -> list[KeypointRecording]:
    try:
        import c3d  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            f"{source.path}: C3D files need c3d; pip install 'skeletonagent[keypoints]'"
        ) from error
    try:
        with source.path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of blocks without analog data
            reader = c3d.Reader(file)
            names = [clean_text(label) for label in reader.point_labels]
            points = [np.array(frame) for _, frame, _ in reader.read_frames(copy=True)]
            rate = float(reader.point_rate)
            left_out = _labels(reader, _NO_POSITIONS)
    except UNREADABLE as error:
        problem = clean_text(f"{type(error).__name__}: {error}")
        raise DataError(f"is a damaged C3D file: {problem}", path=source.path) from error
    if not points or not names:
        raise DataError("holds no frames of markers", path=source.path)
    return [_recording(np.stack(points), names, left_out, rate, source)]


def _recording(
    points: Float[np.ndarray, "t p 5"],
    names: list[str],
    left_out: set[str],
    rate: float,
    source: KeypointSource,
) -> KeypointRecording:
    if points.shape[1] != len(names):
        names = [*names, *(f"point {n}" for n in range(len(names), points.shape[1]))]
    kept = [n for n in range(points.shape[1]) if names[n] and names[n] not in left_out]
    if dropped := sorted({names[n] for n in range(points.shape[1])} & left_out):
        remark(source.path, f"no positions and left out: {', '.join(dropped)[:200]}")
    if not kept or len({names[n] for n in kept}) != len(kept):
        raise DataError("has no markers, or several of the same name", path=source.path)
    chosen = points[:, kept]
    joints = np.where(_unseen(chosen)[..., None], np.nan, chosen[..., :3].astype(np.float64))
    return KeypointRecording(
        name=source.name,
        joints=zeros_as_absent(joints, source.path)[None].astype(np.float32),
        joint_names=_without_subject([names[n] for n in kept]),
        fps=rate if rate > 0 else None,
        person_ids=("0",),
        source=source.path,
    )


def _unseen(points: Float[np.ndarray, "t p 5"]) -> Bool[np.ndarray, "t p"]:
    unseen: np.ndarray = (points[..., 3] < 0) | ~np.isfinite(points[..., :3]).all(axis=-1)
    return unseen


def _without_subject(names: list[str]) -> tuple[str, ...]:
    """Return names without the subject before a colon, where all have the same."""
    subjects = {name.rpartition(":")[0] for name in names}
    return tuple(name.rpartition(":")[2] if len(subjects) == 1 else name for name in names)


def _labels(reader: Any, groups: tuple[str, ...]) -> set[str]:
    """Return the names of the points that a file lists under some of its parameters."""
    names: set[str] = set()
    for group in groups:
        parameter = reader.get(f"POINT:{group}")
        if parameter is not None:
            listed = np.atleast_1d(parameter.string_array).ravel().tolist()
            names |= {clean_text(name) for name in listed} - {""}
    return names


C3D = KeypointFormat(
    name="c3d",
    title="C3D motion capture",
    matches=_matches,
    read=_read,
)
"""Motion capture as C3D."""
