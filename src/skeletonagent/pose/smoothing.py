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
    smoother = BodySmoother(fps, world=world)
    return np.stack([smoother.push(frame) for frame in joints.astype(float)])


class BodySmoother:
    """Smoother of the joints of one body, frame by frame.

    A joint that comes back after a gap begins anew.

    Args:
        fps: Frames a second.
        world: Whether joints are in metres instead of in pixels.
    """

    def __init__(self, fps: float, *, world: bool) -> None:
        self._fps = fps
        self._world = world
        self._rule = METRE_FILTER if world else PIXEL_FILTER
        self._place: Float[np.ndarray, "v d"] | None = None
        self._speed: Float[np.ndarray, "v d"] = np.zeros((0, 0))

    def push(self, joints: Float[np.ndarray, "v d"]) -> Float[np.ndarray, "v d"]:
        """Return the joints of the next frame smoothed; what is absent stays absent.

        Args:
            joints: Coordinates; NaN where a joint was not seen.
        """
        if self._place is None:
            self._place, self._speed = np.full(joints.shape, np.nan), np.zeros(joints.shape)
        rule, place = self._rule, self._place
        size = 1.0 if self._world else max(_box_size(joints), 1e-6)
        weight = _weight(np.full(joints.shape, rule.derivative_cutoff), self._fps)
        seen, known = ~np.isnan(joints), ~np.isnan(place)
        step = np.where(seen & known, joints - place, 0.0)
        speed = weight * step * self._fps / size + (1 - weight) * self._speed
        speed = np.where(known, speed, 0.0)
        newest = _weight(rule.min_cutoff + rule.beta * np.abs(speed), self._fps)
        self._place = np.where(seen & known, place + newest * step, joints)
        self._speed = np.where(seen, speed, 0.0)
        return self._place


def _box_size(joints: Float[np.ndarray, "v d"]) -> float:
    """Return the mean side of the box around a body; 1 where nothing is seen."""
    seen = ~np.isnan(joints)
    high = np.where(seen, joints, -np.inf).max(axis=0)
    low = np.where(seen, joints, np.inf).min(axis=0)
    return float(np.where(seen.any(axis=0), high - low, 1.0).mean())


def _weight(cutoff: Float[np.ndarray, "v d"], fps: float) -> Float[np.ndarray, "v d"]:
    """Return the weight of the newest value in an exponential mean of a cutoff."""
    weight: np.ndarray = 1 / (1 + fps / (2 * np.pi * cutoff))
    return weight
