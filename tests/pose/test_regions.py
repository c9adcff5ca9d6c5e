"""Regions map to the picture and back, turned or not, and beyond its border."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.pose.regions import Region, crop, person_region


def test_a_person_who_stands_has_an_upright_region() -> None:
    region = person_region(np.array([100.0, 200.0]), np.array([100.0, 120.0]))
    assert (region.x, region.y, region.size) == pytest.approx((100, 200, 200))
    assert region.angle == pytest.approx(0)


@pytest.mark.parametrize(
    ("head", "angle"), [((180, 200), 90), ((20, 200), -90), ((100, 280), -180), ((156, 144), 45)]
)
def test_a_person_who_lies_has_a_turned_region(head: tuple[float, float], angle: float) -> None:
    region = person_region(np.array([100.0, 200.0]), np.array(head, dtype=float))
    assert math.degrees(region.angle) == pytest.approx(angle, abs=1)
    above = region.to_image(np.array([0.5, 0.5 - 0.4]))  # the rim lies at 1 / 2.5 of the side
    np.testing.assert_allclose(above, head, atol=1)


@given(x=st.floats(-50, 250), y=st.floats(-50, 250), size=st.floats(1, 400), angle=st.floats(-4, 4))
def test_a_crop_shows_what_is_there(x: float, y: float, size: float, angle: float) -> None:
    rows, columns = np.mgrid[:200, :160]
    image = np.stack([columns, rows, np.full_like(rows, 200)], axis=2).astype(np.uint8)
    region = Region(x, y, size, angle)
    square = crop(image, region, 32, border="black").astype(float)
    v, u = np.mgrid[:32, :32]
    places = region.to_image(np.stack([u, v], axis=2) / 32)
    inside = ((places > 1) & (places < np.array([158, 198]))).all(axis=2)
    assert np.abs(square[inside][:, :2] - places[inside]).max(initial=0) < 1.1
    assert (square[(places < -2).any(axis=2)] == 0).all()


def test_the_border_is_black_or_repeats_the_last_pixels() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    region = Region(0, 20, 40)
    assert crop(image, region, 8, border="black")[:, 0].max() == 0
    assert crop(image, region, 8, border="edge")[:, 0].min() == 90
    assert not crop(image, Region(500, 500, 40), 8, border="edge").any()


@pytest.mark.parametrize("size", [0.0, -3.0, math.nan, math.inf])
def test_what_is_no_square_is_not_valid(size: float) -> None:
    assert not Region(1, 1, size).valid
    assert Region(1, 1, 5).valid
