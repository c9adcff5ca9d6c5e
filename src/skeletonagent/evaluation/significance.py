"""Statistical significance: intervals over seeds and over samples, and paired tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, stdtrit  # type: ignore[import-untyped]

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.ensemble import align_samples


@dataclass(frozen=True)
class Estimate:
    """Mean with its interval.

    Args:
        mean: Mean.
        low: Lower end of the interval; None if it cannot be estimated.
        high: Upper end of the interval; None if it cannot be estimated.
        n: Number of runs, pairs of runs or samples that it was computed from.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class McNemar:
    """Result of McNemar's test of two recognizers on the same samples.

    Args:
        only_first: Number of samples that only the first predicts correctly.
        only_second: Number of samples that only the second predicts correctly.
        p: p-value, the probability of numbers at least this uneven for equal recognizers.
    """

    only_first: int
    only_second: int
    p: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean over runs with its t-interval; one run has a mean but no interval.

    It covers repetitions with new seeds on the same test set, not other test samples: see
    :func:`accuracy_interval`.

    Args:
        values: Metric of each run.
        confidence: Share of such intervals that contain the true mean.

    Raises:
        ValueError: If there are no values, or one is not finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"an interval needs finite values, got {list(values)}")
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, None, None, n)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * deviation / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean of the paired differences ``a - b`` with its t-interval.

    It compares two recipes that were run with the same seeds (or on the same folds): effects of a
    seed on both cancel out, so the interval is narrower than those of the two means. An interval
    that excludes zero is evidence of a difference; one pair has no interval.

    Args:
        a: Metric of each run of one recipe.
        b: Metric of each run of the other recipe, in the same order of seeds.
        confidence: Share of such intervals that contain the true difference.

    Raises:
        ValueError: If there are no pairs, the lengths differ, or a value is not finite.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need as many values of both, got {len(a)} and {len(b)}")
    return mean_interval([x - y for x, y in zip(a, b, strict=True)], confidence)


def mcnemar(first: ClassProbabilities, second: ClassProbabilities) -> McNemar:
    """Return the exact McNemar test of two recognizers' top-1 predictions.

    It answers whether the samples, matched by id, are enough to distinguish two given recognizers.
    It does not cover the variance over seeds: two runs of one recipe may differ significantly.
    Samples are taken as independent.

    Raises:
        DataError: If the predictions are not of the same samples and classes.
    """
    correct_first, correct_second = (
        predictions.probs.argmax(axis=1) == predictions.labels
        for predictions in align_samples([first, second])
    )
    only_first = int((correct_first & ~correct_second).sum())
    only_second = int((~correct_first & correct_second).sum())
    differing = only_first + only_second
    tail = float(bdtr(min(only_first, only_second), differing, 0.5)) if differing else 1.0
    return McNemar(only_first, only_second, min(1.0, 2 * tail))


def accuracy_interval(predictions: ClassProbabilities, confidence: float = 0.95) -> Estimate:
    """Return the top-1 accuracy with its bootstrap percentile interval over samples.

    It covers other samples of the same distribution for one given recognizer. Resampling with
    replacement makes the number of correct predictions binomial, so the interval is that of this
    distribution, the limit of infinitely many resamples. Samples are taken as independent, which
    makes it too narrow for few subjects with many samples each; if all predictions are correct, or
    none, it has no width, whatever the number of samples.

    Args:
        predictions: Class probabilities.
        confidence: Share of the resamples whose accuracy is in the interval.

    Raises:
        ValueError: If there are no samples.
    """
    n = len(predictions.sample_ids)
    if not n:
        raise ValueError("an accuracy needs samples, got none")
    correct = int((predictions.probs.argmax(axis=1) == predictions.labels).sum())
    cumulative = bdtr(np.arange(n + 1), n, correct / n)
    low, high = np.searchsorted(cumulative, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(correct / n, float(low) / n, float(high) / n, n)
