"""What the runs of a study come to, as tables and as a page that holds them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from skeletonagent.core.errors import DataError
from skeletonagent.evaluation.metrics import METRICS, Measurement, RowResult
from skeletonagent.evaluation.significance import Estimate
from skeletonagent.experiments.plans import StudyPlan, StudyRow

LEGEND = (
    "Means over seeds, in percent but for the likelihood, with 95 % t-intervals in brackets and "
    "the number of seeds in parentheses; differences are paired by seed. A seed's hard, medium and "
    "easy classes are those of the baseline's other seeds, and so is the hardest third; a single "
    "seed has its own, and what is gained on hard classes is then in part chance. Time is the "
    "run's share of the baseline's."
)


def as_csv(measurements: Sequence[Measurement]) -> str:
    """Return a line per run, test part and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "part", "metric", "value"])
    writer.writerows([m.row, m.seed, m.part, m.metric, f"{m.value:.6f}"] for m in measurements)
    return text.getvalue()


def as_markdown(plan: StudyPlan, found: Sequence[RowResult]) -> str:
    """Return a page of all tables."""
    return "\n\n".join([f"# {plan.title}", LEGEND, as_tables(plan, found)])


def as_tables(plan: StudyPlan, found: Sequence[RowResult]) -> str:
    """Return tables for each test part: of means, of differences to the baseline and to others."""
    baseline = plan.rows[0].label
    blocks = []
    for part in dict.fromkeys(f.part for f in found):
        own = [f for f in found if f.part == part and f.metric in (plan.metrics or METRICS)]
        means = {(f.row, f.metric): f.mean for f in own}
        differences = {(f.row, f.metric): f.difference for f in own if f.difference is not None}
        rows = [row for row in plan.rows if any(f.row == row.label for f in own)]
        blocks += [f"## {part}", _table(rows, means, sign="")]
        if differences:
            blocks += [f"### Difference to “{baseline}”", _table(rows[1:], differences, sign="+")]
        further = {
            (f.row, f.metric): f.other_difference for f in own if f.other_difference is not None
        }
        if further:
            pairs = [row for row in rows if any(label == row.label for label, _ in further)]
            names = {row.label: f"{row.label} against {row.against}" for row in pairs}
            named = {(names[label], metric): each for (label, metric), each in further.items()}
            renamed = [replace(row, label=names[row.label]) for row in pairs]
            blocks += ["### Differences between others", _table(renamed, named, sign="+")]
    return "\n\n".join(blocks) + "\n"


def insert_tables(page: str, name: str, tables: str) -> str:
    """Return a page with what stands between the marks of ``name`` replaced.

    The marks are the lines ``<!-- tables of NAME -->`` and ``<!-- end of NAME -->``. Headings
    become one level lower, as below a heading of the page.

    Raises:
        DataError: If the page has not each of them once, in this order.
    """
    begin, end = f"<!-- tables of {name} -->", f"<!-- end of {name} -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed or page.count(begin) + page.count(end) != 2:
        raise DataError(f"a page for the tables of {name} needs the lines {begin} and {end} once")
    lowered = re.sub(r"^#", "##", tables.strip(), flags=re.MULTILINE)
    return f"{head}{begin}\n\n{lowered}\n\n{end}{tail}"


def _table(rows: Sequence[StudyRow], cells: Mapping[tuple[str, str], Estimate], sign: str) -> str:
    metrics = [metric for metric in METRICS if any(metric == m for _, m in cells)]
    headings = (METRICS[metric].heading for metric in metrics)
    lines = [["", *headings], ["---", *("---:" for _ in metrics)]]
    for row in rows:
        label = row.label.replace("|", "\\|")
        shown = ((metric, cells.get((row.label, metric))) for metric in metrics)
        told = (format_estimate(each, sign, metric) if each else "–" for metric, each in shown)
        lines.append([label, *told])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_estimate(estimate: Estimate, sign: str = "", metric: str = "top1") -> str:
    """Return an estimate in the metric's unit, such as ``91.2 [90.8, 91.6] (3)``."""
    scale, digits = METRICS[metric].scale, METRICS[metric].digits

    def told(value: float) -> str:
        return f"{scale * value:{sign}.{digits}f}"

    if estimate.low is None or estimate.high is None:
        return f"{told(estimate.mean)} ({estimate.n})"
    return f"{told(estimate.mean)} [{told(estimate.low)}, {told(estimate.high)}] ({estimate.n})"
