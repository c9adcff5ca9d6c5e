"""Joints of a recording as a page draws them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.inference.recording_input import InputRecording

_DIGITS = 4
"""Digits of the largest coordinate that are kept, at least."""


@dataclass(frozen=True)
class SeenKeypoints:
    """Joints of the persons of a recording.

    Args:
        persons: Name of each person.
        joints: Coordinates; NaN where a joint was not seen.
        layout: Names of the joints and bones.
        image_size: Width and height of the image in pixels, where coordinates are its pixels.
    """

    persons: tuple[str, ...]
    joints: Float[np.ndarray, "m t v c"]
    layout: SkeletonLayout
    image_size: tuple[float, float] | None = None

    @classmethod
    def of_recording(cls, recording: InputRecording, given: InputFormat) -> SeenKeypoints:
        """Return the joints that a recognizer takes of a recording."""
        joints = recording.joints[..., : given.coordinates]
        return cls(recording.persons, joints, given.layout, recording.image_size)

    @classmethod
    def of_pixels(cls, recording: KeypointRecording, layout: SkeletonLayout) -> SeenKeypoints:
        """Return the joints of a video in its pixels."""
        return cls(recording.person_ids, recording.joints, layout, recording.image_size)

    def to_json(self) -> dict[str, Any]:
        """Return the joints as plain values, null where nothing was seen."""
        return {
            "persons": list(self._persons()),
            "names": list(self.layout.joints),
            "bones": [list(bone) for bone in self.layout.bones],
            "image_size": None if self.image_size is None else list(self.image_size),
        }

    def _persons(self) -> Iterator[dict[str, Any]]:
        decimals = _decimals(self.joints)
        for person, body in zip(self.persons, self.joints, strict=False):
            there = np.flatnonzero(~np.isnan(body).all(axis=(1, 2)))
            if len(there):
                first, end = int(there[0]), int(there[-1]) + 1
                frames = joint_lists(body[first:end], decimals)
                yield {"person": person, "first_frame": first, "frames": frames}


def joint_lists(
    body: Float[np.ndarray, "t v c"], decimals: int | None = None
) -> list[list[list[float] | None] | None]:
    """Return the joints of a body in each frame; None of joints and frames that were not seen.

    Args:
        body: Joints of each frame.
        decimals: Decimals to round to; None takes as many as the coordinates have use for.
    """
    seen = ~np.isnan(body).any(axis=-1)
    rounded = body.astype(np.float64).round(_decimals(body) if decimals is None else decimals)
    return [
        [joint if there else None for joint, there in zip(joints, flags, strict=True)]
        if any(flags)
        else None
        for joints, flags in zip(rounded.tolist(), seen.tolist(), strict=True)
    ]


def _decimals(joints: Float[np.ndarray, "..."]) -> int:
    largest = np.nanmax(np.abs(joints)) if np.isfinite(joints).any() else 0.0
    return min(12, max(0, _DIGITS - math.floor(math.log10(largest)))) if largest > 0 else 0
