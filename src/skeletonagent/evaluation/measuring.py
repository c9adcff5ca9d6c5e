"""What the runs of a study come to: figures of each run, means and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skeletonagent.core.scores import Scores
from skeletonagent.evaluation.ablation import Plan
from skeletonagent.evaluation.calibration import calibration_error, negative_log_likelihood
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.evaluation.subsets import difficulty, hardest_third, subset_accuracy


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
    """A metric of a row over its seeds, and its differences to other rows over common seeds.

    Args:
        row: Label of the row.
        part: Test part.
        metric: Name in :data:`METRICS`.
        mean: Over seeds.
        difference: To the baseline; None for the baseline and where no seed is common.
        further: To the row it stands against, if it has one.
    """

    row: str
    part: str
    metric: str
    mean: Estimate
    difference: Estimate | None
    further: Estimate | None = None


@dataclass(frozen=True)
class Metric:
    """How a metric is written.

    Args:
        heading: Of its column.
        scale: By what its values are multiplied; percent unless told otherwise.
        digits: After the point.
    """

    heading: str
    scale: float = 100.0
    digits: int = 1


METRICS: Mapping[str, Metric] = {
    "top1": Metric("top-1"),
    "mean_class": Metric("mean over classes"),
    "hard": Metric("hard classes"),
    "medium": Metric("medium classes"),
    "easy": Metric("easy classes"),
    "hardest_third": Metric("hardest third"),
    "ece": Metric("calibration error"),
    "nll": Metric("negative log likelihood", scale=1.0, digits=3),
    "time": Metric("time, baseline 100", digits=0),
}
"""What is measured."""


def measure(
    baseline: str,
    scores: Mapping[tuple[str, int], Mapping[str, Scores]],
    seconds: Mapping[tuple[str, int], float] | None = None,
) -> list[Measurement]:
    """Return the metrics of all runs on all test parts.

    What is hard for a seed is told by the baseline's runs with other seeds, if there are any: a
    run that chose the subsets itself would look bad on the hard ones by chance.

    Args:
        baseline: Label of the baseline row.
        scores: Of each row and seed, by test part.
        seconds: What each row and seed took, as far as known; told as shares of the baseline's.
    """
    spent = seconds or {}
    found = []
    for (row, seed), parts in scores.items():
        for part, own in parts.items():
            known = {
                s: each[part] for (r, s), each in scores.items() if r == baseline and part in each
            }
            others = [each for s, each in known.items() if s != seed] or list(known.values())
            values: dict[str, float | None] = {
                "top1": own.top(1),
                "mean_class": float(np.nanmean(own.class_accuracy())),
                "ece": calibration_error(own),
                "nll": negative_log_likelihood(own),
            }
            if others:
                subsets = {**difficulty(*others), "hardest_third": hardest_third(*others)}
                values |= subset_accuracy(own, subsets)
            compared = spent.get((baseline, seed))
            if compared and (row, seed) in spent:
                values["time"] = spent[row, seed] / compared
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
        rows = {row.label: values.get((part, metric, row.label), {}) for row in plan.rows}
        for row in plan.rows:
            own = rows[row.label]
            if not own:
                continue
            mean = mean_interval(list(own.values()))
            compared = rows[baseline] if row.label != baseline else {}
            differences = _difference(own, compared), _difference(own, rows.get(row.against, {}))
            found.append(Finding(row.label, part, metric, mean, *differences))
    return found


def _difference(own: Mapping[int, float], other: Mapping[int, float]) -> Estimate | None:
    """Return the difference of values by seed, over the seeds both have, None if there is none."""
    common = [seed for seed in own if seed in other]
    if not common:
        return None
    return paired_difference([own[s] for s in common], [other[s] for s in common])
