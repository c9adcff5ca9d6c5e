"""Rounds of the agents as plain values: confused classes, questions, answers and changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from skeletonagent.core.dialogue import Dialogue, Exchange
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.dialogue_page import exchange_to_json
from skeletonagent.report.runs import ReportedRun
from skeletonagent.report.serialize import compress_json


def agent_rounds(run: ReportedRun) -> dict[str, Any] | None:
    """Return a run's rounds, their exchanges compressed; None before the first guidance."""
    if run.dialogues is None or not run.rounds:
        return None
    layout, dialogues = run.dialogues.layout, run.dialogues.dialogues
    label_of = {dialogue.action: label for label, dialogue in enumerate(dialogues)}
    rounds, details = [], []
    before: list[dict[str, Any]] = []
    for recorded in run.rounds:
        number, now = recorded["round"], recorded["classes"]
        entries = [
            _entry(number, label, dialogue, now[label], before[label] if before else None)
            | {"exchanges": _exchanges(dialogue, number, layout, label_of)}
            for label, dialogue in enumerate(dialogues)
        ]
        listed = [entry for entry in entries if entry["exchanges"] or entry["changed"]]
        listed.sort(key=lambda entry: -entry["confused"])
        rounds.append(_overview(number, run, listed))
        details.append(listed)
        before = now
    return {"rounds": rounds, "details": compress_json(details)}


def latest_joints(run: ReportedRun) -> list[list[int]] | None:
    """Return the joints that the agents chose for each class; none for one without a choice.

    None if nobody was asked, or nothing was answered yet.
    """
    if not run.guided or not run.rounds:
        return None
    return [_indices(recorded["joints"]) for recorded in run.rounds[-1]["classes"]]


def _entry(
    number: int,
    label: int,
    dialogue: Dialogue,
    now: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the change of a class's guidance in a round."""
    question = next((e.question for e in dialogue.exchanges if e.question.round == number), None)
    counts = question.counts if question else ()
    changed = before is None or any(now[key] != before[key] for key in ("joints", "sentence"))
    return {
        "label": label,
        "confused": sum(counts),
        "joints": _indices(now["joints"]),
        "joints_before": _indices(before["joints"]) if before else None,
        "sentence": now["sentence"],
        "sentence_before": before["sentence"] if before and changed else "",
        "notes": list(now["notes"]),
        "changed": changed,
    }


def _exchanges(
    dialogue: Dialogue, number: int, layout: SkeletonLayout, label_of: Mapping[str, int]
) -> list[dict[str, Any]]:
    return [
        exchange_to_json(exchange, layout) | {"rivals": _rivals(exchange, label_of)}
        for exchange in dialogue.exchanges
        if exchange.question.round == number
    ]


def _rivals(exchange: Exchange, label_of: Mapping[str, int]) -> list[tuple[int | str, int | None]]:
    """Return the rivals of a question, by label if it is one of the classes, with their counts."""
    question = exchange.question
    counts = [*question.counts, *[None] * len(question.rivals)]
    return [(label_of.get(name, name), count) for name, count in zip(question.rivals, counts)]  # noqa: B905


def _overview(number: int, run: ReportedRun, entries: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = Counter(exchange["outcome"] for entry in entries for exchange in entry["exchanges"])
    return {
        "number": number,
        "epoch": next((r["epoch"] for r in run.metrics if r["round"] >= number), None),
        "asked": sum(bool(entry["exchanges"]) for entry in entries),
        "changed": sum(entry["changed"] for entry in entries),
        "outcomes": dict(outcomes),
    }


def _indices(labels: list[str]) -> list[int]:
    return [int(label.partition("-")[0]) - 1 for label in labels]
