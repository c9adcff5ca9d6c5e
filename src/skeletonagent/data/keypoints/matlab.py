"""MATLAB files with an array of joints, whose axes a layout tells apart."""

from __future__ import annotations

from math import prod

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.arrays import recording_of_flat_rows, recording_of_joints
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_MAGIC = b"MATLAB 5.0 MAT-file"
_CHANNELS = (2, 3)
_MOST_EXPANSION = 50
"""Size of the arrays, in sizes of the file, up to which a file is unpacked."""
_ALWAYS_READ = 2**30
"""Size of the arrays in bytes, up to which a file is unpacked however small it is."""


def _matches(source: KeypointSource) -> bool:
    return source.head.startswith(_MAGIC)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each array with joints, coordinates and frames as axes."""
    from scipy.io import loadmat, whosmat  # type: ignore[import-untyped]

    try:
        numbers = sum(prod(shape) for _, shape, _ in whosmat(source.path))
        if 8 * numbers > max(_ALWAYS_READ, _MOST_EXPANSION * source.path.stat().st_size):
            raise ValueError(f"it would expand to {numbers} numbers")
        content = loadmat(source.path, variable_names=None, struct_as_record=True)
    except Exception as error:  # the reader of SciPy raises what it meets
        raise DataError(
            f"is a damaged MATLAB file: {clean_text(error)}", path=source.path
        ) from error
    arrays = {
        clean_text(name): value
        for name, value in content.items()
        if not name.startswith("__")
        and isinstance(value, np.ndarray)
        and value.dtype.kind in "fiu"
        and value.ndim in (2, 3)
        and value.size > 3
    }
    if not arrays:
        raise DataError("is a MATLAB file without an array of joints", path=source.path)
    return [
        _recording(array, source, source.name if len(arrays) == 1 else f"{source.name}/{name}")
        for name, array in arrays.items()
    ]


def _recording(array: np.ndarray, source: KeypointSource, name: str) -> KeypointRecording:
    if array.ndim == 2:
        return recording_of_flat_rows(array.astype(np.float64), source, name)
    if source.num_joints is None:
        raise DataError(
            f"has an array {array.shape}, which does not say what its axes are; give the layout",
            path=source.path,
        )
    joints = [axis for axis in range(3) if array.shape[axis] == source.num_joints]
    channels = [axis for axis in range(3) if array.shape[axis] in _CHANNELS]
    pairs = [(v, c) for v in joints for c in channels if v != c]
    if len(pairs) != 1:
        raise DataError(
            f"has an array {array.shape}, in which {source.num_joints} joints and 2 or 3 "
            "coordinates are not one axis each",
            path=source.path,
        )
    v, c = pairs[0]
    ordered = array.transpose(3 - v - c, v, c)
    return recording_of_joints(ordered[None].astype(np.float64), source, name)


MATLAB = KeypointFormat(
    name="mat",
    title="MATLAB files (.mat) with an array of joints, beside a layout",
    matches=_matches,
    read=_read,
)
"""Arrays of joints in MATLAB files."""
