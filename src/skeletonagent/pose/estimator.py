"""Pose estimator: the persons of each picture, followed from one picture to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import DataError
from skeletonagent.pose.detector import PersonDetection, near, tile_levels
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region
from skeletonagent.pose.tracker import PersonTracker, keypoint_similarity

DETECTION_INTERVAL = 0.2
"""Seconds between looks at the whole picture for persons who are not followed yet."""
TILE_INTERVAL = 1.0
"""Seconds between looks at the tiles of the picture."""
SMALLEST_PERSON = 80.0
"""Height in pixels of the smallest persons who are looked for by default."""
_SAME, _SAME_NEW = 0.3, 0.2
"""Similarity from which two poses in one picture are of one person, and if one is new."""


@runtime_checkable
class Detector(Protocol):
    """Detector of persons in a picture."""

    def detect(self, image: UInt8[np.ndarray, "h w 3"], levels: int = 1) -> list[PersonDetection]:
        """Return the persons, the surest first; more levels find smaller ones."""
        ...


@runtime_checkable
class BodyModel(Protocol):
    """Model that finds the joints of the person in a region."""

    def locate(self, image: UInt8[np.ndarray, "h w 3"], region: Region) -> BodyLandmarks | None:
        """Return the joints, None if there is no person."""
        ...


@dataclass(frozen=True)
class PersonPose:
    """Person in a picture.

    Args:
        number: Number of the person, the same in all pictures.
        body: Joints of the person.
    """

    number: int
    body: BodyLandmarks


class PoseEstimator:
    """Estimator that is given one picture after another, as files and cameras have them.

    A person who was found is followed by the region of the last picture, which is quicker and
    steadier than to detect anew. At intervals the detector looks for further persons.

    Args:
        detector: Detector of persons.
        model: Model of the joints.
        max_persons: Largest number of persons to follow.
        smallest_person: Height in pixels of the smallest persons to look for. Small ones take time:
            the detector looks at tiles of the picture too.
    """

    def __init__(
        self,
        detector: Detector,
        model: BodyModel,
        max_persons: int,
        smallest_person: float = SMALLEST_PERSON,
    ) -> None:
        self._detector = detector
        self._model = model
        self._max_persons = max_persons
        self._smallest = smallest_person
        self._tracker = PersonTracker()
        self._persons: list[PersonPose] = []
        self._image: np.ndarray | None = None
        self._looked = self._tiled = float("-inf")

    def step(self, image: UInt8[np.ndarray, "h w 3"], time: float) -> Sequence[PersonPose]:
        """Return the persons of the next picture.

        Args:
            image: The picture in RGB.
            time: Its moment in seconds, later than the last one.

        Raises:
            DataError: If pictures differ in size.
        """
        if self._image is not None and image.shape != self._image.shape:
            raise DataError(
                f"the picture at {time:.2f} s has {image.shape[1]} x {image.shape[0]} pixels, "
                f"those before have {self._image.shape[1]} x {self._image.shape[0]}"
            )
        if image is self._image:  # a picture that is shown for longer
            bodies = [person.body for person in self._persons]
        else:
            bodies = self._followed(image)
            lost = len(bodies) < len(self._persons)
            if len(bodies) < self._max_persons and (lost or self._due(time)):
                self._add_detected(bodies, image, time)
        self._image = image
        numbers = self._tracker.update(
            [body.points for body in bodies], [body.confidence for body in bodies], time
        )
        self._persons = [PersonPose(n, body) for n, body in zip(numbers, bodies, strict=True)]
        return self._persons

    def _due(self, time: float) -> bool:
        return time - self._looked >= DETECTION_INTERVAL - 1e-6

    def _followed(self, image: UInt8[np.ndarray, "h w 3"]) -> list[BodyLandmarks]:
        """Return the persons of the last picture in this one, those known for longer first."""
        bodies: list[BodyLandmarks] = []
        for person in sorted(self._persons, key=lambda person: person.number):
            self._add(bodies, self._model.locate(image, person.body.region))
        return bodies

    def _add_detected(
        self, bodies: list[BodyLandmarks], image: UInt8[np.ndarray, "h w 3"], time: float
    ) -> None:
        """Add the persons whom the detector finds beside those who are followed."""
        self._looked, levels = time, 1
        if time - self._tiled >= TILE_INTERVAL - 1e-6:
            self._tiled = time
            levels = tile_levels(image.shape[0], image.shape[1], self._smallest)
        for found in self._detector.detect(image, levels):
            if len(bodies) >= self._max_persons:
                break
            if any(near(found.region, other.region) for other in bodies):
                continue
            body = self._model.locate(image, found.region)
            if body is not None and not any(near(body.region, other.region) for other in bodies):
                self._add(bodies, body, _SAME_NEW)

    @staticmethod
    def _add(bodies: list[BodyLandmarks], body: BodyLandmarks | None, same: float = _SAME) -> None:
        """Add a person unless it is one of those that are there."""
        if body is None or not body.region.valid:
            return
        everything = np.ones(len(body.points), bool)
        if all(keypoint_similarity(b.points, body.points, everything) < same for b in bodies):
            bodies.append(body)
