"""Short gaps of joints, filled by linear interpolation up to a limit; longer ones stay absent."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.recording import KeypointRecording

_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|seconds?|f|frames?)?")


def parse_gap_limit(text: str) -> tuple[float, bool]:
    """Return the largest length of a gap, and whether it is in seconds.

    Args:
        text: Number of frames such as ``5``, or of seconds such as ``0.2s``.

    Raises:
        ConfigError: If it is neither.
    """
    match = _LIMIT.fullmatch(text.strip().lower())
    in_seconds = bool(match and (match[2] or "").startswith("s"))
    if match is None or (not in_seconds and not float(match[1]).is_integer()):
        raise ConfigError(f"gap limit {text!r}: give frames, such as 5, or seconds, such as 0.2s")
    return float(match[1]), in_seconds


def frames_of_limit(limit: tuple[float, bool], recording: KeypointRecording) -> int:
    """Return the largest number of frames of a gap in a recording.

    Raises:
        DataError: If the limit is in seconds and the recording's frame rate is not known.
    """
    length, in_seconds = limit
    if not in_seconds:
        return int(length)
    if recording.fps is None:
        raise DataError(
            "its frame rate is not known; give it by --fps, or the limit of gaps in frames",
            path=recording.source,
            sample=recording.name,
        )
    return int(length * recording.fps + 1e-6)


def fill_short_gaps(
    joints: Float[np.ndarray, "m t v c"], limit: int
) -> tuple[Float[np.ndarray, "m t v c"], Bool[np.ndarray, "m t v"]]:
    """Return coordinates with the short gaps of each joint interpolated, and where they were.

    A gap lies between two frames in which the joint is seen; what is absent before the first and
    after the last stays so.

    Args:
        joints: Coordinates; NaN where a joint was not seen.
        limit: Largest number of frames of a gap that is filled.
    """
    filled = joints.copy()
    filling = np.zeros(joints.shape[:3], dtype=bool)
    seen = ~np.isnan(joints).any(axis=-1)
    for body, joint in zip(*np.nonzero(seen.any(axis=1) & ~seen.all(axis=1)), strict=True):
        frames = np.flatnonzero(seen[body, :, joint])
        for before, after in pairwise(frames.tolist()):
            if 1 < after - before <= limit + 1:
                share = (np.arange(before + 1, after) - before)[:, None] / (after - before)
                ends = joints[body, before, joint], joints[body, after, joint]
                filled[body, before + 1 : after, joint] = ends[0] * (1 - share) + ends[1] * share
                filling[body, before + 1 : after, joint] = True
    return filled, filling
