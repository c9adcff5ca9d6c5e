"""What the runs of a study come to: figures of each run, means and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.class_difficulty import (
    class_difficulty,
    hardest_third,
    subset_accuracy,
)
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.experiments.plans import StudyPlan


@dataclass(frozen=True)
class Measurement:
    """One figure of one run: a metric on a test part."""

    row: str
    seed: int
    part: str
    metric: str
    value: float


@dataclass(frozen=True)
class RowResult:
    """A metric of a row over its seeds, and its differences to other rows over common seeds.

    Args:
        row: Label of the row.
        part: Test part.
        metric: Name in :data:`METRICS`.
        mean: Over seeds.
        difference: To the baseline; None for the baseline and where no seed is common.
        other_difference: To the row it stands against, if it has one.
    """

    row: str
    part: str
    metric: str
    mean: Estimate
    difference: Estimate | None
    other_difference: Estimate | None = None


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


def measure_runs(
    baseline: str,
    scores: Mapping[tuple[str, int], Mapping[str, ClassProbabilities]],
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
                "top1": own.topk_accuracy(1),
                "mean_class": float(np.nanmean(own.per_class_accuracy())),
                "ece": expected_calibration_error(own),
                "nll": negative_log_likelihood(own),
            }
            if others:
                subsets = {**class_difficulty(*others), "hardest_third": hardest_third(*others)}
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


def summarize_rows(plan: StudyPlan, measurements: Sequence[Measurement]) -> list[RowResult]:
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
            found.append(RowResult(row.label, part, metric, mean, *differences))
    return found


def _difference(own: Mapping[int, float], other: Mapping[int, float]) -> Estimate | None:
    """Return the difference of values by seed, over the seeds both have, None if there is none."""
    common = [seed for seed in own if seed in other]
    if not common:
        return None
    return paired_difference([own[s] for s in common], [other[s] for s in common])


BINS = 15
"""Equal widths of confidence. Source: Guo et al. 2017 (arXiv 1706.04599), section 4."""


SMALLEST = 1e-12
"""A probability counts as no smaller, so that one sample cannot make the mean infinite."""


def expected_calibration_error(scores: ClassProbabilities, bins: int = BINS) -> float:
    """Return the expected calibration error of the top-1 predictions, 0 for no samples.

    Samples are put into bins of equal width by the score of their predicted class; the error is
    the mean over samples of how far accuracy and mean confidence of their bin lie apart.
    Source: Guo et al. 2017, eq. 3. The first bin holds its lower end, every bin its upper.

    Args:
        scores: Probabilities.
        bins: Number of bins.
    """
    confidence = scores.probs.max(axis=1)
    right = scores.probs.argmax(axis=1) == scores.labels
    chosen = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    excess = np.bincount(chosen, weights=right - confidence, minlength=bins)
    return float(np.abs(excess).sum() / max(len(right), 1))


def negative_log_likelihood(scores: ClassProbabilities) -> float:
    """Return the mean over samples of minus the logarithm of their own class's score.

    Raises:
        ValueError: If there are no samples.
    """
    if not scores.sample_ids:
        raise ValueError("a likelihood needs samples, got none")
    own = np.take_along_axis(scores.probs, scores.labels[:, None], axis=1)
    return float(-np.log(np.maximum(own, SMALLEST)).mean())
