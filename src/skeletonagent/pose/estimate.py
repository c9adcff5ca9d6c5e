"""Pose estimation: pictures of a constant rate to a keypoint recording."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.pose.detector import PersonDetector
from skeletonagent.pose.estimator import SMALLEST_PERSON, BodyModel, PersonPose, PoseEstimator
from skeletonagent.pose.fetch import find_pose_models
from skeletonagent.pose.landmarks import LandmarkModel
from skeletonagent.pose.onnx_model import TopDownModel
from skeletonagent.pose.runtime import LiteModel
from skeletonagent.pose.smoothing import smooth_body
from skeletonagent.video.reading import VideoFrame

MAX_PERSONS = 5
"""Largest number of persons who are followed by default."""
_SHORTEST = 0.2
"""Seconds below which somebody who appears is taken for a mistake of the detector."""


@dataclass(frozen=True)
class PoseOptions:
    """Options of pose estimation.

    Args:
        max_persons: Largest number of persons to follow at a time.
        world: Whether joints are in 3D: metres from the middle of the hips, x to the right, y down,
            z away from the camera. Otherwise in 2D, in pixels.
        smallest_person: Height in pixels of the smallest persons to look for.
        min_confidence: Confidence below which a joint counts as not seen.
        model: ONNX model of a single person in place of BlazePose's landmarks.
        layout: Skeleton of the joints of that model.
        smooth: Whether joints are smoothed over time, by a one-euro filter.
    """

    max_persons: int = MAX_PERSONS
    world: bool = False
    smallest_person: float = SMALLEST_PERSON
    min_confidence: float = 0.1
    model: Path | None = None
    layout: SkeletonLayout | None = None
    smooth: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without the model."""
        problems = []
        if self.max_persons < 1:
            problems.append(f"max_persons must be at least 1, got {self.max_persons}")
        if not self.smallest_person > 0:
            problems.append(f"smallest_person must be positive, got {self.smallest_person:g}")
        if not 0 <= self.min_confidence <= 1:
            problems.append(f"min_confidence is between 0 and 1, got {self.min_confidence:g}")
        if self.model is not None and self.layout is None:
            problems.append("an ONNX model needs its layout, such as coco-17: no file says it")
        if self.model is None and self.layout is not None:
            problems.append(f"BlazePose has its own layout, {MEDIAPIPE_33.name}; give none")
        if self.model is not None and self.world:
            problems.append("an ONNX model gives joints in 2D alone; leave world out")
        if problems:
            raise ConfigError("; ".join(problems))


def build_estimator(options: PoseOptions) -> PoseEstimator:
    """Return an estimator that takes one picture after another.

    Raises:
        ConfigError: If the models were not fetched, or a package is missing.
        DataError: If a model cannot be read.
    """
    files = find_pose_models()
    model: BodyModel
    if options.model is None or options.layout is None:
        model = LandmarkModel(LiteModel(files.landmarks))
    else:
        model = TopDownModel(options.model, options.layout.num_joints)
    detector = PersonDetector(LiteModel(files.detector))
    return PoseEstimator(
        detector,
        model,
        options.max_persons,
        options.smallest_person,
        options.layout or MEDIAPIPE_33,
    )


@dataclass(frozen=True)
class VideoPoses:
    """Persons in the pictures of a video, from which recordings in 2D and in 3D are made.

    Args:
        name: Name of the recordings.
        source: File that the pictures are from.
        fps: Pictures a second.
        image_size: Width and height of the pictures.
        pictures: Persons of each picture.
        layout: Skeleton of their joints.
        min_confidence: Confidence below which a joint counts as not seen.
        smooth: Whether joints are smoothed over time.
    """

    name: str
    source: Path | None
    fps: float
    image_size: tuple[float, float]
    pictures: Sequence[Sequence[PersonPose]]
    layout: SkeletonLayout
    min_confidence: float
    smooth: bool = False

    @property
    def least_pictures(self) -> int:
        """Number of pictures below which somebody is taken for a mistake of the detector."""
        return min(len(self.pictures), max(2, round(_SHORTEST * self.fps)))

    @property
    def pictures_by_person(self) -> Counter[int]:
        """Number of pictures in which each person was seen, mistakes among them."""
        return Counter(person.number for persons in self.pictures for person in persons)

    @property
    def persons(self) -> list[int]:
        """Numbers of the persons in the order in which they appear, without mistakes."""
        seen = self.pictures_by_person
        return [number for number in sorted(seen) if seen[number] >= self.least_pictures]

    def recording(self, *, world: bool = False) -> KeypointRecording:
        """Return the recording; where nobody was found, it has one body that is never there.

        Args:
            world: Whether joints are in metres around the hips instead of in pixels.

        Raises:
            ConfigError: If the model gave joints in pixels alone.
        """
        rows = {number: row for row, number in enumerate(self.persons)}
        shape = (max(1, len(rows)), len(self.pictures), self.layout.num_joints)
        joints, confidence = np.full((*shape, 3 if world else 2), np.nan), np.zeros(shape)
        for frame, persons in enumerate(self.pictures):
            for person in persons:
                row, body = rows.get(person.number), person.body
                places = body.world if world else body.points
                if places is None:
                    raise ConfigError("an ONNX model gives joints in 2D alone; leave world out")
                if row is not None:
                    joints[row, frame], confidence[row, frame] = places, body.confidence
        joints[confidence < self.min_confidence] = np.nan
        if self.smooth:
            joints = np.stack([smooth_body(body, self.fps, world=world) for body in joints])
        return KeypointRecording(
            name=self.name,
            joints=joints,
            joint_names=self.layout.joints,
            layout=self.layout,
            confidence=confidence,
            fps=self.fps,
            image_size=None if world else self.image_size,
            person_ids=tuple(map(str, rows)),
            source=self.source,
        )


def recording_of_frames(
    frames: Iterable[VideoFrame] | Iterable[UInt8[np.ndarray, "h w 3"]],
    fps: float,
    options: PoseOptions | None = None,
    *,
    name: str = "video",
    source: Path | None = None,
) -> KeypointRecording:
    """Return the joints of the persons in pictures of a constant rate.

    Persons are in the order in which they appear, each under its number. Who appears for less than
    a fifth of a second is left out with a warning. Where nobody is found, a warning says so, and
    the recording has one body that is never there.

    Args:
        frames: Pictures in RGB, one after another.
        fps: Pictures a second.
        options: Options; None for the defaults.
        name: Name of the recording.
        source: File that the pictures are from.

    Raises:
        ConfigError: If the models were not fetched, or a package is missing.
        DataError: If there is no picture, or pictures differ in size.
    """
    options = options or PoseOptions()
    poses = estimate_poses(frames, fps, options, name=name, source=source)
    return poses.recording(world=options.world)


def estimate_poses(
    frames: Iterable[VideoFrame] | Iterable[UInt8[np.ndarray, "h w 3"]],
    fps: float,
    options: PoseOptions | None = None,
    *,
    name: str = "video",
    source: Path | None = None,
) -> VideoPoses:
    """Return the persons in pictures of a constant rate; see :func:`recording_of_frames`."""
    options = options or PoseOptions()
    estimator = build_estimator(options)
    images = (frame.image if isinstance(frame, VideoFrame) else frame for frame in frames)
    first = next(images, None)
    if first is None:
        raise DataError("there is no picture to look at", path=source)
    persons = [estimator.step(image, n / fps) for n, image in enumerate(chain([first], images))]
    poses = VideoPoses(
        name=name,
        source=source,
        fps=fps,
        image_size=(float(first.shape[1]), float(first.shape[0])),
        pictures=persons,
        layout=options.layout or MEDIAPIPE_33,
        min_confidence=options.min_confidence,
        smooth=options.smooth,
    )
    _warn_of_absent(poses, options)
    return poses


def _warn_of_absent(poses: VideoPoses, options: PoseOptions) -> None:
    where = poses.source or poses.name
    left_out = len(poses.pictures_by_person) - len(poses.persons)
    if left_out:
        warnings.warn(
            f"{where}: {left_out} person(s) seen in fewer than {poses.least_pictures} frames are "
            "left out as mistakes of the detector",
            stacklevel=4,
        )
    if not poses.persons:
        warnings.warn(
            f"{where}: nobody is found in {len(poses.pictures)} frame(s); people must be real or "
            f"look so, upright, and at least {options.smallest_person:g} pixels high (choose less "
            "for smaller ones)",
            stacklevel=4,
        )
