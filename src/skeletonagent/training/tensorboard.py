"""Training curves for TensorBoard, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import Guidance
from skeletonagent.training.callbacks import Callback, EpochRecord

TAGS = {
    "loss": "loss/total",
    "cls": "loss/classes",
    "con": "loss/joint constraint",
    "align": "loss/alignment",
    "train_top1": "accuracy/training",
    "validation_top1": "accuracy/validation",
    "learning_rate": "learning rate",
    "clips_per_second": "clips per second",
    "round": "agents/round",
}
"""TensorBoard tag of each metric of an epoch."""


class TensorBoardCallback(Callback):
    """Writer of each epoch's metrics as TensorBoard reads them."""

    def __init__(self, folder: Path) -> None:
        """Open a folder for writing, new or with earlier epochs.

        Raises:
            ConfigError: If TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "TensorBoard is not installed; pip install 'skeletonagent[tensorboard]'"
            ) from error
        self._writer: Any = SummaryWriter(folder)
        self._epoch = 0

    def on_epoch(self, record: EpochRecord) -> None:
        """Write the epoch's metrics."""
        self._epoch = record.epoch + 1
        for key, tag in TAGS.items():
            value = getattr(record, key)
            if value is not None:
                self._writer.add_scalar(tag, value, self._epoch)
        self._writer.flush()

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Write the number of classes whose guidance a round changed."""
        if before is None:
            return
        pairs = zip(before.classes, after.classes, strict=True)
        changed = sum((a.joints, a.sentence) != (b.joints, b.sentence) for a, b in pairs)
        self._writer.add_scalar("agents/classes changed", changed, self._epoch)

    def on_problem(self, problem: str) -> None:
        """Write the problem."""
        self._writer.add_text("agents/problem", problem, self._epoch)
