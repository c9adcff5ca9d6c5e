"""Results of a study as tables: written to its folder, and to a page with other text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.evaluation.significance import Estimate
from skeletonagent.experiments.measurements import METRICS, Measurement, RowResult, summarize_rows
from skeletonagent.experiments.plans import StudyPlan, StudyRow
from skeletonagent.experiments.study import Study

RESULTS_FILE = "results.csv"
"""Name of the file with every result, in the folder of a study."""

LEGEND = (
    "Means over seeds, in percent except the likelihood, with 95 % t-intervals in brackets and the "
    "number of seeds in parentheses; differences are paired by seed. The hard, medium and easy "
    "classes of a seed, and the hardest third, are chosen by the baseline's runs with other seeds; "
    "with a single seed they are chosen by its own run, and gains on hard classes are then in part "
    "due to chance. Time is relative to the baseline's."
)


def as_csv(measurements: Sequence[Measurement]) -> str:
    """Return the measurements as CSV, a line for each run, part of the test set and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "part", "metric", "value"])
    writer.writerows([m.row, m.seed, m.part, m.metric, f"{m.value:.6f}"] for m in measurements)
    return text.getvalue()


def as_markdown(plan: StudyPlan, results: Sequence[RowResult]) -> str:
    """Return a Markdown page of all tables."""
    return "\n\n".join([f"# {plan.title}", LEGEND, as_tables(plan, results)])


def as_tables(plan: StudyPlan, results: Sequence[RowResult]) -> str:
    """Return Markdown tables of means and of differences for each part of the test set."""
    baseline = plan.rows[0].label
    blocks = []
    for part in dict.fromkeys(result.part for result in results):
        shown = [r for r in results if r.part == part and r.metric in (plan.metrics or METRICS)]
        means = {(r.row, r.metric): r.mean for r in shown}
        differences = {(r.row, r.metric): r.difference for r in shown if r.difference is not None}
        rows = [row for row in plan.rows if any(r.row == row.label for r in shown)]
        blocks += [f"## {part}", _table(rows, means, sign="")]
        if differences:
            blocks += [f"### Difference to “{baseline}”", _table(rows[1:], differences, sign="+")]
        others = {
            (r.row, r.metric): r.other_difference for r in shown if r.other_difference is not None
        }
        if others:
            pairs = [row for row in rows if any(label == row.label for label, _ in others)]
            names = {row.label: f"{row.label} against {row.against}" for row in pairs}
            cells = {(names[label], metric): value for (label, metric), value in others.items()}
            renamed = [replace(row, label=names[row.label]) for row in pairs]
            blocks += ["### Differences between others", _table(renamed, cells, sign="+")]
    return "\n\n".join(blocks) + "\n"


def insert_tables(page: str, name: str, tables: str) -> str:
    """Return a page with the tables of ``name`` replaced.

    They stand between the lines ``<!-- tables of NAME -->`` and ``<!-- end of NAME -->``. Their
    headings become one level lower, as below a heading of the page.

    Raises:
        DataError: If the page does not have each of the two lines once, in this order.
    """
    begin, end = f"<!-- tables of {name} -->", f"<!-- end of {name} -->"
    head, opening, rest = page.partition(begin)
    _, closing, tail = rest.partition(end)
    if not opening or not closing or page.count(begin) + page.count(end) != 2:
        raise DataError(f"a page for the tables of {name} needs the lines {begin} and {end} once")
    lowered = re.sub(r"^#", "##", tables.strip(), flags=re.MULTILINE)
    return f"{head}{begin}\n\n{lowered}\n\n{end}{tail}"


def _table(rows: Sequence[StudyRow], cells: Mapping[tuple[str, str], Estimate], sign: str) -> str:
    metrics = [metric for metric in METRICS if any(metric == m for _, m in cells)]
    headings = (METRICS[metric].heading for metric in metrics)
    lines = [["", *headings], ["---", *("---:" for _ in metrics)]]
    for row in rows:
        label = row.label.replace("|", "\\|")
        estimates = ((metric, cells.get((row.label, metric))) for metric in metrics)
        values = (format_estimate(e, sign, metric) if e else "–" for metric, e in estimates)
        lines.append([label, *values])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_estimate(estimate: Estimate, sign: str = "", metric: str = "top1") -> str:
    """Return an estimate in the metric's unit, such as ``91.2 [90.8, 91.6] (3)``."""
    scale, digits = METRICS[metric].scale, METRICS[metric].digits

    def text(value: float) -> str:
        return f"{scale * value:{sign}.{digits}f}"

    if estimate.low is None or estimate.high is None:
        return f"{text(estimate.mean)} ({estimate.n})"
    return f"{text(estimate.mean)} [{text(estimate.low)}, {text(estimate.high)}] ({estimate.n})"


def write_results(study: Study) -> list[RowResult]:
    """Write the tables of the finished runs as Markdown and CSV, and return the results."""
    measurements = study.measurements()
    results = summarize_rows(study.plan, measurements)
    write_text(study.out / RESULTS_FILE, as_csv(measurements))
    write_text(study.out / "results.md", as_markdown(study.plan, results))
    return results


def require_tables(page: Path, plan: StudyPlan, name: str) -> None:
    """Check that a page has a place for the tables of that name.

    Raises:
        ConfigError: If it cannot be read.
        DataError: If it has none.
    """
    insert_tables(_read(page, plan, name), name, "")


def update_page(page: Path, plan: StudyPlan, name: str, results: list[RowResult]) -> None:
    """Write the tables to their place in a page, or to a new page."""
    tables = as_tables(plan, results)
    write_text(page, insert_tables(_read(page, plan, name), name, tables))


def _read(page: Path, plan: StudyPlan, name: str) -> str:
    """Return the text of a page, or the beginning of a new one.

    Raises:
        ConfigError: If it cannot be read.
    """
    if not page.exists():
        return f"# {plan.title}\n\n<!-- tables of {name} -->\n<!-- end of {name} -->\n"
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--page {page} cannot be read: {error}") from error
