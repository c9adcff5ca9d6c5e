"""Run directory: files that a training run writes for people and programs to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.training.checkpoint import CheckpointFolder


@dataclass(frozen=True)
class RunDirectory:
    """Paths and contents of a run directory.

    Args:
        path: Directory.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Resolved configuration."""
        return self.path / "config.yaml"

    @property
    def choices(self) -> Path:
        """Automatic choices of the recipe and their reasons; missing where it was given."""
        return self.path / "choices.json"

    @property
    def metrics(self) -> Path:
        """Metrics, a JSON line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def guidance(self) -> Path:
        """Salient joints and sentences of each round of the agents."""
        return self.path / "guidance.json"

    @property
    def dialogues(self) -> Path:
        """Dialogues, a file per class and a line per exchange."""
        return self.path / "dialogues"

    @property
    def problems(self) -> Path:
        """Failures of the agents' rounds, a line each; missing if there were none."""
        return self.path / "problems.log"

    @property
    def confusions(self) -> Path:
        """Confusion counts of the test set."""
        return self.path / "confusions.npz"

    @property
    def predictions(self) -> Path:
        """Class probabilities of the test set."""
        return self.path / "predictions.npz"

    @property
    def evaluation_parts(self) -> Path:
        """Sample ids of each split of the test set that accuracy is reported for."""
        return self.path / "evaluation_parts.json"

    @property
    def validation_predictions(self) -> Path:
        """Class probabilities of the validation set, where it was never trained on."""
        return self.path / "validation_predictions.npz"

    @property
    def summary(self) -> Path:
        """Results of the finished run."""
        return self.path / "summary.json"

    @property
    def baseline(self) -> Path:
        """What methods without deep learning reach on the same data, where it was computed."""
        return self.path / "baseline.json"

    @property
    def checkpoints(self) -> CheckpointFolder:
        """Checkpoints."""
        return CheckpointFolder(self.path / "checkpoints")

    @property
    def lock(self) -> Path:
        """Lock file of the process that writes here."""
        return self.path / "lock"

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return self.config.exists()

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the record of each epoch, oldest first.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.metrics.exists():
            return []
        return [_parsed(line, self.metrics) for line in self.metrics.read_text().splitlines()]

    def read_rounds(self) -> list[dict[str, Any]]:
        """Return the guidance of each round, oldest first.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.guidance.exists():
            return []
        return list(_parsed(self.guidance.read_text(), self.guidance)["rounds"])

    def read_summary(self) -> dict[str, Any] | None:
        """Return the results of the run, None before its end.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.summary.exists():
            return None
        return _parsed(self.summary.read_text(), self.summary)

    def read_reasons(self) -> list[str]:
        """Return what was chosen automatically and why, a line each; none where it was given.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.choices.exists():
            return []
        return list(_parsed(self.choices.read_text(), self.choices).get("reasons", ()))

    def read_baseline(self) -> dict[str, Any] | None:
        """Return what methods without deep learning reach, None where it was not computed.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.baseline.exists():
            return None
        return _parsed(self.baseline.read_text(), self.baseline)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise DataError(f"is damaged: {error}", path=path) from error
    return value
