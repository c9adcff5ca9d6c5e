"""A standing person with the joints of a Kinect, for pictures that are drawn of it."""

from __future__ import annotations

import numpy as np

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import KINECT_20

_MIDDLE = {"hip center": 0.05, "spine": 0.12, "shoulder center": 0.45, "head": 0.63}
_LEFT = {
    "shoulder": (0.17, 0.35), "elbow": (0.30, 0.12), "wrist": (0.42, -0.10), "hand": (0.46, -0.17),
    "hip": (0.08, -0.02), "knee": (0.10, -0.46), "ankle": (0.12, -0.86), "foot": (0.14, -0.92),
}  # fmt: skip
"""Metres to the left and up from the hips."""
DISTANCE = 2.8
"""Metres between the person and the sensor."""


def standing(raised: float = 0.0) -> np.ndarray:
    """Return the joints in a sensor's coordinates: metres, x to its left, y up, z away from it.

    Args:
        raised: Metres by which the left hand is higher than when it hangs.
    """
    joints = np.zeros((KINECT_20.num_joints, 3))
    joints[:, 2] = DISTANCE
    for name, up in _MIDDLE.items():
        joints[KINECT_20.joints.index(name), 1] = up
    for name, (aside, up) in _LEFT.items():
        lift = raised * {"elbow": 0.5, "wrist": 1, "hand": 1}.get(name, 0)
        joints[KINECT_20.joints.index(f"left {name}"), :2] = -aside, up + lift
        joints[KINECT_20.joints.index(f"right {name}"), :2] = aside, up
    for side in ("left", "right"):
        joints[KINECT_20.joints.index(f"{side} foot"), 2] -= 0.1
    return joints


def waving(number: int, frames: int = 8) -> SkeletonSequence:
    """Return a clip of a person who raises the left hand, or stands still if the number is even."""
    height = 0.4 * (number % 2) * np.sin(np.linspace(0, np.pi, frames))
    joints = np.stack([standing(raised) for raised in height])[None]
    return SkeletonSequence(joints.astype(np.float32), number % 2, f"clip{number}", number)
