"""Summaries of data sets, conversions and dialogues as they are printed."""

from __future__ import annotations

from collections import defaultdict

from rich.markup import escape
from rich.table import Table

from skeletonagent.agents.claim_counts import ClaimCounts
from skeletonagent.agents.dialogue_stats import ODDITIES, DialogueStats, Distribution
from skeletonagent.cli.console import output, print_warning
from skeletonagent.core.claim_results import Verdict
from skeletonagent.core.dialogue import Outcome
from skeletonagent.data.benchmarks import unexpected_counts
from skeletonagent.data.convert.pipeline import Conversion, DatasetReader
from skeletonagent.data.coordinate_summary import CoordinateSummary
from skeletonagent.data.summary import DatasetSummary, SplitSummary

_SAMPLES_SHOWN = 5
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
    _add_coordinates(table, summary.coordinates)
    output.print(f"[bold]{escape(summary.name)}[/]")
    output.print(table)
    for line in _oddities(summary):
        print_warning(line, on=output)
    for advice in summary.coordinates.advice:
        output.print(f"to do or set: {escape(advice)}", soft_wrap=True)


def _add_coordinates(table: Table, coordinates: CoordinateSummary) -> None:
    """Add what is known of the coordinates to a table of a summary."""
    ranges = ", ".join(
        f"{axis} {low:.4g} to {high:.4g}"
        for axis, (low, high) in zip("xyz", coordinates.ranges, strict=False)
    )
    table.add_row("coordinates", ranges or "none")
    table.add_row("unit", f"{coordinates.unit}: {coordinates.unit_reason}")
    rare = [f"{name} {share:.0%}" for name, share in coordinates.rarely_seen.items()]
    shown = ", ".join(rare[:_SAMPLES_SHOWN]) or "every joint in every frame of its body"
    more = f" and {len(rare) - _SAMPLES_SHOWN} more" if len(rare) > _SAMPLES_SHOWN else ""
    table.add_row("seen", escape(shown + more))
    table.add_row("lost", f"{coordinates.lost:.1%} of the frames of bodies")
    table.add_row("skeleton", coordinates.bones or "too little is seen to measure them")


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
        *(f"layout: {problem}" for problem in summary.coordinates.layout_problems),
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
    shown = ", ".join(list(names)[:_SAMPLES_SHOWN])
    return f"{len(names)} {what}: {shown}{', ...' if len(names) > _SAMPLES_SHOWN else ''}"


_LEFT_OUT_SHOWN = 5
"""Samples named of those left out for the same reason; --json names all."""


def print_conversion(reader: DatasetReader, conversion: Conversion) -> None:
    """Print counts and splits of a converted data set."""
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


def print_skipped(reader: DatasetReader, conversion: Conversion) -> None:
    """Print samples that were left out, and counts that a benchmark does not have, as remarks."""
    by_reason = defaultdict[str, list[str]](list)
    for item in conversion.skipped:
        by_reason[item.reason].append(item.sample)
    lines = [
        f"{len(samples)} left out: {reason}: {', '.join(samples[:_LEFT_OUT_SHOWN])}"
        f"{', ...' if len(samples) > _LEFT_OUT_SHOWN else ''}"
        for reason, samples in by_reason.items()
    ]
    for line in [*lines, *unexpected_counts(reader.name, dict(conversion.splits))]:
        print_warning(line)


_ANSWERS_SHOWN = 8
"""Answers named that were not accepted; --json names all."""


def print_stats(stats: DialogueStats) -> None:
    """Print counts of the answers, what is odd about them, and those that were not accepted."""
    table = Table.grid(padding=(0, 2))
    table.add_row("classes", str(stats.classes))
    table.add_row("exchanges a class", _spread(stats.exchanges))
    table.add_row("joints found critical", _spread(stats.critical))
    table.add_row("joints described", _spread(stats.details))
    sets = f"{stats.distinct_sets}, the most frequent shared by {stats.largest_group} classes"
    table.add_row("different sets of these", sets)
    table.add_row("classes with")
    for key, words in ODDITIES.items():
        table.add_row(f"  {words}", str(stats.oddities[key]))
    output.print(table)
    output.print(outcome_table(stats))
    for finding in stats.findings[:_ANSWERS_SHOWN]:
        where = f"{finding.label + 1} {finding.action}, {finding.step}"
        print_warning(f"{where}: {finding.outcome}, {finding.problem}", on=output)
    if len(stats.findings) > _ANSWERS_SHOWN:
        output.print(
            f"and {len(stats.findings) - _ANSWERS_SHOWN} more answers; --json names them all"
        )


def _spread(spread: Distribution) -> str:
    return f"{spread.least} to {spread.most}, median {spread.median:g}, mean {spread.mean:.1f}"


def outcome_table(stats: DialogueStats) -> Table:
    """Return the number of answers of each step by outcome."""
    table = Table("answers", *Outcome, box=None)
    for step, counts in stats.outcomes.items():
        table.add_row(step, *(str(counts[outcome]) for outcome in Outcome))
    return table


def print_claims(counts: ClaimCounts) -> None:
    """Print the number of claims by verdict and feature, and each one that is contradicted."""
    tested = len(counts.tested)
    output.print(f"{tested + len(counts.untested)} claims about {counts.classes} classes")
    if counts.untested:
        output.print(f"{len(counts.untested)} of them were not tested on clips")
    if not tested:
        return
    table = Table("tested on the training clips", *Verdict, box=None)
    shares = [f"{count} ({count / tested:.0%})" for count in counts.verdicts.values()]
    table.add_row("all", *shares)
    for feature, verdicts in counts.by_feature.items():
        table.add_row(feature, *map(str, verdicts.values()))
    output.print(table)
    for action, result in counts.tested:
        if result.verdict is Verdict.CONTRADICTED:
            print_warning(f"{action}: {result}", on=output)
