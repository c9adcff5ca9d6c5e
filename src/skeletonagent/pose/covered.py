"""Persons whom others cover in part: looked for where those others are painted over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import Region

LEAST_KNOWN = 0.5
"""Seconds for which somebody was followed before being looked for behind others."""
LONGEST_COVERED = 3.0
"""Seconds after which somebody found behind others alone is no longer looked for."""
_LIMB = 0.036
"""Width of a limb over the size of the body's region."""
_REACH = 0.25
"""Regions whose middles are within this share of their sizes together are of persons who meet."""
_PAINT = (128, 128, 128)
_TRUNK = ("left shoulder", "right shoulder", "right hip", "left hip")


@dataclass
class PersonSpan:
    """Time for which a person was seen.

    Args:
        first: Moment of the first picture, in seconds.
        uncovered: Last moment at which the person was found without painting over others.
    """

    first: float
    uncovered: float

    def is_sought(self, time: float) -> bool:
        """Return whether the person may be looked for behind others."""
        known = self.uncovered - self.first >= LEAST_KNOWN
        return known and time - self.uncovered <= LONGEST_COVERED


def meet(one: Region, two: Region) -> bool:
    """Return whether two persons are so near that one may cover the other."""
    distance = math.hypot(one.x - two.x, one.y - two.y)
    return distance < _REACH * (one.size + two.size)


def painted_over(
    image: UInt8[np.ndarray, "h w 3"], bodies: Iterable[BodyLandmarks], layout: SkeletonLayout
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a picture in which limbs and trunks of bodies are grey.

    Args:
        image: The picture in RGB.
        bodies: Persons to paint over.
        layout: Skeleton of their joints.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    trunk = [layout.joints.index(name) for name in _TRUNK if name in layout.joints]
    for body in bodies:
        radius = max(1.0, _LIMB * body.region.size / 2)
        joints = {n: point for n, point in enumerate(body.points) if np.isfinite(point).all()}
        corners = [_pair(joints[n]) for n in trunk if n in joints]
        if len(corners) > 2:
            draw.polygon(corners, fill=_PAINT)
        for child, parent in layout.bones:
            if child in joints and parent in joints:
                ends = [_pair(joints[child]), _pair(joints[parent])]
                draw.line(ends, fill=_PAINT, width=round(2 * radius))
        for x, y in joints.values():
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_PAINT)
    return np.asarray(picture)


def _pair(point: Float[np.ndarray, "2"]) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def regions_of_one(before: Region, detected: Sequence[Region]) -> list[Region]:
    """Return the region in which somebody was seen last, and detected ones that may be the same."""
    alike = [
        region
        for region in detected
        if meet(region, before) and 2 / 3 < region.size / before.size < 3 / 2
    ]
    return [before, *alike]
