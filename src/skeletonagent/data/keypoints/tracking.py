"""Tracking of bodies from frame to frame, where a source gives them in no order.

Bodies of a frame are assigned to the tracks so far by the Hungarian method; the cost is the mean
distance of the keypoints that both have, measured in sizes of the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skeletonagent.core.assignment import least_cost_pairs

MAX_STEP = 0.6
"""Largest distance that a body moves from a frame to the next, in sizes of the body."""

MAX_LOST_FRAMES = 30
"""Number of frames after which a body that was lost is another one."""

_GROWTH = 0.1
"""Growth of the largest distance with each frame that a body was lost."""

_IMPOSSIBLE = 1e6


@dataclass
class _Track:
    """Body that was seen last in some frame.

    Args:
        joints: Its keypoints, each as it was seen last.
        frame: Frame in which it was seen last.
    """

    joints: np.ndarray
    frame: int


def track_bodies(frames: Sequence[Sequence[Float[np.ndarray, "v c"]]]) -> list[list[int]]:
    """Return the track of each body in each frame; tracks are numbered as they begin.

    Args:
        frames: Keypoints of the bodies of each frame; NaN where a keypoint was not seen.
    """
    size = _usual_size([body for bodies in frames for body in bodies])
    tracks: list[_Track] = []
    numbers: list[list[int]] = []
    for frame, bodies in enumerate(frames):
        assigned = _assigned(tracks, bodies, frame, size)
        for place, body in enumerate(bodies):
            if place not in assigned:
                assigned[place] = len(tracks)
                tracks.append(_Track(body, frame))
            else:
                track = tracks[assigned[place]]
                track.joints = np.where(np.isnan(body), track.joints, body)
                track.frame = frame
        numbers.append([assigned[place] for place in range(len(bodies))])
    return numbers


def _assigned(
    tracks: Sequence[_Track], bodies: Sequence[np.ndarray], frame: int, size: float
) -> dict[int, int]:
    """Return the track of each body that continues one, by the body's place in the frame."""
    alive = [n for n, track in enumerate(tracks) if frame - track.frame <= MAX_LOST_FRAMES]
    if not alive or not bodies:
        return {}
    cost = np.full((len(bodies), len(alive)), _IMPOSSIBLE)
    for column, number in enumerate(alive):
        track = tracks[number]
        limit = MAX_STEP + _GROWTH * (frame - track.frame - 1)
        for row, body in enumerate(bodies):
            distance = _distance(body, track.joints) / size
            if distance <= limit:
                cost[row, column] = distance
    rows, columns = least_cost_pairs(cost)
    return {
        int(row): alive[column]
        for row, column in zip(rows, columns, strict=True)
        if cost[row, column] < _IMPOSSIBLE
    }


def _distance(body: np.ndarray, other: np.ndarray) -> float:
    """Return the mean distance of the keypoints that both have; without any, infinity.

    Where the two share no keypoint, the middles of what was seen of them are compared.
    """
    lengths = np.linalg.norm(body - other, axis=1)
    shared = lengths[~np.isnan(lengths)]
    if len(shared):
        return float(shared.mean())
    seen, seen_other = (points[~np.isnan(points).any(axis=1)] for points in (body, other))
    if not len(seen) or not len(seen_other):
        return np.inf
    return float(np.linalg.norm(seen.mean(axis=0) - seen_other.mean(axis=0)))


def _usual_size(bodies: Sequence[np.ndarray]) -> float:
    """Return the median diagonal of the bodies' boxes, or 1 if there is none."""
    sizes = []
    for body in bodies:
        seen = body[~np.isnan(body).any(axis=1)]
        if len(seen) > 1:
            sizes.append(float(np.linalg.norm(np.ptp(seen, axis=0))))
    positive = [size for size in sizes if size > 0]
    return float(np.median(positive)) if positive else 1.0
