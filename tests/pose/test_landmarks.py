"""Outputs of the landmark model become places in the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skeletonagent.pose.landmarks import LandmarkModel, decode_landmarks, refine
from skeletonagent.pose.regions import Region

COLD = np.full((64, 64, 39), -20, np.float32)


def outputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = np.zeros((39, 5), np.float32)
    values[:, :2] = rng.uniform(20, 236, (39, 2))
    values[:, 3], values[:, 4] = 4, 1
    values[33, :2], values[34, :2] = (128, 128), (128, 64)
    return values, rng.normal(size=(39, 3)).astype(np.float32)


def test_places_are_those_of_an_upright_region() -> None:
    values, world = outputs()
    region = Region(500, 300, 512)
    body = decode_landmarks(values.ravel(), COLD, world.ravel(), 0.9, region)
    np.testing.assert_allclose(body.points, 2 * values[:33, :2] - 256 + [500, 300], atol=1e-3)
    np.testing.assert_allclose(body.world, world[:33], atol=1e-6)
    np.testing.assert_allclose(body.confidence, 1 / (1 + math.exp(-1)), atol=1e-6)
    assert (body.region.x, body.region.y) == pytest.approx((500, 300))
    assert (body.region.size, body.region.angle) == pytest.approx((2.5 * 128, 0))


def test_a_turned_region_turns_the_body_back() -> None:
    values, world = outputs()
    upright = decode_landmarks(values.ravel(), COLD, world.ravel(), 0.9, Region(0, 0, 256))
    turned = decode_landmarks(
        values.ravel(), COLD, world.ravel(), 0.9, Region(0, 0, 256, math.pi / 2)
    )
    clockwise = np.array([[0, 1], [-1, 0]])  # x to y, y to -x
    np.testing.assert_allclose(turned.points, upright.points @ clockwise, atol=1e-6)
    assert turned.world is not None and upright.world is not None
    np.testing.assert_allclose(turned.world[:, :2], upright.world[:, :2] @ clockwise, atol=1e-6)
    np.testing.assert_allclose(turned.world[:, 2], upright.world[:, 2])


def test_a_landmark_moves_to_the_heat_around_it() -> None:
    heat = np.full((64, 64, 2), -20, np.float32)
    heat[22, 31, 0] = 20
    shares = np.array([[30.5 / 64, 20.5 / 64], [0.3, 0.3]])
    refined = refine(shares, heat)
    np.testing.assert_allclose(refined[0], [31 / 64, 22 / 64], atol=1e-4)
    np.testing.assert_array_equal(refined[1], shares[1])  # nothing is hot there


@pytest.mark.parametrize("place", [(-0.2, 0.5), (1.3, 0.5), (0.5, 1.0), (math.nan, 0.2)])
def test_a_landmark_outside_the_region_stays(place: tuple[float, float]) -> None:
    shares = np.array([place])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(refine(shares, COLD[:, :, :1] + 40), shares)


class Flat:
    """Model that always says the same."""

    def __init__(self, score: float) -> None:
        self.score = score

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        assert image.shape == (1, 256, 256, 3) and 0 <= image.min() <= image.max() <= 1
        values, world = outputs()
        score = np.array([[self.score]], np.float32)
        return [values.reshape(1, -1), score, COLD[None], COLD[None], world.reshape(1, -1)]


@pytest.mark.parametrize(("score", "found"), [(0.4, False), (0.6, True), (math.nan, False)])
def test_who_is_hardly_there_is_not_there(score: float, found: bool) -> None:
    model = LandmarkModel(Flat(score))
    image = np.zeros((100, 100, 3), np.uint8)
    assert (model.locate(image, Region(50, 50, 80)) is not None) == found
    assert model.locate(image, Region(50, 50, math.nan)) is None
