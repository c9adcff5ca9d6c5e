"""Callbacks of a training run: base class, list, log files of the run, and TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.dialogue_io import write_dialogue, write_metadata
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.training.round_log import RoundLog
from skeletonagent.training.run_directory import RunDirectory


@dataclass(frozen=True)
class EpochRecord:
    """Metrics of one epoch; a line of ``metrics.jsonl``."""

    epoch: int
    loss: float
    cls: float
    con: float
    align: float
    train_top1: float
    validation_top1: float | None
    learning_rate: float
    round: int
    clips_per_second: float
    seconds: float


class Callback:
    """Base class of what is called during a training run; every method may be left out."""

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Handle the end of a step.

        Args:
            epoch: Number of the epoch, from 0.
            step: Number of steps done of it.
            losses: Losses cls, con, align and total of all its steps, zero for those to come;
                reading them waits for the device.
        """

    def on_epoch(self, record: EpochRecord) -> None:
        """Handle the end of an epoch."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Handle new guidance; ``before`` is None for the first."""

    def on_answers(self, done: int, total: int) -> None:
        """Handle the agents' progress before training: ``done`` of ``total`` classes."""

    def on_problem(self, problem: str) -> None:
        """Handle a round of the agents that failed."""

    def on_remark(self, remark: str) -> None:
        """Handle a line about the training that its user should read."""


@dataclass(frozen=True)
class CallbackList(Callback):
    """Several callbacks as one, called in their order."""

    callbacks: Sequence[Callback]

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_step(epoch, step, losses)

    def on_epoch(self, record: EpochRecord) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_epoch(record)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_guidance(before, after)

    def on_answers(self, done: int, total: int) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_answers(done, total)

    def on_problem(self, problem: str) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_problem(problem)

    def on_remark(self, remark: str) -> None:
        """Call all callbacks."""
        for callback in self.callbacks:
            callback.on_remark(remark)


class RunLogger(Callback):
    """Writer of a run's metrics, guidance, dialogues and problems, as it goes.

    Args:
        run: Run directory.
        first_epoch: Epoch to start from; records of it and later ones, which a killed run left,
            are dropped.
    """

    def __init__(self, run: RunDirectory, first_epoch: int = 0) -> None:
        self.run = run
        self.records = [record for record in run.read_metrics() if record["epoch"] < first_epoch]
        earlier = run.read_rounds() if first_epoch else []
        self._rounds = RoundLog(run.guidance, earlier, run.read_rounds)

    def on_epoch(self, record: EpochRecord) -> None:
        """Write the metrics, this epoch included."""
        self.records.append(asdict(record))
        lines = (json.dumps(record) for record in self.records)
        write_text(self.run.metrics, "\n".join(lines) + "\n")

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Write the round, and what is new in the dialogues."""
        self._rounds.write(after.to_json_without_dialogues())
        if before is None:
            names = [guidance.action for guidance in after.classes]
            write_metadata(self.run.dialogues, after.layout, names)
        for index, guidance in enumerate(after.classes):
            written = None if before is None else before.classes[index].dialogue
            if written is None or written != guidance.dialogue:
                write_dialogue(self.run.dialogues, index, guidance.dialogue, written)

    def on_problem(self, problem: str) -> None:
        """Append the problem to ``problems.log``."""
        with self.run.problems.open("a", encoding="utf-8") as file:
            file.write(f"{problem}\n")


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
