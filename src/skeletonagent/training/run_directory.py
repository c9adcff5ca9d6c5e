"""The run directory: what a training run leaves behind for people and programs to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.training.checkpoint import CheckpointFolder


@dataclass(frozen=True)
class RunDirectory:
    """Names of what lies in a run directory."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """A JSON line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def guidance(self) -> Path:
        """Joints, sentences and where they came from, per round."""
        return self.path / "guidance.json"

    @property
    def dialogues(self) -> Path:
        """What was said about each class, a file per class and a line per exchange."""
        return self.path / "dialogues"

    @property
    def confusions(self) -> Path:
        """Confusion counts of the test part."""
        return self.path / "confusions.npz"

    @property
    def predictions(self) -> Path:
        """Scores of the test part."""
        return self.path / "predictions.npz"

    @property
    def evaluation_parts(self) -> Path:
        """Sample ids of each part that was tested."""
        return self.path / "evaluation_parts.json"

    @property
    def validation_predictions(self) -> Path:
        """Scores of the validation part, where nothing was ever learned from it."""
        return self.path / "validation_predictions.npz"

    @property
    def summary(self) -> Path:
        """What the run came to."""
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The checkpoints."""
        return CheckpointFolder(self.path / "checkpoints")

    @property
    def lock(self) -> Path:
        """Held by the process that writes here."""
        return self.path / "lock"

    @property
    def exists(self) -> bool:
        """Whether a run lives here."""
        return self.config.exists()

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the epochs' records, oldest first.

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
        """Return what the run came to, None before its end.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.summary.exists():
            return None
        return _parsed(self.summary.read_text(), self.summary)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise DataError(f"is damaged: {error}", path=path) from error
    return value
