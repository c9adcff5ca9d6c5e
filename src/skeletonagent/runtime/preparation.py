"""Preprocessing of one sample in NumPy: gaps, added joints, scale, origin and orientation.

This is what :class:`skeletonagent.data.preprocessing.Preprocessor` does for a data set in PyTorch;
both give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.core.measured_joints import CLEARLY_UPRIGHT
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.compatible_settings import require_orientable
from skeletonagent.data.person_joining import joined_bodies
from skeletonagent.data.settings import (
    AbsentRule,
    DataSettings,
    Gaps,
    Orientation,
    Origin,
    Scale,
)
from skeletonagent.runtime.body_arrays import BodyArrays
from skeletonagent.runtime.body_size import mean_bone_size, rms_size
from skeletonagent.runtime.body_turns import SampleAxes, points, turned_joints
from skeletonagent.runtime.filling import leading_first, without_gaps


@dataclass(frozen=True)
class PreparedSample:
    """Sample after preprocessing, of which clips are taken.

    Args:
        bodies: Its bodies.
        layout: Joints and bones, which may be more than were stored.
        marks_present: Whether absent joints are told from those at zero, so that bones and motions
            are taken between present ones alone.
        drops_depth: Whether clips show x and y alone.
    """

    bodies: BodyArrays
    layout: SkeletonLayout
    marks_present: bool
    drops_depth: bool

    @property
    def without_depth(self) -> BodyArrays:
        """Bodies as clips show them: without their depth, if clips of them have none."""
        if not self.drops_depth:
            return self.bodies
        return replace(self.bodies, frames=flattened(self.bodies.frames), coordinates=2)


@dataclass(frozen=True)
class SamplePreparation:
    """Preprocessing of single samples before clips are taken from them.

    Args:
        settings: Settings of the data set.
        layout: Joints and bones as stored.
        has_confidence: Whether the last channel is a confidence.
    """

    settings: DataSettings
    layout: SkeletonLayout
    has_confidence: bool

    def __call__(self, sample: SkeletonSequence) -> PreparedSample:
        """Return a sample with the joints of its layout, scaled, centred and turned.

        Raises:
            DataError: If a joint is not finite, or the sample cannot be turned since it is in 2D
                or its skeleton has no left and right.
        """
        joints: Float[np.ndarray, "m t v c"] = sample.joints.astype(np.float32)
        coordinates = joints.shape[-1] - self.has_confidence
        orientation = self._orientation_of(coordinates)
        require_orientable(orientation, coordinates, self.layout)
        if not np.isfinite(joints).all():
            raise DataError("holds NaN or infinite joints", sample=sample.sample_id)
        bodies = BodyArrays.of(joints, coordinates)
        if self._masked and bodies.persons > 1:
            bodies = leading_first(bodies, joined_bodies(bodies.joints, bodies.present))
        if self.settings.gaps is Gaps.INTERPOLATE:
            bodies = without_gaps(bodies, self.layout)
        if self.layout.joints == COCO_17.joints:
            bodies = with_middles(bodies, of_seen_joints=self._masked)
        return self.placed(bodies, sample.image_size)

    @property
    def _masked(self) -> bool:
        return self.settings.absent_rule is AbsentRule.MASKED

    @property
    def full_layout(self) -> SkeletonLayout:
        """Joints and bones after preprocessing."""
        return COCO_20 if self.layout.joints == COCO_17.joints else self.layout

    def placed(
        self, bodies: BodyArrays, image_size: tuple[float, float] | None = None
    ) -> PreparedSample:
        """Return bodies with all their joints scaled, centred and turned.

        Args:
            bodies: Bodies with all joints of :attr:`full_layout`.
            image_size: Width and height of the image, if coordinates are divided by it.
        """
        flat = self.settings.dims == 2 and bodies.coordinates == 3
        if not flat:
            bodies = self._scaled(bodies, image_size)
        if self._places(bodies.coordinates):
            bodies = self._moved(bodies)
        return PreparedSample(bodies, self.full_layout, self._masked, flat)

    def _orientation_of(self, coordinates: int) -> Orientation:
        """Return the axes that samples are turned to; joints of pictures stay as they are."""
        flat = self.settings.dims == 2 and coordinates == 2
        return Orientation.CAMERA if flat else self.settings.orientation

    def _scaled(self, bodies: BodyArrays, image_size: tuple[float, float] | None) -> BodyArrays:
        """Return bodies with coordinates divided by their size, before they are centred."""
        match self.settings.scale:
            case Scale.NONE:
                return bodies
            case Scale.BODY:
                size = mean_bone_size(bodies, self.full_layout)
            case Scale.IMAGE:
                size = rms_size(bodies) if image_size is None else max(image_size)
        return bodies.with_joints(bodies.joints / np.float32(size))

    def _places(self, coordinates: int) -> bool:
        """Return whether samples are moved or turned."""
        settings = self.settings
        turned = self._orientation_of(coordinates) is not Orientation.CAMERA
        return settings.origin is not Origin.NONE or turned or settings.dims == 2

    def _moved(self, bodies: BodyArrays) -> BodyArrays:
        led, origin = self._led(bodies)
        placed = led if origin is None else led.shifted(origin)
        orientation = self._orientation_of(led.coordinates)
        if orientation is not Orientation.CAMERA:
            axes = SampleAxes(led, self.full_layout, self.settings.origin)
            rotations = axes.rotations(orientation, self.settings.orientation_per)
            placed = placed.with_joints(turned_joints(placed.joints, rotations))
        if self.settings.dims != 2:
            return placed
        placed = placed.with_joints(upright(placed, self.full_layout))
        return self._scaled_in_plane(placed) if placed.coordinates == 3 else placed

    def _led(self, bodies: BodyArrays) -> tuple[BodyArrays, Float[np.ndarray, " d"] | None]:
        """Return the frames that stay, and the origin; None for no centring."""
        origin = self.settings.origin
        if origin is Origin.NONE:
            return bodies, None
        if self._masked:
            led = bodies.frames_of_somebody()
            return led, led.seen_origin(self.full_layout, origin)
        led = bodies.led_frames()
        return led, led.first_frame_origin(self.full_layout.center, origin)

    def _scaled_in_plane(self, bodies: BodyArrays) -> BodyArrays:
        """Return bodies in 3D divided by the size that they have in x and y."""
        if self.settings.scale is Scale.NONE:
            return bodies
        plane = replace(bodies, frames=flattened(bodies.frames), coordinates=2)
        is_body = self.settings.scale is Scale.BODY
        size = mean_bone_size(plane, self.full_layout) if is_body else rms_size(plane)
        return bodies.with_joints(bodies.joints / np.float32(size))


def flattened(values: Float[np.ndarray, "*n c"]) -> Float[np.ndarray, "*n d"]:
    """Return values of x, y and perhaps a confidence, without the depth between them."""
    return np.concatenate([values[..., :2], values[..., 3:]], axis=-1)


def upright(bodies: BodyArrays, layout: SkeletonLayout) -> Float[np.ndarray, "m t v d"]:
    """Return joints whose y points up by the way from the legs to the head.

    Where that does not say it, y is taken to point down in 2D and up in 3D; joints in 3D get half
    a turn about x. See :func:`skeletonagent.data.projection.upright_joints`.
    """
    up, _ = SampleAxes(bodies, layout, Origin.PERSON).of_bodies
    known = max(1, int(points(up).sum()))
    along = up[:, 1].sum() / known
    limit = CLEARLY_UPRIGHT if bodies.coordinates == 2 else -CLEARLY_UPRIGHT
    signs = np.ones(bodies.coordinates, dtype=np.float32)
    signs[1:] = -1
    return bodies.joints * signs if along < limit else bodies.joints


def with_middles(bodies: BodyArrays, *, of_seen_joints: bool) -> BodyArrays:
    """Return bodies of COCO-17 with the three middle joints of COCO-20.

    Middle of hips, middle of shoulders, and the thorax between them are means, also of the
    keypoint confidence. Source: spec 2.2, Kinetics_Transform.

    Args:
        bodies: Bodies.
        of_seen_joints: Whether a middle is absent where one of its ends is; otherwise absent ends
            count as zeros, as in the source.
    """
    frames, seen = bodies.frames, np.any(bodies.joints != 0, axis=-1)
    (left_hip, right_hip), (left, right) = (
        [COCO_17.joints.index(f"{side} {part}") for side in ("left", "right")]
        for part in ("hip", "shoulder")
    )
    hips = (frames[..., left_hip, :] + frames[..., right_hip, :]) / 2
    shoulders = (frames[..., left, :] + frames[..., right, :]) / 2
    middles = np.stack([hips, (hips + shoulders) / 2, shoulders], axis=-2)
    if of_seen_joints:
        of_hips = seen[..., left_hip] & seen[..., right_hip]
        of_shoulders = seen[..., left] & seen[..., right]
        there: Bool[np.ndarray, "m t 3"] = np.stack(
            [of_hips, of_hips & of_shoulders, of_shoulders], axis=-1
        )
        middles = middles * there[..., None]
    return BodyArrays.of(np.concatenate([frames, middles], axis=-2), bodies.coordinates)
