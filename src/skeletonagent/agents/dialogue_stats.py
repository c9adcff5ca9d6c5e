"""Statistics of the answers of a set of dialogues."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from skeletonagent.agents.answers.checks import DETAILS_OF_MANY, MAX_DETAILS, NEAR_ALL
from skeletonagent.agents.answers.content import answer_content
from skeletonagent.agents.answers.joint_labels import answer_lines
from skeletonagent.agents.released_dialogues import (
    detail_labels,
    original_answer,
    salient_joints,
)
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout

ODDITIES: Mapping[str, str] = {
    "critical_many": f"more than {MAX_DETAILS} joints critical",
    "critical_all": "all joints critical",
    "critical_near_all": f"at least {NEAR_ALL:.0%} of the joints critical",
    "count_rule": "many critical joints, but not {} to {} described".format(*DETAILS_OF_MANY),
    "dropped": "few critical joints, but not all described",
    "unsorted": "described joints out of order",
    "duplicate": "a joint described twice",
    "note": "lines among the details that describe no joint",
    "one_line": "body parts on one line",
    "dash": "summary with a dash or a bullet",
    "indirect": "summary that speaks of the action before the movement",
    "named": "summary with the name of the class",
    "one_sided": "a joint described without its mirror joint",
    "odd_rivals": "a question about itself, or about a rival twice",
}
"""Oddities that are counted by class, with a description."""

_NUMBER = re.compile(r"[0-9]{1,3}")
_DASH = re.compile(r"^\s*[-•*]|[–—]", re.MULTILINE)
_INDIRECT = re.compile(
    r"^the '|^the .{0,10}\bkey\b|^(?:the|this) (?:[\w']+ ){0,3}(?:action|element)\b", re.IGNORECASE
)
"""A sentence that speaks of the action or its key features instead of the movement."""


@dataclass(frozen=True)
class Distribution:
    """Distribution of a number over the classes; all zero without numbers."""

    least: int
    median: float
    mean: float
    most: int

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Distribution:
        """Return the distribution of some numbers."""
        if not numbers:
            return cls(0, 0.0, 0.0, 0)
        return cls(min(numbers), float(median(numbers)), fmean(numbers), max(numbers))


@dataclass(frozen=True)
class AnswerIssue:
    """Outcome of an answer under today's checks.

    Args:
        label: Label of the class.
        action: Name of the class.
        step: Step of the dialogue.
        round: Number of the agents' round.
        outcome: Outcome of the checks.
        problem: Why it was not accepted; empty if it was.
    """

    label: int
    action: str
    step: Step
    round: int
    outcome: Outcome
    problem: str


@dataclass(frozen=True)
class DialogueStats:
    """Statistics of the answers of a set of dialogues, as they were given.

    Args:
        classes: Number of classes.
        exchanges: Number of exchanges per class.
        critical: Number of critical joints, over the classes that have any.
        details: Number of described joints, over the classes that have any.
        oddities: Number of classes with each of :data:`ODDITIES`.
        distinct_sets: Number of different sets of described joints.
        largest_group: Number of classes that share the most frequent set.
        outcomes: Number of answers per step and outcome.
        findings: The answers that were not accepted.
    """

    classes: int
    exchanges: Distribution
    critical: Distribution
    details: Distribution
    oddities: Mapping[str, int]
    distinct_sets: int
    largest_group: int
    outcomes: Mapping[Step, Mapping[Outcome, int]]
    findings: tuple[AnswerIssue, ...]


def compute_dialogue_stats(transcripts: DialogueCollection) -> DialogueStats:
    """Return the statistics of a set of dialogues."""
    layout, dialogues = transcripts.layout, transcripts.dialogues
    critical = [len(critical_joints(dialogue)) for dialogue in dialogues]
    details = [salient_joints(dialogue, layout) for dialogue in dialogues]
    odd = [oddities(dialogue, layout) for dialogue in dialogues]
    groups = Counter(filter(None, details))
    issues = [
        _answer_issue(label, exchange, layout)
        for label, dialogue in enumerate(dialogues)
        for exchange in dialogue.exchanges
    ]
    outcomes = Counter((issue.step, issue.outcome) for issue in issues)
    asked = [step for step in Step if any(issue.step is step for issue in issues)]
    return DialogueStats(
        classes=len(dialogues),
        exchanges=Distribution.of([len(dialogue.exchanges) for dialogue in dialogues]),
        critical=Distribution.of(list(filter(None, critical))),
        details=Distribution.of([len(joints) for joints in details if joints]),
        oddities={key: sum(key in present for present in odd) for key in ODDITIES},
        distinct_sets=len(groups),
        largest_group=max(groups.values(), default=0),
        outcomes={step: {o: outcomes[step, o] for o in Outcome} for step in asked},
        findings=tuple(issue for issue in issues if issue.outcome is not Outcome.ACCEPTED),
    )


def oddities(dialogue: Dialogue, layout: SkeletonLayout) -> frozenset[str]:
    """Return which of :data:`ODDITIES` a class's dialogue has."""
    answer = original_answer(dialogue, Step.JOINT_DETAILS)
    labels, summary = detail_labels(answer), original_answer(dialogue, Step.KEY_FEATURES)
    critical, details = critical_joints(dialogue), set(salient_joints(dialogue, layout))
    many, fewest, most = len(critical) > MAX_DETAILS, *DETAILS_OF_MANY
    present = {
        "critical_many": many,
        "critical_all": len(critical) == layout.num_joints,
        "critical_near_all": len(critical) >= NEAR_ALL * layout.num_joints,
        "count_rule": bool(labels) and many and not fewest <= len(details) <= most,
        "dropped": bool(labels) and not many and not critical <= details,
        "unsorted": labels != sorted(labels),
        "duplicate": len(set(labels)) != len(labels),
        "note": any(not detail_labels(line) for line in answer_lines(answer)),
        "one_line": len(answer_lines(original_answer(dialogue, Step.BODY_PARTS))) == 1,
        "dash": bool(_DASH.search(summary)),
        "indirect": bool(_INDIRECT.search(summary)),
        "named": dialogue.action.lower() in summary.lower(),
        "one_sided": {layout.mirror[joint] for joint in details} != details,
        "odd_rivals": any(map(_has_odd_rivals, dialogue.exchanges)),
    }
    return frozenset(key for key, is_present in present.items() if is_present)


def critical_joints(dialogue: Dialogue) -> frozenset[int]:
    """Return the critical joints, 0-based, whatever the form of the answer."""
    answer = original_answer(dialogue, Step.CRITICAL_JOINTS)
    return frozenset(int(number) - 1 for number in _NUMBER.findall(answer))


def _has_odd_rivals(exchange: Exchange) -> bool:
    names = (exchange.question.action, *exchange.question.rivals)
    return exchange.question.step is Step.DISTINGUISH and len(set(names)) != len(names)


def _answer_issue(label: int, exchange: Exchange, layout: SkeletonLayout) -> AnswerIssue:
    """Return the outcome of an answer; a usable one must pass today's checks too."""
    question, outcome = exchange.question, exchange.outcome
    problem = "; ".join(exchange.remarks) if outcome is Outcome.DOUBTED else exchange.problem
    if exchange.usable:
        try:
            answer_content(exchange, layout)
        except AnswerError as error:
            outcome, problem = Outcome.REJECTED, error.problem
    return AnswerIssue(label, question.action, question.step, question.round, outcome, problem)
