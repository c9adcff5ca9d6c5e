"""``skeletonagent data``: fetch and convert data sets, see which there are, look one over."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, print_json
from skeletonagent.cli.convert import convert, download, expected_counts, unexpected_counts
from skeletonagent.core.errors import DataError
from skeletonagent.data.archive import find_archives
from skeletonagent.data.summary import DatasetSummary, SplitSummary, summarize_dataset
from skeletonagent.experiments.build import open_dataset

app = typer.Typer(no_args_is_help=True, help="Fetch, convert and look at skeleton data.")
app.command("convert")(convert)
app.command("download")(download)

_SHOWN = 5
"""Samples named of each oddity; --json names all."""


@app.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(help="Where to look for archives.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the generated data set and the archives below a folder.

    Example:
      skeletonagent data list ~/skeletons
    """
    table = Table("name", "samples", "classes", "joints", "splits", box=None)
    table.add_column("path", overflow="fold")
    found = []
    for source in ["synthetic", *(str(path) for path in find_archives(folder))]:
        try:
            data = open_dataset(source)
        except DataError as error:
            console.print(f"skipped: {error}", style="yellow", markup=False, soft_wrap=True)
            continue
        store = data.store
        facts = {
            "name": data.name,
            "samples": len(store),
            "classes": store.num_classes,
            "joints": store.layout.num_joints,
            "splits": list(data.splits),
            "path": source,
        }
        found.append(facts)
        table.add_row(*(escape(_cell(value)) for value in facts.values()))
    console.print(table)
    if as_json:
        print_json({"data": found})


@app.command()
def check(
    archive: Annotated[str, typer.Argument(help="A skeleton archive, or 'synthetic'.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look an archive over: counts, splits, and what is odd about it.

    A benchmark's splits are compared with their published numbers of samples.

    Status 1 if it cannot be trained on as it is.

    Example:
      skeletonagent data check skeletons/nw_ucla
    """
    found = summarize_dataset(open_dataset(archive))
    _print(found)
    if as_json:
        print_json({**asdict(found), "expected": expected_counts(found.name)})
    if not found.usable:
        raise DataError(
            f"{len(found.not_finite)} sample(s) hold NaN or infinite joints; leave them out",
            path=Path(archive),
            sample=found.not_finite[0],
        )


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _print(found: DatasetSummary) -> None:
    persons = ", ".join(f"{count} with {number}" for number, count in found.persons.items())
    low, median, high = found.frames
    table = Table.grid(padding=(0, 2))
    table.add_row("samples", str(found.samples))
    table.add_row("classes", _class_counts(found))
    table.add_row("joints", f"{found.joints}, in {found.channels}D")
    table.add_row("persons", f"samples: {persons}")
    table.add_row("frames", f"{low} to {high}, median {median}")
    for name, split in found.splits.items():
        table.add_row(escape(f"split {name}"), _split_line(split))
    console.print(f"[bold]{escape(found.name)}[/]")
    console.print(table)
    for line in _oddities(found):
        console.print(f"[yellow]![/] {escape(line)}", soft_wrap=True)


def _class_counts(found: DatasetSummary) -> str:
    counts = found.samples_per_class.values()
    return f"{found.classes}, with {min(counts)} to {max(counts)} samples each"


def _split_line(split: SplitSummary) -> str:
    subjects = {None: "subjects unknown", 0: "no subject in both"}.get(
        split.shared_subjects, f"{split.shared_subjects} subjects in both"
    )
    return f"{split.train} to train, {split.test} to test, {subjects}"


def _oddities(found: DatasetSummary) -> list[str]:
    lines = [
        _some("sample(s) with NaN or infinite joints", found.not_finite),
        _some("sample(s) of a single frame", found.single_frame),
        _some("sample(s) with frames in which nobody is seen", found.empty_frames),
        _some("class(es) without samples", found.label_holes),
    ]
    counts = {name: (split.train, split.test) for name, split in found.splits.items()}
    lines += unexpected_counts(found.name, counts)
    for name, split in found.splits.items():
        copies = [f"{test} = {train}" for train, test in split.duplicates]
        lines += [
            _some(f"test sample(s) of {name} that are copies of training samples", copies),
            _some(f"sample(s) in both parts of {name}", split.shared),
            _some(f"class(es) of {name} without training samples", split.missing_classes),
        ]
    return [line for line in lines if line]


def _some(what: str, names: tuple[str, ...] | list[str] | dict[str, int]) -> str:
    if not names:
        return ""
    shown = ", ".join(list(names)[:_SHOWN])
    return f"{len(names)} {what}: {shown}{', ...' if len(names) > _SHOWN else ''}"
