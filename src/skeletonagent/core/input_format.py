"""Format of samples before preprocessing: what a recognizer's caller has to hand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skeletonagent.core.layout import SkeletonLayout


@dataclass(frozen=True)
class InputFormat:
    """Joints and channels of samples as they are stored, before preprocessing.

    Args:
        layout: Skeleton of the samples; preprocessing may add joints to it.
        channels: C, coordinates and, after them, perhaps the detector's confidence.
        has_confidence: Whether the last channel is the detector's confidence.
        has_image_sizes: Whether width and height of each sample's image are stored.
    """

    layout: SkeletonLayout
    channels: int
    has_confidence: bool = False
    has_image_sizes: bool = False

    @property
    def coordinates(self) -> int:
        """Number of channels that are coordinates; they come first."""
        return self.channels - self.has_confidence

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, such as ``x, y, confidence``."""
        names = ("x", "y", "z")[: self.coordinates]
        return (*names, "confidence") if self.has_confidence else names

    @property
    def in_plane(self) -> InputFormat:
        """Format of the same samples without depth, as pictures show them."""
        return replace(self, channels=self.channels - (self.coordinates - 2))

    def to_json(self) -> dict[str, Any]:
        """Return the format as plain values."""
        return {
            "layout": self.layout.to_json(),
            "channels": self.channels,
            "has_confidence": self.has_confidence,
            "has_image_sizes": self.has_image_sizes,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InputFormat:
        """Return the format of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
        """
        return cls(
            SkeletonLayout.from_json(value["layout"]),
            int(value["channels"]),
            bool(value["has_confidence"]),
            bool(value["has_image_sizes"]),
        )
