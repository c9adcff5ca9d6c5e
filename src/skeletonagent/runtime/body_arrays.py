"""Bodies of one sample as NumPy arrays: where they are seen, and where their sample begins.

This is what :mod:`skeletonagent.data.stored_bodies` computes for many samples in PyTorch; both give
the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.settings import Origin


@dataclass(frozen=True)
class BodyArrays:
    """Bodies of one sample.

    Args:
        frames: Coordinates, and after them perhaps a confidence.
        present: Whether each joint is present: one of its coordinates was not zero as stored.
        coordinates: Number of leading channels that are coordinates.
    """

    frames: Float[np.ndarray, "m t v c"]
    present: Bool[np.ndarray, "m t v"]
    coordinates: int

    @classmethod
    def of(cls, frames: Float[np.ndarray, "m t v c"], coordinates: int) -> BodyArrays:
        """Return the bodies of frames; present joints are computed."""
        return cls(frames, np.any(frames[..., :coordinates] != 0, axis=-1), coordinates)

    @property
    def persons(self) -> int:
        """Number of bodies, M."""
        return int(self.frames.shape[0])

    @property
    def joints(self) -> Float[np.ndarray, "m t v d"]:
        """Coordinates of all joints, without their confidence."""
        return self.frames[..., : self.coordinates]

    @property
    def visible(self) -> Bool[np.ndarray, "m t"]:
        """Whether each body is seen in each frame."""
        seen: np.ndarray = np.any(self.present, axis=2)
        return seen

    def with_joints(self, joints: Float[np.ndarray, "m t v d"]) -> BodyArrays:
        """Return the bodies with other coordinates, which count as present where these do."""
        frames = np.concatenate([joints, self.frames[..., self.coordinates :]], axis=-1)
        return replace(self, frames=frames)

    def at_frames(self, kept: Shaped[np.ndarray, " t"]) -> BodyArrays:
        """Return some frames, as numbers or as flags."""
        return replace(self, frames=self.frames[:, kept], present=self.present[:, kept])

    def in_order(self, bodies: Int[np.ndarray, " m"]) -> BodyArrays:
        """Return the bodies in another order."""
        return replace(self, frames=self.frames[bodies], present=self.present[bodies])

    def centers(
        self, layout: SkeletonLayout
    ) -> tuple[Float[np.ndarray, "m t d"], Bool[np.ndarray, "m t"]]:
        """Return the place of each body in each frame, and whether it is seen there.

        It is the center joint. Where this is zero in all frames of a body, either the body was
        centred frame by frame, so that zero lies between the joints, or the joint was never seen.
        Then the mean of the joints that it has bones with takes its place, each with its mirror
        joint, or of all joints if none of these is seen.
        """
        points, seen = self.joints[:, :, layout.center], self.present[:, :, layout.center]
        never: np.ndarray = ~np.any(seen, axis=1)
        if not never.any():
            return points, seen
        visible, present = self.visible, self.present[..., None]
        low = np.where(present, self.joints, np.inf).min(axis=2)
        high = np.where(present, self.joints, -np.inf).max(axis=2)
        outside = visible & np.any((low > 0) | (high < 0), axis=-1)
        absent = never & outside.any(axis=1)
        near = np.zeros_like(self.present)
        near[..., [joint for bone in layout.bones for joint in bone if layout.center in bone]] = (
            True
        )
        near = near & self.present & self.present[..., list(layout.mirror)]
        counted = np.where(near.any(axis=2, keepdims=True), near, self.present)
        count = np.maximum(counted.sum(axis=2), 1)[..., None]
        sums = (self.joints.astype(np.float64) * counted[..., None]).sum(axis=2)
        means = (sums / count).astype(points.dtype)
        points = np.where(absent[:, None, None], means, points)
        return points, np.where(never[:, None], visible, seen)

    def seen_origin(self, layout: SkeletonLayout, origin: Origin) -> Float[np.ndarray, " d"]:
        """Return the origin in the first frame in which the place of the leading body is seen.

        Unlike in :meth:`first_frame_origin`, an absent center joint is no place at zero.
        """
        points, seen = self.centers(layout)
        ever = self.visible.any(axis=1)
        lead = int(ever.argmax())
        frames = np.flatnonzero(seen[lead])
        if not len(frames):
            return np.zeros(self.coordinates, dtype=points.dtype)
        frame = frames[0]
        bodies = range(self.persons) if origin is Origin.GROUP else [lead]
        return _mean_point([points[body, frame] for body in bodies if seen[body, frame]])

    def first_frame_origin(self, center: int, origin: Origin) -> Float[np.ndarray, " d"]:
        """Return the origin in the first frame; zero if the first body is absent there.

        An absent center joint counts as one at zero, as in the recipe of spec 2.2.
        """
        visible = self.visible[:, 0]
        if not visible[0]:
            return np.zeros(self.coordinates, dtype=self.frames.dtype)
        bodies = range(self.persons) if origin is Origin.GROUP else [0]
        return _mean_point([self.joints[body, 0, center] for body in bodies if visible[body]])

    def shifted(self, point: Float[np.ndarray, " d"]) -> BodyArrays:
        """Return the bodies relative to a point; absent joints stay zero."""
        return self.with_joints(self.joints - self.present[..., None] * point)

    def frames_of_somebody(self) -> BodyArrays:
        """Return the frames in which a body is seen; all if none ever is."""
        seen = np.any(self.visible, axis=0)
        return self.at_frames(seen) if seen.any() else self

    def led_frames(self) -> BodyArrays:
        """Return the frames with the leading body by the recipe of spec 2.2, as first body.

        Of two bodies it is the one seen in more frames, of any other number the first; all frames
        stay if it is never present.
        """
        visible = self.visible
        counts = visible.sum(axis=1)
        led = self.in_order(np.array([1, 0])) if _second_leads(counts) else self
        kept = led.visible[0]
        return led.at_frames(kept) if kept.any() else led


def _second_leads(counts: Int[np.ndarray, " m"]) -> bool:
    return len(counts) == 2 and bool(counts[0] < counts[1])


def _mean_point(points: list[np.ndarray]) -> Float[np.ndarray, " d"]:
    total = np.zeros_like(points[0])
    for point in points:  # in this order, as in PyTorch
        total = total + point
    return total / np.float32(len(points))


def frame_means(
    values: Float[np.ndarray, "m t k *d"], counted: Bool[np.ndarray, "m t k"]
) -> tuple[Float[np.ndarray, "m k *d"], Bool[np.ndarray, "m k"]]:
    """Return means over the frames that count, in double precision, and whether any does."""
    counts = counted.sum(axis=1)
    extra = (1,) * (values.ndim - counted.ndim)
    weighted = values * counted.reshape(*counted.shape, *extra)
    divisor = np.maximum(counts, 1).reshape(*counts.shape, *extra)
    return weighted.sum(axis=1, dtype=np.float64) / divisor, counts > 0
