"""Settings of predictions for archives and folders that are too large for one table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from skeletonagent.inference.segment_settings import SegmentOptions

CLIPS_OF_A_PART = 512
"""Samples of an archive that are predicted and written together."""

FILES_OF_A_PART = 32
"""Keypoint files that are predicted and written together."""


@dataclass(frozen=True)
class PredictionJob:
    """What is predicted, by which recognizer, and how.

    Args:
        source: A skeleton archive, or a folder of keypoint files.
        run: A run directory, or an exported file.
        segments: Whether the actions within recordings are found, instead of a label for each as
            a whole; None goes by the source.
        options: Windows, threshold and pauses of segments.
        fps: Frames a second, if no file says them.
        image_size: Width and height of the images in pixels, if no file says them.
        engine: ``torch``, ``onnx``, or ``auto``: PyTorch for runs, ONNX Runtime for files.
        device: Device for PyTorch.
        overrides: ``section.key=value`` settings in place of the run's.
        part_size: Samples or files of a part; by default as many as suit the source.
    """

    source: Path
    run: Path
    segments: bool | None = None
    options: SegmentOptions = field(default_factory=SegmentOptions)
    fps: float | None = None
    image_size: tuple[float, float] | None = None
    engine: str = "auto"
    device: str = "auto"
    overrides: tuple[str, ...] = ()
    part_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what the values of predictions depend on beside source and recognizer."""
        return {
            "options": asdict(self.options),
            "fps": self.fps,
            "image_size": self.image_size and list(self.image_size),
            "overrides": list(self.overrides),
        }
