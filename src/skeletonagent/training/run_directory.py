"""Run directory: files that a training run writes for people and programs to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.json_files import parse_json, read_json
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.round_log import whole_rounds
from skeletonagent.training.run_records import (
    EpochMetrics,
    EvaluationParts,
    RecordedBaselines,
    RecordedChoices,
    RecordedCost,
    RecordedProvenance,
    RecordedRounds,
    RunSummary,
)


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
    def provenance(self) -> Path:
        """Command, program and machine of each process that trained the run."""
        return self.path / "provenance.json"

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
    def cost(self) -> Path:
        """Seconds that the training took, where it was not interrupted."""
        return self.path / "cost.json"

    @property
    def kernel_ridge(self) -> Path:
        """Kernel ridge classifier beside the network, where the configuration has one."""
        return self.path / "kernel_ridge.safetensors"

    @property
    def actions(self) -> Path:
        """Actions that were added from examples after the training."""
        return self.path / "actions.json"

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
        """Return the record of each epoch, oldest first; what a line leaves out has its default.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.metrics.exists():
            return []
        lines = read_outside_text(self.metrics).split("\n")
        records = [parse_json(line, EpochMetrics, self.metrics) for line in lines if line]
        return [record | _defaults(record) for record in records]

    def read_rounds(self, num_classes: int | None = None) -> list[dict[str, Any]]:
        """Return the guidance of each round, oldest first.

        Args:
            num_classes: Number of classes that each round must have, if it is known.

        Raises:
            DataError: If the file is damaged.
        """
        if not self.guidance.exists():
            return []
        text = whole_rounds(read_outside_text(self.guidance))
        rounds: list[dict[str, Any]] = parse_json(text, RecordedRounds, self.guidance)["rounds"]
        numbers = {len(item["classes"]) for item in rounds} - {num_classes}
        if num_classes is not None and numbers:
            raise DataError(
                f"is damaged: a round has {numbers.pop()} of {num_classes} classes",
                path=self.guidance,
            )
        return rounds

    def read_summary(self) -> dict[str, Any] | None:
        """Return the results of the run, None before its end.

        Raises:
            DataError: If the file is damaged.
        """
        summary: dict[str, Any] | None = _read(self.summary, RunSummary)
        return summary

    def read_reasons(self) -> list[str]:
        """Return what was chosen automatically and why, a line each; none where it was given.

        Raises:
            DataError: If the file is damaged.
        """
        return list((_read(self.choices, RecordedChoices) or {}).get("reasons", ()))

    def read_sessions(self) -> list[dict[str, Any]]:
        """Return the processes that trained the run; none where an earlier version kept none.

        Raises:
            DataError: If the file is damaged.
        """
        return list((_read(self.provenance, RecordedProvenance) or {}).get("sessions", ()))

    def read_baseline(self) -> dict[str, Any] | None:
        """Return what methods without deep learning reach, None where it was not computed.

        Raises:
            DataError: If the file is damaged.
        """
        baselines: dict[str, Any] | None = _read(self.baseline, RecordedBaselines)
        return baselines

    def read_cost(self) -> dict[str, float] | None:
        """Return the seconds that the training took, None where they were not measured.

        Raises:
            DataError: If the file is damaged.
        """
        cost: dict[str, float] | None = _read(self.cost, RecordedCost)
        return cost

    def read_evaluation_parts(self) -> dict[str, list[str]] | None:
        """Return the sample ids of each part of the test set, None before the end of the run.

        Raises:
            DataError: If the file is damaged.
        """
        parts: dict[str, list[str]] | None = _read(self.evaluation_parts, EvaluationParts)
        return parts


def _read(path: Path, schema: Any) -> Any:
    """Return the content of a file of a run, None if there is none."""
    return read_json(path, schema) if path.exists() else None


def _defaults(record: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults of what the record of an epoch leaves out."""
    known = EpochMetrics.model_fields.items()
    return {name: field.default for name, field in known if name not in record}
