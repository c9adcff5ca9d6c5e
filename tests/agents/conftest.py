"""Bodies that stand still but for one forearm, for which every answer is known."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import pytest

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout

PUPPET_15 = SkeletonLayout(
    name="puppet-15",
    joints=(
        "head", "neck", "torso",
        "left_shoulder", "left_elbow", "left_hand", "right_shoulder", "right_elbow", "right_hand",
        "left_hip", "left_knee", "left_foot", "right_hip", "right_knee", "right_foot",
    ),
    bones=(
        (0, 1), (1, 2), (3, 1), (4, 3), (5, 4), (6, 1), (7, 6), (8, 7),
        (9, 2), (10, 9), (11, 10), (12, 2), (13, 12), (14, 13),
    ),
    center=2,
)  # fmt: skip

PLACES = {
    "head": (0, 1.7), "nose": (0, 1.65), "eye": (0.03, 1.7), "ear": (0.08, 1.68), "neck": (0, 1.5),
    "spine": (0, 1.4), "middle of spine": (0, 1.2), "torso": (0, 1.2), "base of spine": (0, 1.0),
    "shoulder": (0.2, 1.45), "elbow": (0.25, 1.15), "wrist": (0.27, 0.9), "hand": (0.28, 0.8),
    "hand tip": (0.29, 0.72), "thumb": (0.24, 0.78),
    "hip": (0.1, 1.0), "knee": (0.12, 0.55), "ankle": (0.12, 0.1), "foot": (0.15, 0.05),
}  # fmt: skip
"""Outward and upward place of each kind of joint."""

Angle = Callable[[int, np.ndarray], tuple[str, np.ndarray]]
"""Which side's forearm is turned by what angle, given the number of the clip and its time."""


def hand_of(layout: SkeletonLayout, side: str) -> tuple[int, ...]:
    """Return the joints that a forearm carries."""
    kinds = ("wrist", "hand", "hand tip", "thumb")
    names = [layout.display_name(joint) for joint in range(layout.num_joints)]
    return tuple(v for v, name in enumerate(names) if name in {f"{side} {kind}" for kind in kinds})


def standing(layout: SkeletonLayout, channels: int) -> np.ndarray:
    """Return a body facing the camera, its left where x grows."""
    pose = np.zeros((layout.num_joints, channels))
    for joint in range(layout.num_joints):
        words = layout.display_name(joint).split()
        side = {"left": 1, "right": -1}.get(words[0], 0)
        outward, up = PLACES[" ".join(words[1:] if side else words)]
        pose[joint, :2] = side * outward, up
    return pose


def clip(
    layout: SkeletonLayout, channels: int, side: str, angle: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Return a body whose forearm is turned outward about the elbow by an angle per frame."""
    joints = standing(layout, channels) + noise
    sign = {"left": 1, "right": -1}[side]
    elbow = [layout.display_name(v) for v in range(layout.num_joints)].index(f"{side} elbow")
    for joint in hand_of(layout, side):
        x, y = (joints[:, joint, :2] - joints[:, elbow, :2]).T
        cos, sin = np.cos(sign * angle), np.sin(sign * angle)
        joints[:, joint, 0] = joints[:, elbow, 0] + cos * x - sin * y
        joints[:, joint, 1] = joints[:, elbow, 1] + sin * x + cos * y
    return joints[None]


def people(
    layout: SkeletonLayout,
    angles: Sequence[Angle],
    clips: int = 8,
    channels: int = 3,
    names: Sequence[str] = (),
) -> ClipStore:
    """Return a store of one class per angle; all else is the same but for a little noise."""
    rng = np.random.default_rng(0)
    sequences = []
    for label, angle in enumerate(angles):
        for n in range(clips):
            time = np.arange(32 + n)
            noise = rng.normal(0, 0.01, (1, layout.num_joints, channels)) + rng.normal(
                0, 0.002, (len(time), layout.num_joints, channels)
            )
            side, turned = angle(n, time)
            joints = clip(layout, channels, side, np.broadcast_to(turned, time.shape), noise)
            sequences.append(SkeletonSequence(joints, label, f"{label}-{n}"))
    names = names or [f"class {label}" for label in range(len(angles))]
    return ClipStore.from_sequences(sequences, layout, names)


def raised(side: str) -> Angle:
    """A forearm held up and out."""
    return lambda n, time: (side, np.full(len(time), 0.75 * math.pi))


def swung(side: str, pace: float) -> Angle:
    """A forearm swung to and fro around level."""
    return lambda n, time: (side, 0.5 * math.pi + 0.5 * np.sin(pace * time))


@pytest.fixture(params=[COCO_17, KINECT_25, PUPPET_15], ids=lambda layout: layout.name)
def layout(request: pytest.FixtureRequest) -> SkeletonLayout:
    """Each of three skeletons of different joints and centers."""
    chosen: SkeletonLayout = request.param
    return chosen


@pytest.fixture(scope="session")
def bodies() -> ModuleType:
    """What this file makes, for tests cannot import from each other."""
    return sys.modules[__name__]
