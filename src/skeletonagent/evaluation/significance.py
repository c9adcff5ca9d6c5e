"""How far a difference may be trusted: intervals over seeds and over samples, paired tests."""

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
    """A value with its interval.

    Args:
        mean: The value.
        low: Lower end of the interval; None where nothing can be said of it.
        high: Upper end.
        n: What it was computed from: runs, pairs of runs or samples.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class McNemar:
    """Two recognizers on the same samples.

    Args:
        only_first: Samples only the first has right.
        only_second: Samples only the second has right.
        p: Probability of a split at least this uneven if both were equally good.
    """

    only_first: int
    only_second: int
    p: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean over runs with its t-interval; one run has a mean but no interval.

    Right for what a repetition with new seeds would give, on the same test part. It says nothing
    about other test samples: see :func:`accuracy_interval`.

    Args:
        values: A figure of each run.
        confidence: Share of such intervals that hold the true mean.

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
    """Return by how much ``a`` exceeds ``b`` in the mean over pairs, with its t-interval.

    Right for comparing two recipes that were each run with the same seeds (or on the same folds):
    what a seed does to both cancels out, so the interval is narrower than those of the two means.
    An interval without zero in it speaks for a difference; one pair has no interval.

    Args:
        a: A figure of each run of the one recipe.
        b: The same of the other recipe, in the same order of seeds.
        confidence: Share of such intervals that hold the true difference.

    Raises:
        ValueError: If there are none, not as many of both, or one is not finite.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need as many of both, got {len(a)} and {len(b)}")
    return mean_interval([one - other for one, other in zip(a, b, strict=True)], confidence)


def mcnemar(first: ClassProbabilities, second: ClassProbabilities) -> McNemar:
    """Return the exact McNemar test of two recognizers' top-1 predictions.

    Right for two given recognizers and the question whether the samples were enough to tell them
    apart; matched by sample id. It knows nothing of seeds: two runs of one recipe may well differ
    significantly. Samples are taken as independent.

    Raises:
        DataError: If the scores are not of the same samples and classes.
    """
    right = [each.probs.argmax(axis=1) == each.labels for each in align_samples([first, second])]
    only_first = int((right[0] & ~right[1]).sum())
    only_second = int((~right[0] & right[1]).sum())
    differing = only_first + only_second
    tail = float(bdtr(min(only_first, only_second), differing, 0.5)) if differing else 1.0
    return McNemar(only_first, only_second, min(1.0, 2 * tail))


def accuracy_interval(scores: ClassProbabilities, confidence: float = 0.95) -> Estimate:
    """Return the top-1 accuracy with its bootstrap percentile interval over samples.

    Right for one given recognizer and the question how it would do on other samples like these.
    Drawing hits and misses with replacement makes the number of hits binomial, so the interval is
    read off that distribution: it is the one that endless resampling would come to. Samples are
    taken as independent, which makes it too narrow where few people each perform many of them;
    without a single miss (or hit) it has no width, whatever the number of samples.

    Raises:
        ValueError: If there are no samples.
    """
    n = len(scores.sample_ids)
    if not n:
        raise ValueError("an accuracy needs samples, got none")
    hits = int((scores.probs.argmax(axis=1) == scores.labels).sum())
    cumulative = bdtr(np.arange(n + 1), n, hits / n)
    low, high = np.searchsorted(cumulative, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(hits / n, float(low) / n, float(high) / n, n)
