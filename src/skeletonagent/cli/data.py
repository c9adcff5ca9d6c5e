"""``skeletonagent data list`` and ``check``: archives in a folder, and one of them in detail."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json, print_warning
from skeletonagent.core.errors import DataError


def list_archives(
    folder: Annotated[Path, typer.Argument(help="Folder with archives.")] = Path("."),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list as JSON instead of a table.")
    ] = False,
) -> None:
    """List the generated data set and the archives below a folder.

    Example:
      skeletonagent data list ~/skeletons
    """
    from skeletonagent.core.outside_files import UNREADABLE, problem_line
    from skeletonagent.data.archive import find_archives
    from skeletonagent.experiments.datasets import SYNTHETIC, open_dataset

    archives = []
    for source in [SYNTHETIC, *map(str, find_archives(folder))]:
        try:
            data = open_dataset(source)
        except DataError as error:
            console.print(f"skipped: {error}", style="yellow", markup=False, soft_wrap=True)
            continue
        except UNREADABLE as error:
            line = f"skipped: {source}: {problem_line(error)}"
            console.print(line, style="yellow", markup=False, soft_wrap=True)
            continue
        archives.append(
            {
                "name": data.name,
                "samples": len(data.store),
                "classes": data.store.num_classes,
                "joints": data.store.layout.num_joints,
                "splits": list(data.splits),
                "path": source,
            }
        )
    if as_json:
        print_json({"data": archives})
        return
    table = Table("name", "samples", "classes", "joints", "splits", box=None)
    table.add_column("path", overflow="fold")
    for archive in archives:
        table.add_row(*(escape(_cell(value)) for value in archive.values()))
    output.print(table)


def check_archive(
    archive: Annotated[str, typer.Argument(help="A skeleton archive, or 'synthetic'.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as JSON instead of tables.")
    ] = False,
) -> None:
    """Inspect an archive: counts, splits, and what is odd about it.

    The splits of a benchmark are compared with their published numbers of samples.

    Status 1 if it cannot be trained on as it is.

    Example:
      skeletonagent data check skeletons/nw_ucla
    """
    from skeletonagent.cli.summaries import print_summary
    from skeletonagent.data.benchmarks import expected_counts
    from skeletonagent.data.summary import summarize_dataset
    from skeletonagent.experiments.datasets import open_dataset, remarks_on_dataset

    data = open_dataset(archive)
    summary = summarize_dataset(data)
    remarks = remarks_on_dataset(data) if summary.usable else []
    if as_json:
        counts = {"expected": expected_counts(summary.name), "remarks": remarks}
        print_json({**asdict(summary), **counts})
    else:
        print_summary(summary)
        for remark in remarks:
            print_warning(remark, on=output)
    if not summary.usable:
        raise DataError(
            f"{len(summary.not_finite)} sample(s) hold NaN or infinite joints; leave them out",
            path=Path(archive),
            sample=summary.not_finite[0],
        )


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
