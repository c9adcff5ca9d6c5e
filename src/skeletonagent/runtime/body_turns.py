"""Axes of the bodies of one sample, and rotations to these, in NumPy.

For the rules see :mod:`skeletonagent.data.orientation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import axis_joints
from skeletonagent.data.settings import Orientation, OrientationPer, Origin
from skeletonagent.runtime.body_arrays import BodyArrays, frame_means
from skeletonagent.runtime.filling import interpolated


@dataclass(frozen=True)
class SampleAxes:
    """Axes that one sample is turned to, as a whole or frame by frame.

    Args:
        bodies: Bodies, not centred, so that an absent joint is not taken for one at zero.
        layout: The skeleton.
        origin: With ``group``, samples of two bodies have the axes of the pair.
    """

    bodies: BodyArrays
    layout: SkeletonLayout
    origin: Origin

    def rotations(
        self, orientation: Orientation, per: OrientationPer
    ) -> Float[np.ndarray, "t 3 3"]:
        """Return the rotation of each frame; none where no axes can be measured."""
        across, up = self._of_sample
        turned = _rotation(across[None], up[None], orientation)
        frames = self.bodies.frames.shape[1]
        if per is OrientationPer.CLIP:
            return np.repeat(turned, frames, axis=0)
        across, up = self._of_frames
        seen = points(across) & points(up)
        return np.where(seen[:, None, None], _rotation(across, up, orientation), turned)

    @cached_property
    def of_bodies(self) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m d"]]:
        """Up and left of each body over all its frames, in 2D as well; zero where unknown."""
        place, known = frame_means(*self._relative)
        return axes_of_places(place, self.layout, known)

    @cached_property
    def _of_sample(self) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
        """Axes along x and y; zero where they cannot be measured."""
        up, left = self.of_bodies
        across, upright = left[self._measured], up[self._measured]
        if self.origin is Origin.GROUP:
            line, seen = self._line
            mean = frame_means(line[None, :, None], seen[None, :, None])[0][0, 0]
            across, upright = _prefer_pair(mean, up.sum(axis=0), across, upright)
        return across, upright

    @cached_property
    def _relative(self) -> tuple[Float[np.ndarray, "m t v d"], Bool[np.ndarray, "m t v"]]:
        """Joints relative to the center of their body, and whether they count."""
        centers, seen = self.bodies.centers(self.layout)
        relative = (self.bodies.joints - centers[:, :, None]).astype(np.float64)
        return relative, self.bodies.present & seen[..., None]

    @cached_property
    def _measured(self) -> int:
        """Number of the first body whose axes are known, 0 if there is none."""
        up, left = self.of_bodies
        return int((points(up) & points(left)).argmax())

    @cached_property
    def _line(self) -> tuple[Float[np.ndarray, "t 3"], Bool[np.ndarray, " t"]]:
        """Way from the first to the second body in each frame, and whether both are seen."""
        centers, seen = self.bodies.centers(self.layout)
        if self.bodies.persons < 2:
            return np.zeros_like(centers[0], dtype=np.float64), np.zeros_like(seen[0])
        return (centers[1] - centers[0]).astype(np.float64), seen[0] & seen[1]

    @cached_property
    def _of_frames(self) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3"]]:
        """Axes along x and y in each frame; zero where they cannot be measured.

        A frame counts in which every joint is seen that the body's axes are measured by; axes are
        interpolated over the others.
        """
        axes = self._axes_of_bodies
        left, upright = axes[self._measured, :, 0], axes[self._measured, :, 1]
        across = unit_vectors(_square_to(left, upright))
        if self.origin is Origin.GROUP:
            line, seen = self._line
            span = (0, len(line) - 1)
            ways = interpolated(line[:, None], seen[:, None], span)[:, 0] * seen.any()
            across, upright = _prefer_pair(ways, axes[:, :, 1].sum(axis=0), across, upright)
        return across, upright

    @property
    def _axes_of_bodies(self) -> Float[np.ndarray, "m t 2 3"]:
        """Left and up of each body in each frame; zero of a body of which no frame counts."""
        relative, counted = self._relative
        upper, lower, trunk = axis_joints(self.layout)
        needed = sorted({*upper, *lower, *(joint for pair in trunk for joint in pair)})
        never = ~np.any(counted, axis=1, keepdims=True)[..., needed]
        up, left = axes_of_places(relative, self.layout, counted)
        whole = (counted[..., needed] | never).all(axis=2) & points(up) & points(left)
        span = (0, whole.shape[1] - 1)
        filled = [
            interpolated(own, np.stack([known, known], axis=1), span)
            for own, known in zip(np.stack([left, up], axis=2), whole, strict=True)
        ]
        ever = whole.any(axis=1)[:, None, None, None]
        axes: np.ndarray = unit_vectors(np.stack(filled)) * ever
        return axes


def axes_of_places(
    place: Float[np.ndarray, "*b v c"], layout: SkeletonLayout, known: Bool[np.ndarray, "*b v"]
) -> tuple[Float[np.ndarray, "*b c"], Float[np.ndarray, "*b c"]]:
    """Return a body's own up, and its own left square to it, as unit vectors.

    Args:
        place: Positions of the joints, relative to any point.
        layout: The skeleton.
        known: Whether a position is known. A joint counts if its mirror joint is known as well; an
            axis without joints is zero.
    """
    upper, lower, trunk = axis_joints(layout)
    both = known & known[..., list(layout.mirror)]
    up = _mean_of(place, known, both, upper) - _mean_of(place, known, both, lower)
    measured = np.any(known[..., upper], axis=-1) & np.any(known[..., lower], axis=-1)
    up = up * measured[..., None]
    left = np.zeros_like(up)
    for one, other in trunk:
        left = left + (place[..., one, :] - place[..., other, :]) * both[..., [one]]
    up = unit_vectors(up)
    return up, unit_vectors(_square_to(left, up))


def _mean_of(
    place: Float[np.ndarray, "*b v c"],
    known: Bool[np.ndarray, "*b v"],
    both: Bool[np.ndarray, "*b v"],
    joints: Sequence[int],
) -> Float[np.ndarray, "*b c"]:
    """Return the mean of joints that are known on both sides, or else of all that are known."""
    of_both = both[..., joints].any(axis=-1, keepdims=True)
    weight = np.where(of_both, both[..., joints], known[..., joints])[..., None]
    total: np.ndarray = (place[..., joints, :] * weight).sum(axis=-2)
    mean: np.ndarray = total / np.maximum(weight.sum(axis=-2), 1)
    return mean


def unit_vectors(x: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b c"]:
    """Return vectors divided by their length; those of length zero stay zero."""
    lengths = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    unit: np.ndarray = x / np.maximum(lengths, 1e-12)
    return unit


def points(x: Float[np.ndarray, "*b c"]) -> Bool[np.ndarray, "*b"]:
    """Return whether unit vectors have a direction; those that have none are zero."""
    flags: np.ndarray = np.square(x).sum(axis=-1) > 0.5
    return np.asarray(flags)


def _square_to(x: Float[np.ndarray, "*b c"], axis: Float[np.ndarray, "*b c"]) -> np.ndarray:
    """Return the part of vectors that is square to unit vectors."""
    rest: np.ndarray = x - (x * axis).sum(axis=-1, keepdims=True) * axis
    return rest


def _prefer_pair(
    line: Float[np.ndarray, "*b 3"],
    up: Float[np.ndarray, "*b 3"],
    across: Float[np.ndarray, "*b 3"],
    own_up: Float[np.ndarray, "*b 3"],
) -> tuple[Float[np.ndarray, "*b 3"], Float[np.ndarray, "*b 3"]]:
    """Return the axes of a pair of bodies where they are known, a body's own axes elsewhere."""
    upright, way = unit_vectors(up), unit_vectors(line)
    pair = points(upright) & points(unit_vectors(_square_to(way, upright)))
    return np.where(pair[..., None], way, across), np.where(pair[..., None], upright, own_up)


def _rotation(
    across: Float[np.ndarray, "b 3"], up: Float[np.ndarray, "b 3"], orientation: Orientation
) -> Float[np.ndarray, "b 3 3"]:
    """Return rotations that bring axes to x and y, in single precision."""
    known = points(across) & points(up)
    if orientation is Orientation.HEADING:
        up = np.broadcast_to(np.array([0.0, 1.0, 0.0]), up.shape)
    across = unit_vectors(_square_to(across, up))
    known = (known & points(across))[:, None, None]
    rotations = np.stack([across, up, np.cross(across, up)], axis=1)
    turned: np.ndarray = np.where(known, rotations, np.eye(3)).astype(np.float32)
    return turned


def turned_joints(
    joints: Float[np.ndarray, "m t v 3"], rotations: Float[np.ndarray, "t 3 3"]
) -> Float[np.ndarray, "m t v 3"]:
    """Return the joints of each frame rotated."""
    x, y, z = (joints[..., [axis]] * rotations[:, None, :, axis] for axis in range(3))
    turned: np.ndarray = x + y + z
    return turned
