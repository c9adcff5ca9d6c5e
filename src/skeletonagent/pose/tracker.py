"""Tracker of persons: one number for a person from picture to picture, by keypoint similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skeletonagent.core.assignment import least_cost_pairs

MAX_GAP = 1.0
"""Seconds after which a person who comes back gets a new number."""
_SPREAD = 0.1
"""Distance over body size at which similarity has fallen to 0.6, in pictures of one moment."""
_SPREAD_GROWTH = 3.0
"""Growth of that distance in a second without a picture of the person."""
_MIN_SIMILARITY = 0.1
"""Similarity from which two poses may be of one person."""
_BRIEF = 3
"""Pictures after which a person counts half: of two alike, the one seen for longer goes on."""
_SEEN = 0.3
"""Confidence from which a joint is compared."""


@dataclass
class _Track:
    """Person that was seen before.

    Args:
        number: Number of the person.
        points: Joints in pixels, where they were seen last.
        confidence: Confidence of each joint.
        time: Moment of that picture, in seconds.
        speed: Motion of the body in pixels a second.
        pictures: Number of pictures in which the person was seen.
    """

    number: int
    points: Float[np.ndarray, "v 2"]
    confidence: Float[np.ndarray, " v"]
    time: float
    speed: Float[np.ndarray, "2"]
    pictures: int = 1


def keypoint_similarity(
    one: Float[np.ndarray, "v 2"],
    two: Float[np.ndarray, "v 2"],
    compared: np.ndarray,
    spread: float = _SPREAD,
) -> float:
    """Return how alike two poses in one picture are, from 0 to 1.

    The object keypoint similarity of COCO with one spread for all joints: the mean over joints of
    ``exp(-d^2 / (2 s^2 k^2))`` for a distance d, the root s of the bodies' area, and the spread k.

    Args:
        one: Joints of one body, in pixels; NaN where a joint was not seen.
        two: Joints of the other.
        compared: Whether each joint counts.
        spread: Distance over body size that is small.
    """
    distances = ((one - two) ** 2).sum(axis=1)
    compared = compared & ~np.isnan(distances)
    if not compared.any():
        return 0.0
    area = np.sqrt(_area(one) * _area(two))
    return float(np.exp(-distances[compared] / (2 * spread**2 * max(area, 1.0))).mean())


def _area(points: Float[np.ndarray, "v 2"]) -> float:
    """Return the area of a body's box; a body seen from its side or end is no line."""
    seen = points[~np.isnan(points).any(axis=1)]
    width, height = np.ptp(seen, axis=0) if len(seen) else (0.0, 0.0)
    return float(max(width, height / 3) * max(height, width / 3))


class PersonTracker:
    """Numbers of persons from picture to picture.

    Poses are assigned to the persons seen before so that the sum of similarities is largest; the
    body's motion is continued, and where somebody was not seen for a while, more distance is
    allowed.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._count = 0

    def update(
        self,
        poses: Sequence[Float[np.ndarray, "v 2"]],
        confidences: Sequence[Float[np.ndarray, " v"]],
        time: float,
    ) -> list[int]:
        """Return the number of each person in a picture, counted from 1.

        Args:
            poses: Joints of each person in pixels.
            confidences: Confidence of their joints.
            time: Moment of the picture in seconds, later than the last one.
        """
        self._tracks = [track for track in self._tracks if time - track.time <= MAX_GAP]
        similarity = np.array(
            [[self._similarity(track, pose, confidence, time) for track in self._tracks]
             for pose, confidence in zip(poses, confidences, strict=True)]
        ).reshape(len(poses), len(self._tracks))  # fmt: skip
        lasting = np.array([track.pictures / (track.pictures + _BRIEF) for track in self._tracks])
        rows, columns = least_cost_pairs(-similarity * lasting)
        known = {
            int(row): self._tracks[column]
            for row, column in zip(rows, columns, strict=True)
            if similarity[row, column] >= _MIN_SIMILARITY
        }
        return [
            self._follow(known.get(row), pose, confidence, time)
            for row, (pose, confidence) in enumerate(zip(poses, confidences, strict=True))
        ]

    @staticmethod
    def _similarity(
        track: _Track,
        pose: Float[np.ndarray, "v 2"],
        confidence: Float[np.ndarray, " v"],
        time: float,
    ) -> float:
        since = time - track.time
        compared = (confidence >= _SEEN) & (track.confidence >= _SEEN)
        expected = track.points + track.speed * since
        spread = _SPREAD * (1 + _SPREAD_GROWTH * since)
        return max(
            keypoint_similarity(place, pose, compared, spread) for place in (track.points, expected)
        )

    def _follow(
        self,
        track: _Track | None,
        pose: Float[np.ndarray, "v 2"],
        confidence: Float[np.ndarray, " v"],
        time: float,
    ) -> int:
        if track is None:
            self._count += 1
            self._tracks.append(_Track(self._count, pose, confidence, time, np.zeros(2)))
            return self._count
        moved = (pose - track.points)[~np.isnan(pose - track.points).any(axis=1)]
        if len(moved) and time > track.time:
            track.speed = np.median(moved, axis=0) / (time - track.time)
        track.points, track.confidence, track.time = pose, confidence, time
        track.pictures += 1
        return track.number
