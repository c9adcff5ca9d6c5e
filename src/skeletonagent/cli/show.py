"""``skeletonagent dialogues show``: the dialogue about one class, and its salient joints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json
from skeletonagent.core.dialogue import Dialogue, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ConfigError


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
    """Show the dialogue about a class, and which joints became salient.

    Example:
      skeletonagent dialogues show runs/utd wave --html wave.html
    """
    from skeletonagent.cli.class_dialogue import (
        dialogue_to_json,
        print_dialogue,
        read_class_dialogue,
    )
    from skeletonagent.core.files import write_text
    from skeletonagent.report.dialogue_page import dialogue_page

    collection = DialogueCollection.load(path)
    if class_ is None:
        if html is not None:
            raise ConfigError("--html needs a CLASS, for a page is about one class")
        _list(collection, as_json)
        return
    label = label_of_class(class_, [dialogue.action for dialogue in collection.dialogues])
    about = read_class_dialogue(path, collection, label)
    if as_json:
        print_json(dialogue_to_json(about))
    else:
        print_dialogue(about)
    if html is not None:
        write_text(html, dialogue_page(about))
        console.print(f"written to {escape(str(html))}", soft_wrap=True)


def label_of_class(asked: str, names: list[str]) -> int:
    """Return the label of a class from its name, part of its name or 1-based number.

    Raises:
        ConfigError: If it fits no class, or more than one.
    """
    wanted = _plain(asked)
    labels = [label for label, name in enumerate(names) if _plain(name) == wanted]
    if not labels and asked.strip().isdecimal() and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    labels = labels or [label for label, name in enumerate(names) if wanted in _plain(name)]
    if len(labels) == 1:
        return labels[0]
    listed = ", ".join(f"{label + 1} {names[label]}" for label in labels[:10])
    more = f" and {len(labels) - 10} more" if len(labels) > 10 else ""
    if labels:
        raise ConfigError(f"class {asked!r} may be {listed}{more}; give more of it or its number")
    raise ConfigError(
        f"there is no class {asked!r} among {len(names)}; without a CLASS all are listed"
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _list(collection: DialogueCollection, as_json: bool) -> None:
    classes = [_counts(label, dialogue) for label, dialogue in enumerate(collection.dialogues)]
    if as_json:
        print_json({"classes": classes})
        return
    table = Table("class", "", "answers", "rounds", "not accepted", box=None)
    for counts in classes:
        number, action, answers, rounds, rejected = map(str, counts.values())
        rejected = rejected if counts["not_accepted"] else ""
        table.add_row(number, escape(action), answers, rounds, rejected)
    output.print(table)


def _counts(label: int, dialogue: Dialogue) -> dict[str, Any]:
    exchanges = dialogue.exchanges
    return {
        "number": label + 1,
        "action": dialogue.action,
        "answers": len(exchanges),
        "rounds": len({e.question.round for e in exchanges if e.question.step is Step.DISTINGUISH}),
        "not_accepted": sum(exchange.outcome is not Outcome.ACCEPTED for exchange in exchanges),
    }
