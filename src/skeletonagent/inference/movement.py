"""Movement of one body over time, by which pauses are told from actions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from jaxtyping import Float

BLOCK_SECONDS = 0.17
"""Time over which places are averaged before they are compared, in seconds."""

MOST_MOVED = 3
"""Joints whose mean speed is that of the body: an arm that waves is not averaged away."""


@dataclass
class MovementMeter:
    """Speed of one body in each frame, computed as frames come.

    The speed of a frame compares each joint's mean place in the block of frames up to it with that
    in the block after it, so that noise is averaged out. It is the mean of the three joints that
    moved most, in body sizes a second; the body size is the root mean square distance of the
    joints from their mean. The speed of a frame is known ``block`` frames later. A frame with no
    joint to compare has the speed zero.

    Args:
        fps: Frames a second.
    """

    fps: float
    _frames: deque[Float[np.ndarray, "v d"]] = field(default_factory=deque, init=False)
    _measured: int = field(default=0, init=False)
    _dropped: int = field(default=0, init=False)

    @property
    def block(self) -> int:
        """Number of frames of a block, by which the speed lags behind."""
        return max(1, round(BLOCK_SECONDS * self.fps))

    def push(self, joints: Float[np.ndarray, "v d"]) -> list[float]:
        """Return the speeds of frames that are known now, oldest first.

        Args:
            joints: Coordinates of the next frame; NaN where a joint was not seen.
        """
        self._frames.append(joints)
        received = self._dropped + len(self._frames)
        return [self._next_speed()] if received - self._measured > self.block else []

    def finish(self) -> list[float]:
        """Return the speeds of the last frames, after which there are no more."""
        received = self._dropped + len(self._frames)
        return [self._next_speed() for _ in range(received - self._measured)]

    def _next_speed(self) -> float:
        while self._measured - self._dropped >= self.block:
            self._frames.popleft()
            self._dropped += 1
        place = self._measured - self._dropped + 1  # frames of the first block
        frames = np.array(list(islice(self._frames, place + self.block)), dtype=np.float64)
        self._measured += 1
        # The last frame has nothing after it: it is compared with the block before it.
        place = min(place, len(frames) - 1)
        return body_speed(frames, place, self.fps) if place else 0.0


def body_speed(frames: Float[np.ndarray, "t v d"], place: int, fps: float) -> float:
    """Return the speed of a body between two blocks of frames that follow one another.

    Args:
        frames: Coordinates in both blocks; NaN where a joint was not seen.
        place: First frame of the second block, between the first frame and the last.
        fps: Frames a second.

    Returns:
        Mean speed of the joints that moved most, in body sizes a second; 0 without any joint.
    """
    seen = ~np.isnan(frames).any(axis=2)
    blocks = np.zeros((2, len(frames)))
    blocks[0, :place] = blocks[1, place:] = 1
    count = blocks @ seen
    known = count.all(axis=0)
    if not known.any():
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sums = np.tensordot(blocks, np.where(seen[..., None], frames, 0), 1)[:, known]
        first, second = sums / count[:, known, None]
        began, ended = ((blocks * np.arange(len(frames))) @ seen)[:, known] / count[:, known]
        pose = (first + second) / 2
        size = np.sqrt(np.square(pose - pose.mean(axis=0)).sum(axis=1).mean())
        moved = np.sqrt(np.square(second - first).sum(axis=1)) / (ended - began)
        speed = float(np.sort(moved)[-MOST_MOVED:].mean() * fps / size) if size > 0 else 0.0
    return speed if np.isfinite(speed) else 0.0


def joint_movement(joints: Float[np.ndarray, "m t v d"]) -> Float[np.ndarray, " v"]:
    """Return how far each joint moves from frame to frame, a mean over frames and bodies.

    Args:
        joints: Coordinates of M bodies in T frames; NaN where a joint was not seen.

    Returns:
        Distances in the coordinates' unit; zero for a joint that is never seen in two frames.
    """
    steps = np.sqrt(np.square(np.diff(joints.astype(np.float64), axis=1)).sum(axis=-1))
    known = np.isfinite(steps)
    total = np.where(known, steps, 0).sum(axis=(0, 1))
    moved: np.ndarray = total / np.maximum(known.sum(axis=(0, 1)), 1)
    return moved
