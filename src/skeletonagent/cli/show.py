"""``skeletonagent dialogues show``: what was said about one class, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from skeletonagent.agents.selector import Selector
from skeletonagent.cli.console import console, print_json
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.dialogue_page import (
    TITLES,
    ClassDialogue,
    Salience,
    dialogue_page,
    joints_named,
    source_in_words,
)
from skeletonagent.training.run_directory import RunDirectory

_STYLES = {
    Outcome.ACCEPTED: "green",
    Outcome.REPAIRED: "yellow",
    Outcome.REJECTED: "red",
    Outcome.UNANSWERED: "red",
}


def show(
    path: Annotated[Path, typer.Argument(help="A run, or a folder of dialogues.")],
    class_: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLASS]", help="Its name, part of the name or number; without, all are listed."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write the dialogue as a page to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what was said about a class, and which joints became salient.

    Example:
      skeletonagent dialogues show runs/utd wave --html wave.html
    """
    transcripts = DialogueCollection.load(path)
    if class_ is None:
        if html is not None:
            raise ConfigError("--html needs a CLASS, for a page is about one class")
        _list(transcripts, as_json)
        return
    label = label_of_class(class_, [dialogue.action for dialogue in transcripts.dialogues])
    told = read_class_dialogue(path, transcripts, label)
    _print(told)
    if html is not None:
        write_text(html, dialogue_page(told))
        console.print(f"written to {escape(str(html))}", soft_wrap=True)
    if as_json:
        print_json(_to_json(told))


def label_of_class(asked: str, names: list[str]) -> int:
    """Return the label of the class that is meant by a name, part of a name or 1-based number.

    Raises:
        ConfigError: If none is meant, or more than one.
    """
    wanted = _plain(asked)
    found = [label for label, name in enumerate(names) if _plain(name) == wanted]
    if not found and asked.strip().isdecimal() and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    found = found or [label for label, name in enumerate(names) if wanted in _plain(name)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{label + 1} {names[label]}" for label in found[:10])
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    if found:
        raise ConfigError(f"class {asked!r} may be {listed}{more}; give more of it or its number")
    raise ConfigError(
        f"there is no class {asked!r} among {len(names)}; without a CLASS all are listed"
    )


def read_class_dialogue(path: Path, transcripts: DialogueCollection, label: int) -> ClassDialogue:
    """Return a class's dialogue and what became salient.

    A run has recorded that round by round. Of a bare folder it is what its answers come to.

    Raises:
        DataError: If the run's record is damaged.
    """
    layout, dialogue = transcripts.layout, transcripts.dialogues[label]
    rounds = RunDirectory(path).read_rounds()
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


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _list(transcripts: DialogueCollection, as_json: bool) -> None:
    table = Table("class", "", "answers", "rounds", "not accepted", box=None)
    classes = [_facts(label, dialogue) for label, dialogue in enumerate(transcripts.dialogues)]
    for facts in classes:
        number, action, answers, rounds, odd = map(str, facts.values())
        table.add_row(number, escape(action), answers, rounds, odd if facts["not_accepted"] else "")
    console.print(table)
    if as_json:
        print_json({"classes": classes})


def _facts(label: int, dialogue: Dialogue) -> dict[str, Any]:
    said = dialogue.exchanges
    return {
        "number": label + 1,
        "action": dialogue.action,
        "answers": len(said),
        "rounds": len({e.question.round for e in said if e.question.step is Step.DISTINGUISH}),
        "not_accepted": sum(exchange.outcome is not Outcome.ACCEPTED for exchange in said),
    }


def _to_json(told: ClassDialogue) -> dict[str, Any]:
    layout = told.layout
    exchanges = [
        {**exchange.to_json(), "joints": _labels(joints_named(exchange, layout), layout)}
        for exchange in told.dialogue.exchanges
    ]
    salience = [
        {
            "round": item.round,
            "joints": _labels(item.joints, layout),
            "sentence": item.sentence,
            "notes": list(item.notes),
        }
        for item in told.salience
    ]
    facts = {"number": told.number, "action": told.dialogue.action, "layout": layout.name}
    return {**facts, "exchanges": exchanges, "salient": salience}


def _labels(joints: tuple[int, ...], layout: SkeletonLayout) -> list[str]:
    return [layout.label(joint) for joint in joints]


def _print(told: ClassDialogue) -> None:
    layout = told.layout
    console.print(f"[bold]{escape(told.dialogue.action)}[/]", end="")
    console.print(f"[dim], class {told.number} of {told.classes}, {layout.num_joints} joints[/]")
    for happened in told.rounds:
        console.print()
        console.print(Rule(f"[bold]{happened.title}[/]", align="left", style="cyan"))
        if happened.rivals:
            console.print(f"[yellow]mistaken for[/] {escape(happened.rivals)}")
        for exchange in happened.exchanges:
            _print_exchange(exchange, layout)
        if happened.salience:
            _print_salience(happened.salience, layout)
    if not told.dialogue.exchanges:
        console.print("nothing was said about it")


def _print_exchange(exchange: Exchange, layout: SkeletonLayout) -> None:
    style = _STYLES[exchange.outcome]
    console.print(
        f"\n[bold]{TITLES[exchange.question.step]}[/]  [{style}]{exchange.outcome.value}[/]"
    )
    console.print(Padding(Text(exchange.question.plain, style="dim"), (0, 0, 0, 2)))
    for attempt in exchange.earlier:
        _print_answer(attempt, f"{attempt.outcome.value} attempt")
    _print_answer(exchange, "")
    joints = joints_named(exchange, layout)
    if joints:
        _print_lines([("joints: " + ", ".join(map(layout.display_name, joints)), "cyan")])


def _print_answer(exchange: Exchange, heading: str) -> None:
    told = [(heading, _STYLES[exchange.outcome]), (exchange.answer or "(no answer)", "")]
    told += [(f"! {exchange.problem}", _STYLES[exchange.outcome])] if exchange.problem else []
    told += [(f"the clips: {remark}", "yellow") for remark in exchange.remarks]
    _print_lines([*told, (source_in_words(exchange.source), "dim italic")])


def _print_salience(item: Salience, layout: SkeletonLayout) -> None:
    joints = ", ".join(map(layout.display_name, item.joints)) or "all joints count"
    lines = [("", ""), (f"became salient: {joints}", "bold green"), (f"“{item.sentence}”", "")]
    console.print()
    _print_lines([*lines, *((f"note: {note}", "yellow") for note in item.notes)])


def _print_lines(lines: list[tuple[str, str]]) -> None:
    """Print what is not empty, each text in its style, set in."""
    for text, style in lines:
        if text:
            console.print(Padding(Text(text, style=style), (0, 0, 0, 4)))
