"""The run directory: what a training run leaves behind for people and programs to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.transcripts import write_about, write_dialogue
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.loop import EpochRecord, Observer


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
    def scores(self) -> Path:
        """Scores of the test part."""
        return self.path / "scores.npz"

    @property
    def test_parts(self) -> Path:
        """Sample ids of each part that was tested."""
        return self.path / "test_parts.json"

    @property
    def validation_scores(self) -> Path:
        """Scores of the validation part, where nothing was ever learned from it."""
        return self.path / "validation_scores.npz"

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
    def begun(self) -> bool:
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


class RunRecorder:
    """Write metrics, guidance and dialogues of a run as it goes."""

    def __init__(self, run: RunDirectory, first_epoch: int = 0) -> None:
        """Begin at ``first_epoch``; records of that epoch and later are those of a killed run."""
        self.run = run
        self.records = [record for record in run.read_metrics() if record["epoch"] < first_epoch]
        self.rounds = run.read_rounds() if first_epoch else []

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Nothing is written within an epoch."""

    def on_epoch(self, record: EpochRecord) -> None:
        """Write the metrics, this epoch included."""
        self.records.append(asdict(record))
        lines = (json.dumps(record) for record in self.records)
        write_text(self.run.metrics, "\n".join(lines) + "\n")

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Write the rounds so far, and the dialogues of the classes that have new ones."""
        self.rounds = [r for r in self.rounds if r["round"] < after.round]
        self.rounds.append({"round": after.round, "classes": _without_dialogues(after)})
        write_text(self.run.guidance, json.dumps({"rounds": self.rounds}, indent=1))
        if before is None:
            names = [guidance.action for guidance in after.classes]
            write_about(self.run.dialogues, after.layout, names)
        for index, guidance in enumerate(after.classes):
            if before is None or before.classes[index].dialogue != guidance.dialogue:
                said = replace(guidance.dialogue, action=guidance.action)
                write_dialogue(self.run.dialogues, index, said)

    def on_answers(self, done: int, of: int) -> None:
        """Nothing is written before all classes are told of."""

    def on_problem(self, problem: str) -> None:
        """Remember the problem, in ``problems.log``."""
        with (self.run.path / "problems.log").open("a", encoding="utf-8") as file:
            file.write(f"{problem}\n")


@dataclass(frozen=True)
class Observers:
    """Several observers as one."""

    each: Sequence[Observer]

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Tell each."""
        for observer in self.each:
            observer.on_step(epoch, step, losses)

    def on_epoch(self, record: EpochRecord) -> None:
        """Tell each."""
        for observer in self.each:
            observer.on_epoch(record)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Tell each."""
        for observer in self.each:
            observer.on_guidance(before, after)

    def on_answers(self, done: int, of: int) -> None:
        """Tell each."""
        for observer in self.each:
            observer.on_answers(done, of)

    def on_problem(self, problem: str) -> None:
        """Tell each."""
        for observer in self.each:
            observer.on_problem(problem)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise DataError(f"is damaged: {error}", path=path) from error
    return value


def _without_dialogues(guidance: Guidance) -> list[dict[str, Any]]:
    classes: list[dict[str, Any]] = guidance.to_json()["classes"]
    return [{key: value for key, value in item.items() if key != "dialogue"} for item in classes]
