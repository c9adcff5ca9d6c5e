"""Persons keep their number while they move, cross, and are hidden for a while."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pose.bodies import SHAPE, body

from skeletonagent.pose.tracker import PersonTracker, keypoint_similarity

ALL = np.ones(33, bool)
SURE = np.full(33, 0.9)


def numbers(places: list[list[float]], fps: float = 30.0) -> list[list[int]]:
    tracker = PersonTracker()
    return [
        tracker.update([body(x).points for x in row], [SURE] * len(row), n / fps)
        for n, row in enumerate(places)
    ]


def test_similarity_is_cocos() -> None:
    moved = SHAPE + np.array([30.0, 40.0])
    width, height = np.ptp(SHAPE, axis=0)
    expected = np.exp(-(50**2) / (2 * 0.2**2 * width * height))
    assert keypoint_similarity(SHAPE, moved, ALL, 0.2) == pytest.approx(expected)
    assert keypoint_similarity(SHAPE, SHAPE, ALL) == 1
    assert keypoint_similarity(SHAPE, SHAPE, ~ALL) == 0
    assert keypoint_similarity(SHAPE, np.full_like(SHAPE, np.nan), ALL) == 0


def test_two_who_walk_keep_their_numbers_in_any_order() -> None:
    found = numbers([[100 + 4 * n, 400 - 4 * n][:: (-1) ** n] for n in range(30)])
    assert all(sorted(row) == [1, 2] for row in found)
    assert [row[:: (-1) ** n] for n, row in enumerate(found)] == [[1, 2]] * 30


def test_two_who_cross_keep_their_way() -> None:
    found = numbers([[100 + 6 * n, 400 - 6 * n] for n in range(50)])
    assert found == [[1, 2]] * 50


def test_who_is_hidden_for_a_moment_is_known_again_and_for_long_is_new() -> None:
    short = numbers([[100.0]] * 5 + [[]] * 10 + [[110.0]])
    assert short[-1] == [1]
    long = numbers([[100.0]] * 5 + [[]] * 60 + [[110.0]])
    assert long[-1] == [2]


def test_who_appears_elsewhere_is_somebody_else() -> None:
    assert numbers([[100.0], [500.0], [100.0, 500.0]]) == [[1], [2], [1, 2]]


@given(
    rows=st.lists(st.lists(st.floats(-500, 900), max_size=4), min_size=1, max_size=12),
    gone=st.floats(0, 1),
)
def test_any_motion_gives_numbers_that_differ(rows: list[list[float]], gone: float) -> None:
    tracker = PersonTracker()
    rng = np.random.default_rng(0)
    for n, row in enumerate(rows):
        poses = [body(x).points for x in row]
        for pose in poses:
            pose[rng.uniform(size=33) < gone] = np.nan
        found = tracker.update(poses, [SURE] * len(row), n / 10)
        assert len(set(found)) == len(row) and all(number > 0 for number in found)


def test_a_body_that_is_one_point_is_no_obstacle() -> None:
    tracker = PersonTracker()
    point = np.full((33, 2), 5.0)
    assert tracker.update([point], [SURE], 0.0) == [1]
    assert tracker.update([point], [SURE], 0.1) == [1]
