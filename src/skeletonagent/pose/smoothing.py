"""Smoothing of joints over time: noise of still joints goes, quick movement stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class OneEuroFilter:
    """One-euro filter: a low-pass whose cutoff rises with the speed.

    It looks back only, so that a camera can be smoothed as a file is. Source: Casiez, Roussel and
    Vogel, 1 Euro Filter, CHI 2012; the values are those of MediaPipe's graph.

    Args:
        min_cutoff: Cutoff of what is still, in hertz.
        beta: Growth of the cutoff with the speed, in hertz over units a second.
        derivative_cutoff: Cutoff of the speed, in hertz.
    """

    min_cutoff: float
    beta: float
    derivative_cutoff: float = 1.0

    def smooth(
        self,
        joints: Float[np.ndarray, "t v d"],
        fps: float,
        sizes: Float[np.ndarray, " t"] | None = None,
    ) -> Float[np.ndarray, "t v d"]:
        """Return the joints of one body smoothed; what is absent stays absent.

        A joint that comes back after a gap begins anew.

        Args:
            joints: Coordinates; NaN where a joint was not seen.
            fps: Frames a second.
            sizes: Size of the body in each frame, by which speeds are divided; None for joints in
                metres.
        """
        smoothed = joints.astype(float)
        scale = np.ones(len(joints)) if sizes is None else np.maximum(sizes, 1e-6)
        place, speed = np.full(joints.shape[1:], np.nan), np.zeros(joints.shape[1:])
        weight = _weight(np.full(joints.shape[1:], self.derivative_cutoff), fps)
        for frame, now in enumerate(smoothed):
            seen, known = ~np.isnan(now), ~np.isnan(place)
            step = np.where(seen & known, now - place, 0.0)
            speed = np.where(known, weight * step * fps / scale[frame] + (1 - weight) * speed, 0.0)
            newest = _weight(self.min_cutoff + self.beta * np.abs(speed), fps)
            place = np.where(seen & known, place + newest * step, now)
            speed = np.where(seen, speed, 0.0)
            smoothed[frame] = place
        return smoothed


PIXEL_FILTER = OneEuroFilter(min_cutoff=0.05, beta=80.0)
"""Filter of joints in pixels, whose speeds are in sizes of the body."""
METRE_FILTER = OneEuroFilter(min_cutoff=0.1, beta=40.0)
"""Filter of joints in metres."""


def smooth_body(
    joints: Float[np.ndarray, "t v d"], fps: float, *, world: bool
) -> Float[np.ndarray, "t v d"]:
    """Return the joints of one body smoothed.

    Args:
        joints: Coordinates; NaN where a joint was not seen.
        fps: Frames a second.
        world: Whether they are in metres instead of in pixels.
    """
    return (
        METRE_FILTER.smooth(joints, fps)
        if world
        else PIXEL_FILTER.smooth(joints, fps, _box_sizes(joints))
    )


def _box_sizes(joints: Float[np.ndarray, "t v d"]) -> Float[np.ndarray, " t"]:
    """Return the mean side of the box around a body in each frame; 1 where nothing is seen."""
    seen = ~np.isnan(joints)
    high = np.where(seen, joints, -np.inf).max(axis=1)
    low = np.where(seen, joints, np.inf).min(axis=1)
    sides = np.where(seen.any(axis=1), high - low, 1.0)
    sizes: np.ndarray = sides.mean(axis=1)
    return sizes


def _weight(cutoff: Float[np.ndarray, "v d"], fps: float) -> Float[np.ndarray, "v d"]:
    """Return the weight of the newest value in an exponential mean of a cutoff."""
    weight: np.ndarray = 1 / (1 + fps / (2 * np.pi * cutoff))
    return weight
