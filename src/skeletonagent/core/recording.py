"""Keypoint recording: the bodies of one recording over time, as a file or a camera gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.layout import SkeletonLayout


@dataclass(frozen=True)
class KeypointRecording:
    """Keypoints of M bodies in T frames, before they become a sample of a data set.

    What was not seen is NaN here: a joint, a body in a frame in which it is absent.

    Args:
        name: Name of the recording, unique among those of its source.
        joints: Coordinates, in 2D or 3D; NaN where a joint was not seen.
        joint_names: Names of the V joints, as the source has them; None if it names none.
        layout: Skeleton, where the format or a layout file fixes it; its joints are in the order
            of ``joints``. None if it has to be found out.
        confidence: Confidence of each keypoint from 0 to 1; None if the source has none.
        fps: Frames a second; None if unknown.
        image_size: Width and height of the image in pixels, where coordinates are its pixels.
        person_ids: Name of each body, as the source or a tracker numbers them.
        source: File or folder that it comes from.
        label: Name of the action, where the source says it.
        subject: Name of the person, where the source says it.
    """

    name: str
    joints: Float[np.ndarray, "m t v c"]
    joint_names: tuple[str, ...] | None = None
    layout: SkeletonLayout | None = None
    confidence: Float[np.ndarray, "m t v"] | None = None
    fps: float | None = None
    image_size: tuple[float, float] | None = None
    person_ids: tuple[str, ...] = ()
    source: Path | None = None
    label: str | None = None
    subject: str | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames, T."""
        return int(self.joints.shape[1])

    @property
    def num_joints(self) -> int:
        """Number of joints, V."""
        return int(self.joints.shape[2])

    @property
    def coordinates(self) -> int:
        """Number of coordinates, 2 or 3."""
        return int(self.joints.shape[3])

    @property
    def seen(self) -> Bool[np.ndarray, "m t v"]:
        """Joints that were seen: no coordinate is NaN."""
        seen: np.ndarray = ~np.isnan(self.joints).any(axis=-1)
        return seen
