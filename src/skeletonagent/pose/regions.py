"""Region of interest: the turned square of a picture that a pose model looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.errors import ConfigError

PERSON_SCALE = 1.25
"""Side of a person's square over the circle that holds the body. Source: MediaPipe's graph."""


@dataclass(frozen=True)
class Region:
    """Square of a picture, in pixels.

    Args:
        x: Column of its centre.
        y: Row of its centre.
        size: Length of a side.
        angle: Clockwise turn in radians; at 0 its upper side is that of the picture.
    """

    x: float
    y: float
    size: float
    angle: float = 0.0

    @property
    def rotation(self) -> Float[np.ndarray, "2 2"]:
        """Matrix that turns offsets of the square to those of the picture."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def to_image(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Return points in pixels of the picture, from shares of the square's sides."""
        offsets = (points - 0.5) * self.size
        return np.asarray(offsets @ self.rotation.T + np.array([self.x, self.y]))

    @property
    def valid(self) -> bool:
        """Whether it is finite and holds at least a pixel."""
        return all(map(math.isfinite, (self.x, self.y, self.size, self.angle))) and self.size >= 1


def person_region(middle: Float[np.ndarray, "2"], rim: Float[np.ndarray, "2"]) -> Region:
    """Return the square of an upright person.

    Args:
        middle: Middle of the hips in pixels.
        rim: Point above the head, on the circle around the middle that holds the body.
    """
    dx, dy = (float(value) for value in rim - middle)
    angle = (1.5 * math.pi - math.atan2(-dy, dx)) % (2 * math.pi) - math.pi
    return Region(float(middle[0]), float(middle[1]), 2 * PERSON_SCALE * math.hypot(dx, dy), angle)


def crop(
    image: UInt8[np.ndarray, "h w 3"], region: Region, side: int, *, border: str
) -> UInt8[np.ndarray, "side side 3"]:
    """Return a region as an upright square picture, interpolated linearly.

    Args:
        image: The picture.
        region: The square, which may reach beyond the picture.
        side: Side of the square picture in pixels.
        border: What lies beyond the picture: ``edge`` repeats its last pixels, ``black``.

    Raises:
        ConfigError: If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            "pose estimation needs Pillow; install it with pip install 'skeletonagent[video]'"
        ) from error
    corners = region.to_image(np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]))
    low = np.floor(corners.min(axis=0)).astype(int) - 2
    high = np.ceil(corners.max(axis=0)).astype(int) + 3
    part = _cut(image, low, high, border)
    matrix = region.rotation * region.size / side
    start = region.to_image(np.zeros(2)) - low + 0.5 - matrix @ np.array([0.5, 0.5])
    affine = (*matrix[0], start[0], *matrix[1], start[1])
    square = Image.fromarray(part).transform(
        (side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    return np.asarray(square)


def _cut(
    image: UInt8[np.ndarray, "h w 3"],
    low: np.ndarray,
    high: np.ndarray,
    border: str,
) -> UInt8[np.ndarray, "y x 3"]:
    """Return the pixels of a box, those beyond the picture by its border."""
    limits = np.array([image.shape[1], image.shape[0]])
    if (high <= 0).any() or (low >= limits).any():  # nothing of the picture
        return np.zeros((1, 1, 3), np.uint8)
    first, last = np.clip(low, 0, limits), np.clip(high, 0, limits)
    part = image[first[1] : last[1], first[0] : last[0]]
    before, after = first - low, high - last
    if not (before.any() or after.any()):
        return np.ascontiguousarray(part)
    widths = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    return np.pad(part, widths, mode="edge" if border == "edge" else "constant")
