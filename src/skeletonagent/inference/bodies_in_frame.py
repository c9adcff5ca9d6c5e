"""Bodies of one frame, checked against the format that a recognizer was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.tensor_like import TensorLike, as_numpy

FrameBodies = np.ndarray | TensorLike | Mapping[Any, Any] | None
"""Joints of one body, (V, C), of several, (M, V, C), or by names of persons; None for nobody."""

LEAST_JOINTS = 3
"""Joints of which a body must show some to count as seen."""


def read_frame(
    frame: FrameBodies, input_format: InputFormat
) -> tuple[dict[str, Float[np.ndarray, "v c"]], list[str]]:
    """Return the bodies that are seen in a frame, and what is to be said about it.

    Joints of zeros in all coordinates were not seen, as those with NaN. Bodies in an array are
    named by their place, from 1.

    Args:
        frame: Bodies as a caller gives them.
        input_format: Joints and channels of a body.

    Raises:
        DataError: If a body has other joints or channels, or is no array of numbers.
    """
    if frame is None:
        return {}, []
    if isinstance(frame, Mapping):
        named = {str(name): _numbers(body, input_format) for name, body in frame.items()}
    else:
        array = _numbers(frame, input_format)
        bodies = array[None] if array.ndim == 2 else array
        named = {str(number): body for number, body in enumerate(bodies, start=1)}
    words: list[str] = []
    seen = {}
    for name, body in named.items():
        if body.ndim != 2:
            raise _wrong_shape(body.shape, input_format)
        joints = _with_absent_joints(body, input_format.coordinates, words)
        visible = int((~np.isnan(joints[:, 0])).sum())
        if visible >= min(LEAST_JOINTS, len(joints)):
            seen[name] = joints
    return seen, words


def absent_body(input_format: InputFormat) -> Float[np.ndarray, "v c"]:
    """Return the joints of a body that is not seen."""
    shape = (input_format.layout.num_joints, input_format.channels)
    return np.full(shape, np.nan, dtype=np.float32)


def _numbers(body: Any, input_format: InputFormat) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(as_numpy(body)).astype(np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"a frame holds no numbers: {error}") from error
    wanted = (input_format.layout.num_joints, input_format.channels)
    if array.ndim not in (2, 3) or array.shape[-2:] != wanted:
        raise _wrong_shape(array.shape, input_format)
    return array


def _wrong_shape(shape: tuple[int, ...], input_format: InputFormat) -> DataError:
    v, c = input_format.layout.num_joints, input_format.channels
    return DataError(
        f"a frame has shape {shape}; wanted is ({v}, {c}) for one body or (M, {v}, {c}) for "
        f"several: joints of {input_format.layout.name}, channels "
        f"{', '.join(input_format.channel_names)}"
    )


def _with_absent_joints(
    body: Float[np.ndarray, "v c"], coordinates: int, words: list[str]
) -> Float[np.ndarray, "v c"]:
    """Return a body of which joints that were not seen are NaN in all channels."""
    if np.isinf(body).any():
        words.append("joints with infinite numbers count as not seen")
    absent = ~np.isfinite(body).all(axis=-1) | ~body[:, :coordinates].any(axis=-1)
    joints = body.copy()
    joints[absent] = np.nan
    return joints
