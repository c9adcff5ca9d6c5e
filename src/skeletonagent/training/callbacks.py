"""TODO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.dialogue_io import write_dialogue, write_metadata
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.training.run_directory import RunDirectory


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to; a line of ``metrics.jsonl``."""

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


@runtime_checkable
class Callback(Protocol):
    """Whoever watches a training run; the loop waits for none of them to look."""

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """See the losses of the epoch's first ``step`` steps; reading them waits for the device."""

    def on_epoch(self, record: EpochRecord) -> None:
        """See a finished epoch."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """See new guidance; ``before`` is None for the first."""

    def on_answers(self, done: int, of: int) -> None:
        """See of how many classes the agents have told before training."""

    def on_problem(self, problem: str) -> None:
        """See why a round of the agents came to nothing."""


@dataclass(frozen=True)
class CallbackList:
    """Several observers as one."""

    callbacks: Sequence[Callback]

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Tell each."""
        for observer in self.callbacks:
            observer.on_step(epoch, step, losses)

    def on_epoch(self, record: EpochRecord) -> None:
        """Tell each."""
        for observer in self.callbacks:
            observer.on_epoch(record)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Tell each."""
        for observer in self.callbacks:
            observer.on_guidance(before, after)

    def on_answers(self, done: int, of: int) -> None:
        """Tell each."""
        for observer in self.callbacks:
            observer.on_answers(done, of)

    def on_problem(self, problem: str) -> None:
        """Tell each."""
        for observer in self.callbacks:
            observer.on_problem(problem)


class RunLogger:
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
            write_metadata(self.run.dialogues, after.layout, names)
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


def _without_dialogues(guidance: Guidance) -> list[dict[str, Any]]:
    classes: list[dict[str, Any]] = guidance.to_json()["classes"]
    return [{key: value for key, value in item.items() if key != "dialogue"} for item in classes]
