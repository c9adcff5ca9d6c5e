"""Pose estimator: the persons of each picture, followed from one picture to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.pose.covered import (
    LONGEST_COVERED,
    PersonSpan,
    meet,
    painted_over,
    regions_of_one,
)
from skeletonagent.pose.detector import PersonDetection, near, tile_levels
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region
from skeletonagent.pose.tracker import MAX_GAP, PersonTracker, keypoint_similarity

DETECTION_INTERVAL = 0.2
"""Seconds between looks at the whole picture for persons who are not followed yet."""
TILE_INTERVAL = 1.0
"""Seconds between looks at the tiles of the picture."""
SMALLEST_PERSON = 80.0
"""Height in pixels of the smallest persons who are looked for by default."""
_SAME, _SAME_NEW = 0.3, 0.2
"""Similarity from which two poses in one picture are of one person, and if one is new."""
_STILL = 0.15
"""Similarity to the last pose from which a pose behind others is of the person who was lost."""


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


@dataclass
class _Seen:
    """Body in the present picture.

    Args:
        body: Its joints.
        before: The person of the last pictures it was found by; None if the detector found it.
        uncovered: Whether it was found in the picture as it is.
    """

    body: BodyLandmarks
    before: PersonPose | None = None
    uncovered: bool = True


class PoseEstimator:
    """Estimator that is given one picture after another, as files and cameras have them.

    A person who was found is followed by the region of the last picture, which is quicker and
    steadier than to detect anew. At intervals the detector looks for further persons. Where two
    persons meet and one is lost, it is looked for with the other painted over.

    Args:
        detector: Detector of persons.
        model: Model of the joints.
        max_persons: Largest number of persons to follow.
        smallest_person: Height in pixels of the smallest persons to look for. Small ones take time:
            the detector looks at tiles of the picture too.
        layout: Skeleton of the joints that the model finds.
    """

    def __init__(
        self,
        detector: Detector,
        model: BodyModel,
        max_persons: int,
        smallest_person: float = SMALLEST_PERSON,
        layout: SkeletonLayout = MEDIAPIPE_33,
    ) -> None:
        self._detector = detector
        self._model = model
        self._max_persons = max_persons
        self._smallest = smallest_person
        self._layout = layout
        self._tracker = PersonTracker()
        self._persons: list[PersonPose] = []
        self._lost: dict[int, tuple[PersonPose, float]] = {}
        self._spans: dict[int, PersonSpan] = {}
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
            seen = [_Seen(person.body) for person in self._persons]
        else:
            seen = self._look(image, time)
        self._image = image
        bodies = [one.body for one in seen]
        numbers = self._tracker.update(
            [body.points for body in bodies], [body.confidence for body in bodies], time
        )
        lost = {person.number: (person, time) for person in self._persons}
        self._persons = [PersonPose(n, body) for n, body in zip(numbers, bodies, strict=True)]
        self._remember(lost, numbers, seen, time)
        return self._persons

    def _look(self, image: UInt8[np.ndarray, "h w 3"], time: float) -> list[_Seen]:
        """Return the bodies in a new picture."""
        seen = self._followed(image)
        self._add_covered(seen, image, time)
        lost = len(seen) < len(self._persons)
        if len(seen) < self._max_persons and (lost or self._due(time)):
            self._add_covered(seen, image, time, self._add_detected(seen, image, time))
        return seen

    def _remember(
        self,
        lost: dict[int, tuple[PersonPose, float]],
        numbers: Sequence[int],
        seen: Sequence[_Seen],
        time: float,
    ) -> None:
        """Keep for a while who is lost, and since when each person was seen."""
        recent = {**self._lost, **lost}
        self._lost = {
            number: (person, moment)
            for number, (person, moment) in recent.items()
            if number not in numbers and time - moment <= MAX_GAP
        }
        for number, one in zip(numbers, seen, strict=True):
            span = self._spans.setdefault(number, PersonSpan(time, time))
            if one.uncovered:
                span.uncovered = time
        self._spans = {
            number: span
            for number, span in self._spans.items()
            if number in numbers or time - span.uncovered <= LONGEST_COVERED
        }

    def _due(self, time: float) -> bool:
        return time - self._looked >= DETECTION_INTERVAL - 1e-6

    def _followed(self, image: UInt8[np.ndarray, "h w 3"]) -> list[_Seen]:
        """Return the persons of the last picture in this one, those known for longer first.

        Of two who are found at one place, the one whose last pose is more alike is there.
        """
        seen: list[_Seen] = []
        for person in sorted(self._persons, key=lambda person: person.number):
            body = self._model.locate(image, person.body.region)
            if body is None or not body.region.valid:
                continue
            here, other = _Seen(body, person), _most_alike(body, seen)
            if other is None or _similarity(other.body, body) < _SAME:
                seen.append(here)
            elif _staying(here) > _staying(other):
                seen[seen.index(other)] = here
        return seen

    def _add_covered(
        self,
        seen: list[_Seen],
        image: UInt8[np.ndarray, "h w 3"],
        time: float,
        detected: Sequence[Region] = (),
    ) -> None:
        """Add persons who were lost beside others, found with these painted over."""
        there = {one.before.number for one in seen if one.before is not None}
        missed = {person.number: (person, time) for person in self._persons}
        for number, (person, _) in sorted({**self._lost, **missed}.items()):
            span = self._spans.get(number)
            if number in there or span is None or not span.is_sought(time):
                continue
            if len(seen) < self._max_persons:
                found = self._covered(seen, image, person, detected)
                seen += [] if found is None else [_Seen(found, person, uncovered=False)]

    def _covered(
        self,
        seen: Sequence[_Seen],
        image: UInt8[np.ndarray, "h w 3"],
        person: PersonPose,
        detected: Sequence[Region],
    ) -> BodyLandmarks | None:
        """Return a person who is covered in part, None if there is none or nobody covers it."""
        before = person.body
        near_by = [one for one in seen if meet(one.body.region, before.region)]
        returned = (one for one in near_by if one.before is None)
        if not near_by or any(_similarity(one.body, before) >= _STILL for one in returned):
            return None
        painted = painted_over(image, [one.body for one in near_by], self._layout)
        for region in regions_of_one(before.region, detected):
            body = self._model.locate(painted, region)
            if body is None or not body.region.valid or _similarity(before, body) < _STILL:
                continue
            if all(_similarity(one.body, body) < _SAME for one in seen):
                return body
        return None

    def _add_detected(
        self, seen: list[_Seen], image: UInt8[np.ndarray, "h w 3"], time: float
    ) -> list[Region]:
        """Add the persons whom the detector finds beside those seen; return all it finds."""
        self._looked, levels = time, 1
        if time - self._tiled >= TILE_INTERVAL - 1e-6:
            self._tiled = time
            levels = tile_levels(image.shape[0], image.shape[1], self._smallest)
        regions = [found.region for found in self._detector.detect(image, levels)]
        for region in regions:
            if len(seen) >= self._max_persons:
                break
            if any(near(region, other.body.region) for other in seen):
                continue
            body = self._model.locate(image, region)
            if body is None or not body.region.valid:
                continue
            same = any(
                near(body.region, other.body.region) or _similarity(other.body, body) >= _SAME_NEW
                for other in seen
            )
            if not same:
                seen.append(_Seen(body))
        return regions


def _similarity(one: BodyLandmarks, two: BodyLandmarks) -> float:
    """Return how alike two bodies are, all joints compared."""
    return keypoint_similarity(one.points, two.points, np.ones(len(one.points), bool))


def _most_alike(body: BodyLandmarks, seen: Sequence[_Seen]) -> _Seen | None:
    return max(seen, key=lambda one: _similarity(one.body, body), default=None)


def _staying(one: _Seen) -> float:
    """Return how alike a body is to the pose of the person it was found by."""
    return 0.0 if one.before is None else _similarity(one.before.body, one.body)
