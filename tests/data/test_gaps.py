"""Gaps of joints: a literal loop, ends, what stays absent."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import SMALL_BODY, body_store, random_bodies

from skeletonagent.data.gaps import interpolate_gaps


def literally_filled(joints: np.ndarray, coordinates: int = 3) -> np.ndarray:
    """Return (M, T, V, C) with each joint's gaps filled, joint by joint."""
    filled = joints.copy()
    for body, source in zip(filled, joints, strict=True):
        seen = (source[..., :coordinates] != 0).any(axis=-1)
        there = np.flatnonzero(seen.any(axis=1))
        if not len(there):
            continue
        frames = np.arange(there[0], there[-1] + 1)
        for joint in range(source.shape[1]):
            known = np.flatnonzero(seen[:, joint])
            for channel in range(coordinates if len(known) else 0):
                values = source[known, joint, channel]
                body[frames, joint, channel] = np.interp(frames, known, values)
            for frame in frames if len(known) else ():
                if not known[0] <= frame <= known[-1]:
                    end = known[0] if frame < known[0] else known[-1]
                    ways = [
                        source[frame, other, :coordinates] - source[end, other, :coordinates]
                        for bone in SMALL_BODY.bones
                        for other in bone
                        if joint in bone and other != joint and seen[[frame, end], other].all()
                    ]
                    body[frame, joint, :coordinates] += np.mean(ways, axis=0) if ways else 0
    return filled


@given(
    seed=st.integers(0, 9999), persons=st.integers(1, 3), absent=st.sampled_from([0.1, 0.5, 0.9])
)
def test_gaps_are_filled_as_by_a_loop(seed: int, persons: int, absent: float) -> None:
    samples = [
        random_bodies(seed + i, persons, frames=1 + (seed + i) % 7, absent=absent, leaves=0.3)
        for i in range(4)
    ]
    filled = interpolate_gaps(body_store(samples))
    for index, joints in enumerate(samples):
        np.testing.assert_allclose(
            filled.sequence(index).joints, literally_filled(joints), atol=1e-5
        )


def test_before_and_after_it_is_seen_a_joint_moves_with_its_neighbors() -> None:
    joints = np.ones((1, 5, 8, 2), dtype=np.float32)
    joints[0, :, 4, 0] = [1, 2, 3, 4, 5]  # the hip of a foot
    joints[0, :, 6, 0] = [0, 0, 9, 0, 0]
    joints[0, :, 6, 1] = [0, 0, 1, 0, 0]
    filled = interpolate_gaps(body_store([joints])).sequence(0).joints
    np.testing.assert_allclose(filled[0, :, 6, 0], [7, 8, 9, 10, 11])
    np.testing.assert_array_equal(filled[0, :, 6, 1], 1)


def test_a_joint_moves_evenly_through_a_gap_and_is_held_at_the_ends() -> None:
    joints = np.ones((1, 6, 8, 2), dtype=np.float32)
    joints[0, :, 3, 0] = [0, 2, 0, 0, 8, 0]
    joints[0, :, 3, 1] = [0, 1, 0, 0, 1, 0]
    filled = interpolate_gaps(body_store([joints])).sequence(0).joints
    np.testing.assert_allclose(filled[0, :, 3, 0], [2, 2, 4, 6, 8, 8])
    np.testing.assert_array_equal(filled[0, :, 4], joints[0, :, 4])


def test_bodies_that_are_not_there_yet_and_joints_never_seen_stay_absent() -> None:
    joints = np.ones((2, 5, 8, 3), dtype=np.float32)
    joints[1, :2] = joints[1, 4:] = 0
    joints[:, :, 6] = 0
    joints[1, 2, 5] = 0
    filled = interpolate_gaps(body_store([joints])).sequence(0).joints
    expected = joints.copy()
    expected[1, 2, 5] = 1
    np.testing.assert_array_equal(filled, expected)


def test_keypoint_confidence_is_not_interpolated() -> None:
    joints = np.full((1, 3, 8, 3), 2.0, dtype=np.float32)
    joints[0, 1, 4] = [0, 0, 0.25]
    store = interpolate_gaps(body_store([joints], has_confidence=True))
    np.testing.assert_array_equal(store.sequence(0).joints[0, 1, 4], [2, 2, 0.25])
