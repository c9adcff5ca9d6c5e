"""Summary of a data set as it is printed."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_warning
from skeletonagent.data.benchmarks import unexpected_counts
from skeletonagent.data.summary import DatasetSummary, SplitSummary

_SHOWN = 5
"""Samples named of each oddity; --json names all."""


def print_summary(summary: DatasetSummary) -> None:
    """Print counts, splits and oddities of a data set."""
    persons = ", ".join(f"{count} with {number}" for number, count in summary.persons.items())
    low, median, high = summary.frames
    table = Table.grid(padding=(0, 2))
    table.add_row("samples", str(summary.samples))
    table.add_row("classes", _class_counts(summary))
    table.add_row("joints", f"{summary.joints}, in {summary.channels}D")
    table.add_row("persons", f"samples: {persons}")
    table.add_row("frames", f"{low} to {high}, median {median}")
    for name, split in summary.splits.items():
        table.add_row(escape(f"split {name}"), _split_line(split))
    output.print(f"[bold]{escape(summary.name)}[/]")
    output.print(table)
    for line in _oddities(summary):
        print_warning(line, on=output)


def _class_counts(summary: DatasetSummary) -> str:
    counts = summary.samples_per_class.values()
    return f"{summary.classes}, with {min(counts)} to {max(counts)} samples each"


def _split_line(split: SplitSummary) -> str:
    subjects = {None: "subjects unknown", 0: "no subject in both"}.get(
        split.shared_subjects, f"{split.shared_subjects} subjects in both"
    )
    return f"{split.train} training, {split.test} test samples, {subjects}"


def _oddities(summary: DatasetSummary) -> list[str]:
    lines = [
        _some("sample(s) with NaN or infinite joints", summary.not_finite),
        _some("sample(s) of a single frame", summary.single_frame),
        _some("sample(s) with frames in which nobody is seen", summary.empty_frames),
        _some("class(es) without samples", summary.empty_classes),
    ]
    counts = {name: (split.train, split.test) for name, split in summary.splits.items()}
    lines += unexpected_counts(summary.name, counts)
    for name, split in summary.splits.items():
        copies = [f"{test} = {train}" for train, test in split.duplicates]
        lines += [
            _some(f"test sample(s) of {name} that are copies of training samples", copies),
            _some(f"sample(s) in both parts of {name}", split.shared_samples),
            _some(f"class(es) of {name} without training samples", split.missing_classes),
        ]
    return [line for line in lines if line]


def _some(what: str, names: tuple[str, ...] | list[str] | dict[str, int]) -> str:
    if not names:
        return ""
    shown = ", ".join(list(names)[:_SHOWN])
    return f"{len(names)} {what}: {shown}{', ...' if len(names) > _SHOWN else ''}"
