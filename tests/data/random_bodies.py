"""Random bodies: upright, turned any way, far from zero, with absent joints and frames."""

from __future__ import annotations

import numpy as np

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout

SMALL_BODY = SkeletonLayout(
    "small-body",
    (
        "spine", "head", "left shoulder", "right shoulder", "left hip", "right hip",
        "left foot", "right foot",
    ),
    ((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 4), (7, 5)),
)  # fmt: skip
"""Skeleton of eight joints, centred on the spine."""

STANDING = np.array(
    [
        [0, 0, 0], [0, 0.6, 0.05], [0.2, 0.4, 0], [-0.2, 0.4, 0], [0.12, -0.1, 0], [-0.12, -0.1, 0],
        [0.15, -0.9, 0.1], [-0.15, -0.9, 0.1],
    ]
)  # fmt: skip
"""A body of :data:`SMALL_BODY` in meters: its left along x, upright along y, facing along z."""


def turn(axis: int, angle: float) -> np.ndarray:
    """Return the matrix of a rotation about an axis, by an angle in radians."""
    one, other = [index for index in range(3) if index != axis]
    matrix = np.eye(3)
    matrix[one, one] = matrix[other, other] = np.cos(angle)
    matrix[one, other], matrix[other, one] = -np.sin(angle), np.sin(angle)
    return matrix


def random_bodies(
    seed: int, persons: int, frames: int = 6, absent: float = 0.0, leaves: float = 0.0
) -> np.ndarray:
    """Return bodies that lean and turn about any heading, far from zero; (M, T, V, 3).

    Args:
        seed: Seed of the random numbers.
        persons: Number of bodies.
        frames: Number of frames.
        absent: Probability that a joint is absent in a frame.
        leaves: Probability that a body is absent in a frame.
    """
    rng = np.random.default_rng(seed)
    joints = np.zeros((persons, frames, len(STANDING), 3), dtype=np.float32)
    for person in range(persons):
        heading, place = rng.uniform(0, 2 * np.pi), rng.normal([2.0 * person, 1, 4], 0.3)
        for frame in range(frames):
            shape = STANDING + rng.normal(0, 0.03, STANDING.shape)
            pose = turn(1, heading + rng.normal(0, 0.2)) @ turn(0, rng.normal(0, 0.2))
            joints[person, frame] = shape @ pose.T + place + rng.normal(0, 0.05, 3)
    joints[rng.random(joints.shape[:3]) < absent] = 0
    joints[rng.random(joints.shape[:2]) < leaves] = 0
    return joints


def body_store(
    samples: list[np.ndarray], layout: SkeletonLayout = SMALL_BODY, has_confidence: bool = False
) -> ClipStore:
    """Return a store of the samples."""
    sequences = [SkeletonSequence(joints, 0, f"s{i}") for i, joints in enumerate(samples)]
    return ClipStore.from_sequences(sequences, layout, ("only",), has_confidence=has_confidence)
