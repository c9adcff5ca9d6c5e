"""Usage of the agents in a run, counted from the dialogues themselves.

Dialogues are part of every checkpoint, so a resumed run counts everything exactly once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Step
from skeletonagent.core.guidance import Guidance

Price = Callable[[str, int, int], float | None]
"""Dollars for a model's input and output tokens, None where the price is unknown."""


@dataclass(frozen=True)
class ModelUsage:
    """Usage of one model.

    Args:
        requests: Requests sent, failed ones included.
        known_already: Answers without a request, since they were cached.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        dollars: Price of the tokens; None if it is unknown.
        seconds: Sum of the seconds until each answer was received.
    """

    requests: int
    known_already: int
    input_tokens: int
    output_tokens: int
    dollars: float | None
    seconds: float


@dataclass(frozen=True)
class UsageReport:
    """Usage of all agents.

    Args:
        rounds: Number of rounds.
        questions: Number of questions by step.
        outcomes: Number of questions by outcome.
        problems: For each problem that a check reported, the outcomes of the questions with it.
        faults: For each fault of a request, the outcomes of the questions with it.
        unanswered: Number of questions without an answer by the reason, the most frequent first.
        remarks: Number of claims that the clips do not support.
        classes_with_notes: Number of classes in whose latest round something went wrong.
        classes_without_joints: Number of classes without salient joints.
        classes: Number of classes.
        guided: Number of classes whose guidance is taken from an answer, by who gave it.
        identical_sentences: Groups of classes, by name, that have one sentence.
        requests: Requests sent to language models.
        models: Usage by model.
    """

    rounds: int
    questions: dict[str, int]
    outcomes: dict[str, int]
    problems: dict[str, dict[str, int]]
    faults: dict[str, dict[str, int]]
    unanswered: dict[str, int]
    remarks: int
    classes_with_notes: int
    classes_without_joints: int
    classes: int
    guided: dict[str, int]
    identical_sentences: list[list[str]]
    requests: int
    models: dict[str, ModelUsage]


def usage_report(guidance: Guidance, price: Price = lambda *_: None, chat: str = "") -> UsageReport:
    """Return the questions, outcomes, faults and costs of a run.

    Args:
        guidance: Guidance at the end of a run, dialogues included.
        price: Price of a model's tokens.
        chat: Name of the chat, for answers that have no provenance.
    """
    exchanges = [e for g in guidance.classes for e in g.dialogue.exchanges]
    sources = [a.source for e in exchanges for a in e.attempts if a.source is not None]
    return UsageReport(
        rounds=guidance.round,
        questions=dict(Counter(e.question.step.value for e in exchanges)),
        outcomes=dict(Counter(map(_outcome, exchanges))),
        problems=_table(_problems(exchanges)),
        faults=_table(_faults(exchanges)),
        unanswered=dict(
            Counter(e.problem for e in exchanges if e.outcome is Outcome.UNANSWERED).most_common()
        ),
        remarks=sum(len(e.remarks) for e in exchanges),
        classes_with_notes=sum(bool(g.notes) for g in guidance.classes),
        classes_without_joints=sum(not g.joints for g in guidance.classes),
        classes=len(guidance.classes),
        guided=dict(Counter(filter(None, (_guide(g.dialogue, chat) for g in guidance.classes)))),
        identical_sentences=[
            [guidance.classes[label].action for label in labels]
            for labels in guidance.identical_sentences
        ],
        requests=sum(source.requests for source in sources),
        models={
            name: _model_usage([s for s in sources if s.model == name], price)
            for name in sorted({source.model for source in sources})
        },
    )


_GUIDING = (Step.DISTINGUISH, Step.JOINT_DETAILS, Step.CRITICAL_JOINTS, Step.KEY_FEATURES,
            Step.OVERVIEW)  # fmt: skip
"""Steps whose answers are guidance, the one that counts first first."""


def _guide(dialogue: Dialogue, chat: str) -> str | None:
    """Return who gave the answer that a class is guided by, None without one."""
    latest = next(filter(None, map(dialogue.latest, _GUIDING)), None)
    if latest is None:
        return None
    return latest.source.model if latest.source else chat


def _outcome(exchange: Exchange) -> str:
    """Return the final outcome of a question, and whether it was asked again."""
    again = sum(attempt.source is not None for attempt in exchange.attempts) > 1
    return f"{exchange.outcome.value} when asked again" if again else exchange.outcome.value


def _problems(exchanges: list[Exchange]) -> Iterator[tuple[str, str]]:
    """Yield each problem that a check reported, and the outcome of its question."""
    for exchange in exchanges:
        for attempt in exchange.attempts:
            if attempt.outcome is Outcome.REJECTED:
                yield _kind(attempt.problem), _outcome(exchange)


def _faults(exchanges: list[Exchange]) -> Iterator[tuple[str, str]]:
    """Yield the fault of each failed request, and the outcome of its question."""
    for exchange in exchanges:
        for attempt in exchange.attempts:
            for fault in attempt.source.faults if attempt.source else ():
                answered = attempt.outcome is not Outcome.UNANSWERED
                yield fault, "overcome" if answered else _outcome(exchange)


def _table(pairs: Iterator[tuple[str, str]]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for row, column in pairs:
        table.setdefault(row, Counter())[column] += 1
    return {row: dict(columns) for row, columns in sorted(table.items())}


def _kind(problem: str) -> str:
    """Return a problem without its particulars, so that similar problems are counted together."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", problem)


def _model_usage(sources: list[Provenance], price: Price) -> ModelUsage:
    asked = [source for source in sources if source.requests]
    read, written = sum(s.input_tokens for s in asked), sum(s.output_tokens for s in asked)
    return ModelUsage(
        requests=sum(source.requests for source in sources),
        known_already=len(sources) - len(asked),
        input_tokens=read,
        output_tokens=written,
        dollars=price(sources[0].model, read, written),
        seconds=round(sum(source.seconds for source in asked), 3),
    )
