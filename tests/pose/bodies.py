"""Bodies, and models that find them without looking, for tests of pose estimation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skeletonagent.pose.detector import PersonDetection
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region

SHAPE = np.random.default_rng(7).uniform(-1, 1, (33, 2)) * [40, 100]
"""Joints of a body around its middle, in pixels."""


def body(x: float, y: float = 300.0, scale: float = 1.0, score: float = 1.0) -> BodyLandmarks:
    """Return a body in some place."""
    points = SHAPE * scale + [x, y]
    return BodyLandmarks(
        points=points,
        world=np.concatenate([SHAPE / 100, np.zeros((33, 1))], axis=1),
        confidence=np.full(33, 0.9),
        score=score,
        region=Region(x, y, 250 * scale),
    )


@dataclass
class FakeScene:
    """Detector and model that know where bodies are at each moment.

    Args:
        places: Returns the columns of the bodies for the number of a picture.
        blind: Pictures in which the detector finds nobody.
    """

    places: Callable[[int], Sequence[float]]
    blind: Callable[[int], bool] = lambda number: False
    levels: list[int] = field(default_factory=list)
    located: int = 0

    def picture(self, number: int) -> np.ndarray:
        """Return a picture that holds its number."""
        return np.full((480, 640, 3), number, np.uint8)

    def detect(self, image: np.ndarray, levels: int = 1) -> list[PersonDetection]:
        self.levels.append(levels)
        number = int(image[0, 0, 0])
        if self.blind(number):
            return []
        return [PersonDetection(body(x).region, 0.9) for x in self.places(number)]

    def locate(self, image: np.ndarray, region: Region) -> BodyLandmarks | None:
        self.located += 1
        near = [x for x in self.places(int(image[0, 0, 0])) if abs(x - region.x) < 60]
        return body(min(near, key=lambda x: abs(x - region.x))) if near else None
