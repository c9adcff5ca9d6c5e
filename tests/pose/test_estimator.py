"""Persons are followed, looked for at intervals, and never counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pose.bodies import FakeScene, body

from skeletonagent.core.errors import DataError
from skeletonagent.pose.detector import PersonDetection
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region


def numbers(scene: FakeScene, pictures: int, max_persons: int = 5) -> list[list[int]]:
    estimator = PoseEstimator(scene, scene, max_persons)
    return [
        [person.number for person in estimator.step(scene.picture(n), n / 30)]
        for n in range(pictures)
    ]


def test_two_are_followed_and_the_detector_rests() -> None:
    scene = FakeScene(lambda n: [100 + n, 400 - n])
    assert numbers(scene, 60) == [[1, 2]] * 60
    assert len(scene.levels) == 10  # every sixth picture
    assert scene.levels.count(max(scene.levels)) == 2 and min(scene.levels) == 1
    assert scene.located == 120


def test_the_detector_is_not_asked_once_all_are_followed() -> None:
    scene = FakeScene(lambda n: [100, 400])
    assert numbers(scene, 30, max_persons=2) == [[1, 2]] * 30
    assert len(scene.levels) == 1


def test_no_more_persons_are_followed_than_wanted() -> None:
    assert numbers(FakeScene(lambda n: [100, 300, 500]), 10, max_persons=2) == [[1, 2]] * 10


def test_who_comes_later_is_found_and_who_leaves_is_gone() -> None:
    found = numbers(FakeScene(lambda n: [100, 400] if 10 <= n < 30 else [100]), 40)
    assert found[9] == [1] and found[12] == [1, 2] and found[29] == [1, 2] and found[30] == [1]


def test_somebody_lost_is_looked_for_at_once() -> None:
    found = numbers(FakeScene(lambda n: [100 if n < 10 else 200]), 14)
    assert all(len(row) == 1 for row in found)


def test_regions_that_run_into_one_body_count_once() -> None:
    found = numbers(FakeScene(lambda n: [100, 400] if n < 5 else [250 - n]), 10)
    assert [len(row) for row in found] == [2] * 5 + [1] * 5


def test_a_picture_that_is_shown_for_longer_costs_nothing() -> None:
    scene = FakeScene(lambda n: [100])
    estimator = PoseEstimator(scene, scene, 1)
    picture = scene.picture(0)
    for n in range(10):
        (person,) = estimator.step(picture, n / 30)
        assert person.number == 1
    assert scene.located == 1


def test_pictures_of_another_size_are_named() -> None:
    scene = FakeScene(lambda n: [])
    estimator = PoseEstimator(scene, scene, 1)
    estimator.step(scene.picture(0), 0)
    with pytest.raises(DataError, match=r"at 0.50 s has 20 x 10 pixels.*640 x 480"):
        estimator.step(np.zeros((10, 20, 3), np.uint8), 0.5)


class BrokenScene:
    """Detector and model that say anything: no size, no place, joints that are not there."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self) -> float:
        return float(self.rng.choice([0.0, 1.0, 90.0, 300.0, -50.0, np.nan, np.inf]))

    def detect(self, image: np.ndarray, levels: int = 1) -> list[PersonDetection]:
        regions = [Region(*(self.number() for _ in range(4))) for _ in range(3)]
        return [PersonDetection(region, 0.7) for region in regions if region.valid]

    def locate(self, image: np.ndarray, region: Region) -> BodyLandmarks | None:
        if self.rng.uniform() < 0.3:
            return None
        found = body(self.rng.uniform(0, 600), scale=float(self.rng.choice([0.0, 0.5, 1.0])))
        found.points[self.rng.uniform(size=33) < self.rng.choice([0.0, 0.5, 1.0])] = np.nan
        sizes = (self.number(), self.number(), self.number())
        return BodyLandmarks(found.points, found.world, found.confidence, 1.0, Region(*sizes))


@given(seed=st.integers(0, 10**6))
def test_anything_that_models_say_is_no_obstacle(seed: int) -> None:
    scene = BrokenScene(seed)
    estimator = PoseEstimator(scene, scene, max_persons=3)
    for n in range(12):
        image = np.full((48, 64, 3), n, np.uint8)
        persons = estimator.step(image, n / 10)
        assert len({person.number for person in persons}) == len(persons) <= 3
        assert all(person.body.region.valid for person in persons)
