"""Orientation statistics: known headings and tilts, 2D, absent joints, samples of nobody."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import STANDING, body_store, random_bodies, turn

from skeletonagent.data.orientation_statistics import describe_orientation


def standing(heading: float, tilt: float = 0.0, persons: int = 1) -> np.ndarray:
    """Return bodies (M, 3, 8, 3) that face a way, in degrees, and lean to their side."""
    pose = turn(1, np.radians(heading)) @ turn(2, np.radians(tilt))
    joints = STANDING @ pose.T + [1, 2, 4]
    return np.broadcast_to(joints, (persons, 3, 8, 3)).astype(np.float32)


@given(angles=st.lists(st.floats(-180, 180), min_size=1, max_size=8))
def test_the_spread_of_headings_is_the_circular_standard_deviation(angles: list[float]) -> None:
    length = abs(np.exp(1j * np.radians(angles)).mean())
    found = describe_orientation(body_store([standing(angle) for angle in angles]))
    if length > 1e-3:
        expected = np.degrees(np.sqrt(max(0, -2 * np.log(length))))
        assert found.heading_spread == pytest.approx(expected, abs=0.1)
    assert found.tilt_spread < 3  # the body as drawn leans forward a little
    assert found.oriented_share == 1


def test_the_spread_of_tilts_is_about_their_standard_deviation() -> None:
    angles = np.random.default_rng(0).normal(0, 10, 200)
    found = describe_orientation(body_store([standing(30, tilt) for tilt in angles]))
    assert found.tilt_spread == pytest.approx(angles.std(), abs=0.5)
    assert found.heading_spread == pytest.approx(0, abs=0.1)


def test_only_the_chosen_samples_are_described() -> None:
    store = body_store([standing(0), standing(90), standing(180), 100 * standing(90)])
    found = describe_orientation(store, torch.tensor([1, 3]))
    assert found == describe_orientation(body_store([standing(90), 100 * standing(90)]))
    assert found.heading_spread == pytest.approx(0, abs=0.1)
    assert describe_orientation(store).heading_spread > 45


def test_of_many_samples_some_are_measured_from_first_to_last() -> None:
    store = body_store([standing(angle) for angle in (0, 90, 20, 90, 40, 90, 60)])
    expected = describe_orientation(store, torch.tensor([0, 2, 4, 6]))
    assert describe_orientation(store, most=4) == expected
    assert describe_orientation(store, most=7) == describe_orientation(store) != expected


def test_y_is_level_where_bodies_stand_along_another_axis() -> None:
    store = body_store([standing(0) @ turn(0, np.pi / 2).T.astype(np.float32)])
    found = describe_orientation(store)
    assert not found.y_is_vertical and "y is level" in found.summary()
    assert describe_orientation(body_store([standing(0)])).y_is_vertical


@pytest.mark.parametrize(
    ("factor", "coordinates", "unit"),
    [
        (1.0, 3, "meters"),
        (1000.0, 3, "millimeters or pixels"),
        (200.0, 2, "pixels"),
        (0.3, 2, "shares of images"),
    ],
)
def test_the_unit_is_known_by_the_length_of_the_bones(
    factor: float, coordinates: int, unit: str
) -> None:
    joints = (factor * random_bodies(0, 1))[..., :coordinates].astype(np.float32)
    found = describe_orientation(body_store([joints]))
    assert (found.unit, found.coordinates) == (unit, coordinates)
    assert f"{coordinates}D joints in {unit}" in found.summary()
    assert ("headings" in found.summary()) == (coordinates == 3)


@pytest.mark.parametrize("coordinates", [2, 3])
def test_y_points_down_where_heads_have_the_smaller_y(coordinates: int) -> None:
    upright = standing(0)[..., :coordinates]
    inverted = np.where(np.arange(coordinates) == 1, -1, 1).astype(np.float32) * upright
    assert describe_orientation(body_store([upright])).y_is_up
    found = describe_orientation(body_store([inverted]))
    assert not found.y_is_up and found.upward < -0.99
    assert "y points down" in found.summary()


def test_absent_joints_are_counted_where_their_body_is_there() -> None:
    joints = standing(0, persons=2).copy()
    joints[0, 1] = 0  # a body away
    joints[1, :, 3] = 0
    found = describe_orientation(body_store([joints]))
    assert found.absent_share == pytest.approx(3 / 40)
    assert "7.5% of joints absent" in found.summary()


def test_pairs_are_samples_in_which_two_bodies_are_there_at_once() -> None:
    both, turns, alone = (standing(0, persons=2).copy() for _ in range(3))
    turns[0, 1:], turns[1, :1] = 0, 0
    alone[1] = 0
    store = body_store([both, turns, alone, standing(0)])
    assert describe_orientation(store).pair_share == 0.25


def test_samples_of_nobody_are_described_too() -> None:
    found = describe_orientation(body_store([np.zeros((1, 2, 8, 3), np.float32)]))
    assert (found.oriented_share, found.absent_share, found.heading_spread) == (0, 0, 0)
    assert "headings" not in found.summary()
