"""Content of the files of a run directory, as their readers check it."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from pydantic import StringConstraints

from skeletonagent.core.json_files import JsonRecord

Count = Annotated[int, Ge(0)]
RecordedJoint = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}-")]
"""Number and name of a joint, such as ``5-left shoulder``."""


class EpochMetrics(JsonRecord):
    """Line of ``metrics.jsonl``."""

    epoch: Count
    loss: float | None = None
    cls: float | None = None
    con: float | None = None
    align: float | None = None
    train_top1: float | None = None
    validation_top1: float | None = None
    learning_rate: float | None = None
    round: Count = 0
    clips_per_second: float | None = None
    seconds: float = 0.0


class RecordedGuidance(JsonRecord):
    """Guidance of a class in a round."""

    action: str
    joints: list[RecordedJoint]
    sentence: str
    rivals: list[str]
    notes: list[str]


class RecordedRound(JsonRecord):
    """Guidance of all classes in a round of the agents."""

    round: Count
    classes: list[RecordedGuidance]


class RecordedRounds(JsonRecord):
    """Content of ``guidance.json``."""

    rounds: list[RecordedRound]


class TestFigures(JsonRecord):
    """Accuracies on a part of the test set."""

    samples: Count
    top1: float
    top5: float
    mean_class: float | None


class RecordedModel(JsonRecord):
    """Usage of a language model."""

    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    dollars: float | None = None


class RecordedAgents(JsonRecord):
    """Section ``agents`` of a summary; an earlier version did not count the guided classes."""

    chat: str = ""
    rounds: Count = 0
    questions: dict[str, Count] | None = None
    outcomes: dict[str, Count] | None = None
    unanswered: dict[str, Count] | None = None
    classes: Count = 0
    guided: dict[str, Count] | None = None
    identical_sentences: list[list[str]] | None = None
    requests: Count = 0
    models: dict[str, RecordedModel] | None = None


class RunSummary(JsonRecord):
    """Content of ``summary.json``, of a run or of several."""

    top1: float | None = None
    network_top1: float | None = None
    claimed_classes: int | None = None
    base: str | None = None
    validation_top1: float | None = None
    parameters: Count = 0
    data: str = ""
    split: str = ""
    stream: str = ""
    device: str = ""
    seed: Count = 0
    epochs: Count = 0
    seconds: float = 0.0
    test: dict[str, TestFigures] | None = None
    agents: RecordedAgents | None = None
    finished: str = ""


class RecordedSession(JsonRecord):
    """Process that trained a run, from its beginning or a checkpoint on."""

    started: str
    command: str
    folder: str
    version: str
    commit: str | None
    host: str
    machine: str
    python: str
    torch: str


class RecordedProvenance(JsonRecord):
    """Content of ``provenance.json``."""

    sessions: list[RecordedSession]


class RecordedChoices(JsonRecord):
    """Content of ``choices.json``."""

    reasons: tuple[str, ...] | list[str] = ()


class BaselineFigures(TestFigures):
    """Accuracies of a baseline, with the interval of the first."""

    low: float | None
    high: float | None


class RecordedBaseline(JsonRecord):
    """Method in ``baseline.json``."""

    name: str
    predictions: str = ""
    test: dict[str, BaselineFigures]


class RecordedBaselines(JsonRecord):
    """Content of ``baseline.json``."""

    split: str | None
    methods: list[RecordedBaseline]


class RecordedCost(JsonRecord):
    """Content of ``cost.json``."""

    wall_seconds: float
    processor_seconds: float


EvaluationParts = dict[str, list[str]]
"""Content of ``evaluation_parts.json``: sample ids by part of the test set."""
