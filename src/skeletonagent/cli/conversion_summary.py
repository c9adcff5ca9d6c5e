"""Result of a conversion as it is printed."""

from __future__ import annotations

from collections import defaultdict

from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_warning
from skeletonagent.data.benchmarks import unexpected_counts
from skeletonagent.data.convert.pipeline import Conversion, DatasetReader

_SHOWN = 5
"""Samples named of those left out for the same reason; --json names all."""


def print_conversion(reader: DatasetReader, conversion: Conversion) -> None:
    """Print counts and splits of a converted data set, and what was left out."""
    table = Table.grid(padding=(0, 2))
    table.add_row("samples", f"{conversion.samples}, {conversion.frames} frames")
    table.add_row("classes", str(len(reader.class_names)))
    table.add_row("joints", f"{reader.layout.num_joints} ({escape(reader.layout.name)})")
    for name, (train, test) in conversion.splits.items():
        table.add_row(escape(f"split {name}"), f"{train} training, {test} test samples")
    output.print(
        f"[bold]{escape(reader.title)}[/] in {escape(str(conversion.archive))}", soft_wrap=True
    )
    output.print(table)
    by_reason = defaultdict[str, list[str]](list)
    for item in conversion.skipped:
        by_reason[item.reason].append(item.sample)
    lines = [
        f"{len(samples)} left out: {reason}: {', '.join(samples[:_SHOWN])}"
        f"{', ...' if len(samples) > _SHOWN else ''}"
        for reason, samples in by_reason.items()
    ]
    for line in [*lines, *unexpected_counts(reader.name, dict(conversion.splits))]:
        print_warning(line, on=output)
