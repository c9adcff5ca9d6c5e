"""``skeletonagent dialogues``: bring in what was said elsewhere, and look answers over."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.agents.dialogue_stats import (
    ODDITIES,
    DialogueStats,
    Distribution,
    compute_dialogue_stats,
)
from skeletonagent.agents.released_dialogues import RELEASED, read_released_dialogues
from skeletonagent.cli.console import console, print_json
from skeletonagent.cli.estimate import estimate
from skeletonagent.cli.show import show
from skeletonagent.core.dialogue import Outcome
from skeletonagent.core.dialogue_io import DIALOGUES_METADATA, DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.experiments.build_agents import bundled_dialogues
from skeletonagent.llm.class_notes import bundled_names, read_class_notes

app = typer.Typer(no_args_is_help=True, help="Look at what agents and language model said.")
app.command()(show)
app.command()(estimate)

_SHOWN = 8
"""Answers named that did not pass; --json names all."""

_DATASETS = f"Which of the published data sets: {', '.join(RELEASED)}."


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="The authors' files: their zip, or a folder.")],
    dataset: Annotated[str, typer.Option("--dataset", help=_DATASETS)],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the dialogues to.")],
    class_names: Annotated[
        Path | None,
        typer.Option("--class-names", help="A class name per line, if none are in PATH."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Bring in the dialogues published with the paper, each answer checked and repaired.

    Example:
      skeletonagent dialogues import gpt4o_dialogues.zip --dataset nturgbd_60 --out dialogues/ntu60
    """
    if (out / DIALOGUES_METADATA).exists():
        raise DataError("holds dialogues already; choose another folder", path=out)
    transcripts = read_released_dialogues(path, dataset, _names(class_names))
    transcripts.save(out)
    found = compute_dialogue_stats(transcripts)
    console.print(_outcomes(found))
    console.print(f"{found.classes} dialogues written to {escape(str(out))}", soft_wrap=True)
    if as_json:
        print_json({"out": str(out), **asdict(found)})


@app.command()
def export(
    name: Annotated[
        str, typer.Argument(help=f"Label set: {', '.join(bundled_names())}, or a YAML file.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the dialogues to.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Write the guidance that comes with the package as dialogues, each answer checked.

    Example:
      skeletonagent dialogues export utd_mhad --out dialogues/utd
    """
    if (out / DIALOGUES_METADATA).exists():
        raise DataError("holds dialogues already; choose another folder", path=out)
    transcripts = bundled_dialogues(Path(name).stem, read_class_notes(name))
    transcripts.save(out)
    found = compute_dialogue_stats(transcripts)
    _print(found)
    console.print(f"{found.classes} dialogues written to {escape(str(out))}", soft_wrap=True)
    if as_json:
        print_json({"out": str(out), **asdict(found)})


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="A run, a folder of dialogues, or the authors' files.")
    ],
    dataset: Annotated[
        str | None, typer.Option("--dataset", help=f"For the authors' files. {_DATASETS}")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Count what is odd about the answers, and what the validator makes of them.

    Example:
      skeletonagent dialogues check runs/utd
    """
    transcripts = (
        read_released_dialogues(path, dataset) if dataset else DialogueCollection.load(path)
    )
    found = compute_dialogue_stats(transcripts)
    _print(found)
    if as_json:
        print_json(asdict(found))


def _names(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as class names: {error}", path=path) from error
    return [line.strip() for line in lines if line.strip()]


def _print(found: DialogueStats) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("classes", str(found.classes))
    table.add_row("exchanges a class", _spread(found.exchanges))
    table.add_row("joints found critical", _spread(found.critical))
    table.add_row("joints described", _spread(found.details))
    sets = f"{found.distinct_sets}, the most frequent shared by {found.largest_group} classes"
    table.add_row("different sets of these", sets)
    table.add_row("classes with")
    for key, words in ODDITIES.items():
        table.add_row(f"  {words}", str(found.oddities[key]))
    console.print(table)
    console.print(_outcomes(found))
    for finding in found.findings[:_SHOWN]:
        where = f"{finding.label + 1} {finding.action}, {finding.step}"
        console.print(
            f"[yellow]![/] {escape(where)}: {finding.outcome}, {escape(finding.problem)}",
            soft_wrap=True,
        )
    if len(found.findings) > _SHOWN:
        console.print(f"and {len(found.findings) - _SHOWN} more answers; --json names them all")


def _spread(spread: Distribution) -> str:
    return f"{spread.least} to {spread.most}, median {spread.median:g}, mean {spread.mean:.1f}"


def _outcomes(found: DialogueStats) -> Table:
    table = Table("answers", *Outcome, box=None)
    for step, counts in found.outcomes.items():
        table.add_row(step, *(str(counts[outcome]) for outcome in Outcome))
    return table
