"""Who is covered by somebody else is followed on, and nobody is made up there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.pose.bodies import body

from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.pose.covered import PersonSpan, meet, painted_over, regions_of_one
from skeletonagent.pose.detector import PersonDetection
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region

FRONT = body(300)
GREY = 128


class CoveringScene:
    """One person stands; the other walks past behind, and is found there if the first is grey.

    Args:
        place: Returns the column of the one who walks for the number of a picture.
        leaves_at: Picture from which there is nobody behind.
    """

    def __init__(self, place: Callable[[int], float], leaves_at: int = 1000) -> None:
        self.place, self.leaves_at = place, leaves_at

    def persons(self, image: np.ndarray) -> list[BodyLandmarks]:
        number = int(image[0, 0, 0])
        behind = body(self.place(number), y=345)
        covered = abs(behind.region.x - 300) < 60
        column, row = FRONT.points[0].round().astype(int)
        if number >= self.leaves_at or (covered and image[row, column, 0] != GREY):
            return [FRONT]
        return [behind] if covered else [FRONT, behind]

    def detect(self, image: np.ndarray, levels: int = 1) -> list[PersonDetection]:
        return [PersonDetection(person.region, 0.9) for person in self.persons(image)]

    def locate(self, image: np.ndarray, region: Region) -> BodyLandmarks | None:
        there = [p for p in self.persons(image) if abs(p.region.x - region.x) < 70]
        return min(there, key=lambda p: abs(p.region.x - region.x), default=None)


def followed(scene: CoveringScene, pictures: int, fps: float = 30) -> list[list[int]]:
    estimator = PoseEstimator(scene, scene, max_persons=5)
    return [
        sorted(p.number for p in estimator.step(np.full((480, 640, 3), n, np.uint8), n / fps))
        for n in range(pictures)
    ]


def test_who_walks_past_behind_another_keeps_the_number() -> None:
    assert followed(CoveringScene(lambda n: 100 + 6 * n), 60) == [[1, 2]] * 60


def test_who_was_hardly_seen_is_not_looked_for_behind_another() -> None:
    found = followed(CoveringScene(lambda n: 220 + 6 * n), 10)
    assert found[0] == [1, 2] and found[5] == [1]


def test_who_stays_covered_is_given_up() -> None:
    found = followed(CoveringScene(lambda n: min(100 + 10 * n, 280)), 80, fps=15)
    covered = 15  # the first picture in which less than 60 columns are between them
    assert found[covered + 40] == [1, 2] and found[covered + 60] == [1]


def test_nobody_is_made_up_where_somebody_left() -> None:
    found = followed(CoveringScene(lambda n: 100 + 6 * n, leaves_at=30), 40)
    assert found[29] == [1, 2] and found[30:] == [[1]] * 10


def test_limbs_are_painted_and_the_rest_is_not() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    broken = body(300)
    broken.points[5] = np.nan
    painted = painted_over(image, [broken], MEDIAPIPE_33)
    for child, parent in MEDIAPIPE_33.bones:
        ends = broken.points[[child, parent]]
        if np.isfinite(ends).all():
            column, row = ends.mean(axis=0).round().astype(int)
            assert painted[row, column].tolist() == [GREY] * 3
    box = painted.any(axis=2).nonzero()
    assert box[1].min() > 240 and box[1].max() < 360 and not image.any()


def test_persons_meet_by_the_sizes_of_their_regions() -> None:
    one = Region(100, 100, 200)
    assert meet(one, Region(190, 100, 200)) and not meet(one, Region(210, 100, 200))
    nearby, large, far = Region(120, 100, 220), Region(120, 100, 400), Region(500, 100, 200)
    assert regions_of_one(one, [nearby, large, far]) == [one, nearby]


def test_how_long_somebody_is_sought() -> None:
    assert not PersonSpan(0, 0.4).is_sought(0.5)
    assert PersonSpan(0, 0.6).is_sought(3.5) and not PersonSpan(0, 0.6).is_sought(3.7)
