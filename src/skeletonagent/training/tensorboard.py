"""Figures of a training for TensorBoard, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import Guidance
from skeletonagent.training.callbacks import EpochRecord

NAMES = {
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
"""What each figure of an epoch is called there."""


class TensorBoardCallback:
    """Write what a training comes to, epoch by epoch, as TensorBoard reads it."""

    def __init__(self, folder: Path) -> None:
        """Begin to write, or go on writing, into a folder.

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
        """Write the epoch's figures."""
        self._epoch = record.epoch + 1
        for key, name in NAMES.items():
            value = getattr(record, key)
            if value is not None:
                self._writer.add_scalar(name, value, self._epoch)
        self._writer.flush()

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Write how many classes' guidance a round changed."""
        if before is None:
            return
        pairs = zip(before.classes, after.classes, strict=True)
        changed = sum((a.joints, a.sentence) != (b.joints, b.sentence) for a, b in pairs)
        self._writer.add_scalar("agents/classes changed", changed, self._epoch)

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Nothing is written within an epoch, lest the device be waited for."""

    def on_answers(self, done: int, of: int) -> None:
        """Nothing is written before training."""

    def on_problem(self, problem: str) -> None:
        """Write the problem."""
        self._writer.add_text("agents/problem", problem, self._epoch)
