"""Dialogue about one class: read from a run or a folder, and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from skeletonagent.agents.selector import Selector
from skeletonagent.cli.console import output
from skeletonagent.core.claim_results import Verdict
from skeletonagent.core.dialogue import Exchange, Outcome
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.dialogue_page import (
    STEP_TITLES,
    ClassDialogue,
    Salience,
    claims_to_json,
    describe_provenance,
    named_joints,
)
from skeletonagent.training.run_directory import RunDirectory

VERDICT_STYLES = {
    "": "dim",
    Verdict.BORNE_OUT.value: "green",
    Verdict.CONTRADICTED.value: "red",
    Verdict.UNDECIDED.value: "dim",
}
"""Style of a claim by its verdict, empty for one that was not tested."""
_STYLES = {
    Outcome.ACCEPTED: "green",
    Outcome.DOUBTED: "yellow",
    Outcome.REPAIRED: "yellow",
    Outcome.REJECTED: "red",
    Outcome.UNANSWERED: "red",
}


def read_class_dialogue(path: Path, transcripts: DialogueCollection, label: int) -> ClassDialogue:
    """Return a class's dialogue and what became salient.

    A run has recorded that round by round. Of a bare folder it is what its answers come to.

    Raises:
        DataError: If the run's record is damaged.
    """
    layout, dialogue = transcripts.layout, transcripts.dialogues[label]
    rounds = RunDirectory(path).read_rounds(len(transcripts.dialogues))
    recorded = [_recorded(item["round"], item["classes"][label]) for item in rounds]
    changed = [
        now
        for now, before in zip(recorded, [None, *recorded], strict=False)
        if before is None or (now.joints, now.sentence) != (before.joints, before.sentence)
    ]
    if not changed and dialogue.exchanges:
        chosen = Selector(layout).select(dialogue, None, ())
        last = max(exchange.question.round for exchange in dialogue.exchanges)
        changed = [Salience(last, chosen.joints, chosen.sentence, chosen.notes)]
    return ClassDialogue(layout, label + 1, len(transcripts.dialogues), dialogue, tuple(changed))


def _recorded(round_number: int, item: dict[str, Any]) -> Salience:
    joints = tuple(int(joint.partition("-")[0]) - 1 for joint in item["joints"])
    return Salience(round_number, joints, item["sentence"], tuple(item["notes"]))


def dialogue_to_json(about: ClassDialogue) -> dict[str, Any]:
    """Return exchanges and salient joints of a class as plain values."""
    layout = about.layout
    exchanges = [
        {**exchange.to_json(), "joints": _labels(named_joints(exchange, layout), layout)}
        for exchange in about.dialogue.exchanges
    ]
    salience = [
        {
            "round": item.round,
            "joints": _labels(item.joints, layout),
            "sentence": item.sentence,
            "notes": list(item.notes),
        }
        for item in about.salience
    ]
    head = {"number": about.number, "action": about.dialogue.action, "layout": layout.name}
    return {**head, "exchanges": exchanges, "salient": salience}


def _labels(joints: tuple[int, ...], layout: SkeletonLayout) -> list[str]:
    return [layout.label(joint) for joint in joints]


def print_dialogue(about: ClassDialogue) -> None:
    """Print exchanges and salient joints of a class, round by round."""
    layout = about.layout
    output.print(f"[bold]{escape(about.dialogue.action)}[/]", end="")
    output.print(f"[dim], class {about.number} of {about.classes}, {layout.num_joints} joints[/]")
    for item in about.rounds:
        output.print()
        output.print(Rule(f"[bold]{item.title}[/]", align="left", style="cyan"))
        if item.rivals:
            output.print(f"[yellow]mistaken for[/] {escape(item.rivals)}")
        for exchange in item.exchanges:
            _print_exchange(exchange, layout)
        if item.salience:
            _print_salience(item.salience, layout)
    if not about.dialogue.exchanges:
        output.print("nothing was said about it")


def _print_exchange(exchange: Exchange, layout: SkeletonLayout) -> None:
    style = _STYLES[exchange.outcome]
    output.print(
        f"\n[bold]{STEP_TITLES[exchange.question.step]}[/]  [{style}]{exchange.outcome.value}[/]"
    )
    output.print(Padding(Text(exchange.question.plain, style="dim"), (0, 0, 0, 2)))
    for attempt in exchange.earlier:
        _print_answer(attempt, f"{attempt.outcome.value} attempt")
    _print_answer(exchange, "")
    joints = named_joints(exchange, layout)
    if joints:
        _print_lines([("joints: " + ", ".join(map(layout.display_name, joints)), "cyan")])
    for claim in claims_to_json(exchange, layout):
        words = ", ".join(filter(None, [claim["verdict"], claim["effect"]])) or "not tested"
        _print_lines([(f"claim: {claim['claim']}: {words}", VERDICT_STYLES[claim["verdict"]])])


def _print_answer(exchange: Exchange, heading: str) -> None:
    lines = [(heading, _STYLES[exchange.outcome]), (exchange.answer or "(no answer)", "")]
    lines += [(f"! {exchange.problem}", _STYLES[exchange.outcome])] if exchange.problem else []
    lines += [(f"the clips: {remark}", "yellow") for remark in exchange.remarks]
    lines += [(f"caveat: {caveat}", "yellow") for caveat in exchange.caveats]
    _print_lines([*lines, (describe_provenance(exchange.source), "dim italic")])


def _print_salience(item: Salience, layout: SkeletonLayout) -> None:
    joints = ", ".join(map(layout.display_name, item.joints)) or "all joints count"
    lines = [("", ""), (f"became salient: {joints}", "bold green"), (f"“{item.sentence}”", "")]
    output.print()
    _print_lines([*lines, *((f"note: {note}", "yellow") for note in item.notes)])


def _print_lines(lines: list[tuple[str, str]]) -> None:
    """Print what is not empty, each text in its style, set in."""
    for text, style in lines:
        if text:
            output.print(Padding(Text(text, style=style), (0, 0, 0, 4)))
