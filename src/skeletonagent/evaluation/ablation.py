"""The paper's studies as plans, and what their runs come to as tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skeletonagent.core.scores import Scores
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.evaluation.subsets import difficulty, subset_accuracy
from skeletonagent.text.encoder import TEXT_ENCODERS


@dataclass(frozen=True)
class Row:
    """One recipe of a study: what it changes in the configuration all rows share."""

    label: str
    assignments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A study: recipes to compare.

    Args:
        title: What is studied.
        rows: The recipes; the first is the baseline the others are compared with.
    """

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Measurement:
    """One figure of one run: a metric on a test part."""

    row: str
    seed: int
    part: str
    metric: str
    value: float


@dataclass(frozen=True)
class Finding:
    """A metric of a row over its seeds, and its difference to the baseline over common seeds."""

    row: str
    part: str
    metric: str
    mean: Estimate
    difference: Estimate | None


METRICS = {
    "top1": "top-1",
    "mean_class": "mean over classes",
    "hard": "hard classes",
    "medium": "medium classes",
    "easy": "easy classes",
}
"""What is measured, with its heading."""

_LEGEND = (
    "Means over seeds in percent, with 95 % t-intervals in brackets and the number of seeds in "
    "parentheses; differences are paired by seed. A seed's hard, medium and easy classes are those "
    "of the baseline's other seeds; a single seed has its own, and what is gained on hard classes "
    "is then in part chance."
)

_NEVER = "training.period=1000000000"  # epochs between two rounds: the guidance stays as it began
_UNGUIDED = Row("class loss only", ("agents.chat=none",))
_GUIDED = Row("both losses, online")

PLANS: Mapping[str, Plan] = {
    "components": Plan(
        "Contribution of each component (paper table 4)",
        (
            _UNGUIDED,
            Row("L_con, static", ("objective.beta=0", _NEVER)),
            Row("L_align, static", ("objective.alpha=0", _NEVER)),
            Row("both losses, static", (_NEVER,)),
            Row("L_con, online", ("objective.beta=0",)),
            Row("L_align, online", ("objective.alpha=0",)),
            _GUIDED,
        ),
    ),
    "sources": Plan(
        "Who gives the guidance (paper table 5, left and middle)",
        (
            Row("none", ("agents.chat=none",)),
            Row("analyst, static", ("agents.chat=analyst", _NEVER)),
            Row("analyst", ("agents.chat=analyst",)),
        ),
    ),
    "text-encoders": Plan(
        "Who turns sentences into vectors (paper table 5, right)",
        (
            _UNGUIDED,
            *(Row(name, (f"agents.text_encoder={name}",)) for name in TEXT_ENCODERS),
        ),
    ),
    "alpha-beta": Plan(
        "Weights of the losses: alpha alone, then beta with the paper's alpha (paper figure 4)",
        (
            _UNGUIDED,
            *(
                Row(f"alpha {alpha:g}", (f"objective.alpha={alpha}", "objective.beta=0"))
                for alpha in (0.1, 0.2, 0.3, 0.5, 1.0)
            ),
            *(
                Row(f"alpha 0.2, beta {beta:g}", ("objective.alpha=0.2", f"objective.beta={beta}"))
                for beta in (0.1, 0.3, 0.5, 0.7, 1.0)
            ),
        ),
    ),
    "difficulty": Plan(
        "Classes that are hard, medium and easy for the baseline (paper table 6)",
        (_UNGUIDED, _GUIDED),
    ),
}
"""The studies by name. More rows, such as other sources, come from the command line.

Table 4 names two stages of the Questioner: static is the first alone, online both. The values of
figure 4 are in its picture only, so those here are ours, around the paper's choice.
"""


def measure(
    baseline: str, scores: Mapping[tuple[str, int], Mapping[str, Scores]]
) -> list[Measurement]:
    """Return the metrics of all runs on all test parts.

    What is hard for a seed is told by the baseline's runs with other seeds, if there are any: a
    run that chose the subsets itself would look bad on the hard ones by chance.

    Args:
        baseline: Label of the baseline row.
        scores: Of each row and seed, by test part.
    """
    found = []
    for (row, seed), parts in scores.items():
        for part, own in parts.items():
            known = {
                s: each[part] for (r, s), each in scores.items() if r == baseline and part in each
            }
            others = [each for s, each in known.items() if s != seed] or list(known.values())
            values: dict[str, float | None] = {
                "top1": own.top(1), "mean_class": float(np.nanmean(own.class_accuracy())),
            }  # fmt: skip
            if others:
                values |= subset_accuracy(own, difficulty(*others))
            found += [
                Measurement(row, seed, part, metric, value)
                for metric, value in values.items()
                if value is not None and not math.isnan(value)
            ]
    return found


def findings(plan: Plan, measurements: Sequence[Measurement]) -> list[Finding]:
    """Return each row's figures over its seeds; rows without runs are left out."""
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for m in measurements:
        values.setdefault((m.part, m.metric, m.row), {})[m.seed] = m.value
    baseline = plan.rows[0].label
    found = []
    for part, metric in dict.fromkeys((m.part, m.metric) for m in measurements):
        compared = values.get((part, metric, baseline), {})
        for row in plan.rows:
            own = values.get((part, metric, row.label))
            if own is None:
                continue
            common = [] if row.label == baseline else [seed for seed in own if seed in compared]
            difference = (
                paired_difference([own[s] for s in common], [compared[s] for s in common])
                if common
                else None
            )
            mean = mean_interval(list(own.values()))
            found.append(Finding(row.label, part, metric, mean, difference))
    return found


def as_csv(measurements: Sequence[Measurement]) -> str:
    """Return a line per run, test part and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "part", "metric", "value"])
    writer.writerows([m.row, m.seed, m.part, m.metric, f"{m.value:.6f}"] for m in measurements)
    return text.getvalue()


def as_markdown(plan: Plan, found: Sequence[Finding]) -> str:
    """Return a table of accuracies and one of differences for each test part, in percent."""
    baseline = plan.rows[0].label
    blocks = [f"# {plan.title}", _LEGEND]
    for part in dict.fromkeys(f.part for f in found):
        own = [f for f in found if f.part == part]
        means = {(f.row, f.metric): f.mean for f in own}
        differences = {(f.row, f.metric): f.difference for f in own if f.difference is not None}
        rows = [row for row in plan.rows if any(f.row == row.label for f in own)]
        blocks += [f"## {part}", _table(rows, means, sign="")]
        if differences:
            blocks += [f"### Difference to “{baseline}”", _table(rows[1:], differences, sign="+")]
    return "\n\n".join(blocks) + "\n"


def _table(rows: Sequence[Row], cells: Mapping[tuple[str, str], Estimate], sign: str) -> str:
    metrics = [metric for metric in METRICS if any(metric == m for _, m in cells)]
    lines = [["", *(METRICS[metric] for metric in metrics)], ["---", *("---:" for _ in metrics)]]
    for row in rows:
        shown = (cells.get((row.label, metric)) for metric in metrics)
        label = row.label.replace("|", "\\|")
        lines.append([label, *(spoken(each, sign) if each else "–" for each in shown)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spoken(estimate: Estimate, sign: str = "") -> str:
    """Return an estimate in percent, such as ``91.2 [90.8, 91.6] (3)``."""
    mean = f"{100 * estimate.mean:{sign}.1f}"
    if estimate.low is None or estimate.high is None:
        return f"{mean} ({estimate.n})"
    low, high = (f"{100 * end:{sign}.1f}" for end in (estimate.low, estimate.high))
    return f"{mean} [{low}, {high}] ({estimate.n})"
