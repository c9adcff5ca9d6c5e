from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.inference.movement import MovementMeter, body_speed, joint_movement


def speeds_of(joints: np.ndarray, fps: float = 30.0) -> list[float]:
    meter = MovementMeter(fps)
    return [speed for frame in joints for speed in meter.push(frame)] + meter.finish()


def literal_speeds(joints: np.ndarray, block: int, fps: float) -> list[float]:
    """Return the speeds of a body all of whose joints are seen, frame by frame."""
    speeds = []
    for t in range(len(joints)):
        first = list(range(max(0, t - block + 1), t + 1))
        second = list(range(t + 1, min(t + 1 + block, len(joints))))
        if not second:
            first, second = first[:-1], first[-1:]
        if not first:
            speeds.append(0.0)
            continue
        a, b = joints[first].mean(axis=0), joints[second].mean(axis=0)
        pose = (a + b) / 2
        size = np.sqrt(((pose - pose.mean(axis=0)) ** 2).sum(axis=1).mean())
        seconds = (np.mean(second) - np.mean(first)) / fps
        moved = np.linalg.norm(b - a, axis=1) / seconds / size
        speeds.append(np.sort(moved)[-3:].mean())
    return speeds


@pytest.mark.parametrize(("frames", "fps"), [(1, 30), (2, 30), (3, 30), (40, 30), (20, 12)])
def test_speeds_are_those_of_the_definition(frames: int, fps: float) -> None:
    joints = np.random.default_rng(frames).normal(size=(frames, 6, 3))
    meter = MovementMeter(fps)
    np.testing.assert_allclose(
        speeds_of(joints, fps), literal_speeds(joints, meter.block, fps), rtol=1e-9
    )


def test_a_joint_that_moves_a_body_size_a_second_has_speed_one() -> None:
    joints = np.tile([[-1.0, 0], [1, 0], [-1, 0], [1, 0]], (30, 1, 1))
    moved = joints + np.arange(30)[:, None, None] / 30 * [0, 1]
    np.testing.assert_allclose(speeds_of(moved), 1, rtol=1e-9)
    np.testing.assert_allclose(speeds_of(joints), 0)


@given(seed=st.integers(0, 99), scale=st.floats(0.01, 1000))
def test_speeds_depend_on_neither_place_nor_size(seed: int, scale: float) -> None:
    joints = np.random.default_rng(seed).normal(size=(12, 5, 2))
    np.testing.assert_allclose(speeds_of(scale * (joints + 5)), speeds_of(joints), rtol=1e-6)


def test_what_is_not_seen_does_not_move() -> None:
    still = np.tile(np.random.default_rng(0).normal(size=(1, 6, 2)), (20, 1, 1))
    gaps = still.copy()
    gaps[4:7] = np.nan
    gaps[:, 2] = np.nan
    assert speeds_of(gaps) == pytest.approx([0.0] * 20)
    assert speeds_of(np.full((9, 6, 2), np.nan)) == [0.0] * 9
    point = np.zeros((9, 6, 2))
    assert speeds_of(point) == [0.0] * 9
    assert body_speed(np.stack([np.full((6, 2), 3e38), np.zeros((6, 2))]), 1, 30.0) >= 0


def test_speeds_come_a_block_later_and_little_is_kept() -> None:
    meter = MovementMeter(30.0)
    counts = [len(meter.push(np.zeros((3, 2)))) for _ in range(100)]
    assert counts == [0] * meter.block + [1] * (100 - meter.block)
    assert len(meter._frames) <= 2 * meter.block + 1
    assert len(meter.finish()) == meter.block and meter.finish() == []


def test_movement_of_joints_is_the_mean_way_between_frames() -> None:
    joints = np.zeros((1, 3, 3, 2))
    joints[0, :, 0, 0] = [0, 3, 6]
    joints[0, :, 1, 1] = [0, np.nan, 4]
    np.testing.assert_allclose(joint_movement(joints), [3, 0, 0])
    np.testing.assert_allclose(joint_movement(joints[:, :1]), 0)
