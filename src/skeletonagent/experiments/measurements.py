"""Metrics of the runs of a study: of each run, means over seeds, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.class_difficulty import (
    class_difficulty,
    hardest_third,
    subset_accuracy,
)
from skeletonagent.evaluation.metrics import (
    expected_calibration_error,
    mean_class_accuracy,
    negative_log_likelihood,
)
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.experiments.plans import StudyPlan


@dataclass(frozen=True)
class Measurement:
    """Value of a metric for one run on one part of the test set."""

    row: str
    seed: int
    part: str
    metric: str
    value: float


@dataclass(frozen=True)
class RowResult:
    """Metric of a row over its seeds, and its differences to other rows over common seeds.

    Args:
        row: Label of the row.
        part: Part of the test set.
        metric: Name in :data:`METRICS`.
        mean: Mean over seeds.
        difference: Difference to the baseline; None for the baseline and without common seeds.
        other_difference: Difference to the row that it is compared with beside the baseline.
    """

    row: str
    part: str
    metric: str
    mean: Estimate
    difference: Estimate | None
    other_difference: Estimate | None = None


@dataclass(frozen=True)
class Metric:
    """Format of a metric in tables.

    Args:
        heading: Heading of its column.
        scale: Factor of its values, by default that of percent.
        digits: Digits after the decimal point.
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
"""Metrics of a study by name, in the order of the tables' columns."""


def measure_runs(
    baseline: str,
    predictions: Mapping[tuple[str, int], Mapping[str, ClassProbabilities]],
    seconds: Mapping[tuple[str, int], float] | None = None,
) -> list[Measurement]:
    """Return the metrics of all runs on all parts of the test set.

    The hard classes of a seed are those of the baseline's runs with other seeds, if there are any:
    a run that chose them itself would by chance have a low accuracy on them.

    Args:
        baseline: Label of the baseline row.
        predictions: Predictions of each row and seed, by part of the test set.
        seconds: Training time of rows and seeds; measured as a share of the baseline's.
    """
    times = seconds or {}
    measurements = []
    for (row, seed), parts in predictions.items():
        for part, predicted in parts.items():
            values = {
                "top1": predicted.topk_accuracy(1),
                "mean_class": mean_class_accuracy(predicted),
                "ece": expected_calibration_error(predicted),
                "nll": negative_log_likelihood(predicted),
                **_subset_accuracies(predicted, _baseline_runs(predictions, baseline, part, seed)),
            }
            baseline_time = times.get((baseline, seed))
            if baseline_time and (row, seed) in times:
                values["time"] = times[row, seed] / baseline_time
            measurements += [
                Measurement(row, seed, part, metric, value)
                for metric, value in values.items()
                if value is not None and not math.isnan(value)
            ]
    return measurements


def _baseline_runs(
    predictions: Mapping[tuple[str, int], Mapping[str, ClassProbabilities]],
    baseline: str,
    part: str,
    seed: int,
) -> list[ClassProbabilities]:
    """Return the baseline's predictions with other seeds, or those with any if there are none."""
    by_seed = {
        s: parts[part] for (r, s), parts in predictions.items() if r == baseline and part in parts
    }
    return [predicted for s, predicted in by_seed.items() if s != seed] or list(by_seed.values())


def _subset_accuracies(
    predictions: ClassProbabilities, baseline: Sequence[ClassProbabilities]
) -> dict[str, float | None]:
    """Return the accuracies on classes of each difficulty for the baseline, if it has runs."""
    if not baseline:
        return {}
    subsets = {**class_difficulty(*baseline), "hardest_third": hardest_third(*baseline)}
    return subset_accuracy(predictions, subsets)


def summarize_rows(plan: StudyPlan, measurements: Sequence[Measurement]) -> list[RowResult]:
    """Return the results of each row over its seeds; rows without runs are left out."""
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for m in measurements:
        values.setdefault((m.part, m.metric, m.row), {})[m.seed] = m.value
    baseline = plan.rows[0].label
    results = []
    for part, metric in dict.fromkeys((m.part, m.metric) for m in measurements):
        by_row = {row.label: values.get((part, metric, row.label), {}) for row in plan.rows}
        for row in plan.rows:
            by_seed = by_row[row.label]
            if not by_seed:
                continue
            mean = mean_interval(list(by_seed.values()))
            of_baseline = by_row[baseline] if row.label != baseline else {}
            differences = (
                _difference(by_seed, of_baseline),
                _difference(by_seed, by_row.get(row.against, {})),
            )
            results.append(RowResult(row.label, part, metric, mean, *differences))
    return results


def _difference(values: Mapping[int, float], other: Mapping[int, float]) -> Estimate | None:
    """Return the difference of values by seed, over the seeds both have, None if there is none."""
    common = [seed for seed in values if seed in other]
    if not common:
        return None
    return paired_difference([values[s] for s in common], [other[s] for s in common])
