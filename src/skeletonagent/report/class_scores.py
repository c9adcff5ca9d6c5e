"""Precision, recall and F1 of each class, and their means over the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.report.serialize import round_floats

SCORES = ("precision", "recall", "f1")
"""Scores of a class, in their order."""

ClassRows = Float[np.ndarray, "3 y"]


def class_scores(confusions: Int[np.ndarray, "y y"]) -> ClassRows:
    """Return precision, recall and F1 of each class, a row for each score.

    NaN stands where a score has no meaning: precision of a class that was never predicted, recall
    and F1 of a class without samples. F1 of a class with samples that was never predicted is 0.

    Args:
        confusions: Counts; ``[m, n]`` is samples of class ``m`` predicted as ``n``.

    >>> class_scores(np.array([[3, 1], [0, 0]]))
    array([[1.        , 0.        ],
           [0.75      ,        nan],
           [0.85714286,        nan]])
    """
    right = confusions.diagonal().astype(np.float64)
    samples, predicted = confusions.sum(axis=1), confusions.sum(axis=0)
    f1 = np.where(samples > 0, _quotient(2 * right, samples + predicted), np.nan)
    return np.stack([_quotient(right, predicted), _quotient(right, samples), f1])


def _quotient(
    upper: Float[np.ndarray, " y"], lower: Int[np.ndarray, " y"]
) -> Float[np.ndarray, " y"]:
    nothing = np.full(len(upper), np.nan)
    quotient: Float[np.ndarray, " y"] = np.divide(upper, lower, out=nothing, where=lower > 0)
    return quotient


def mean_class_scores(confusions: Sequence[Int[np.ndarray, "y y"]]) -> dict[str, Any]:
    """Return the scores of each class as plain values, means over runs, and means over classes.

    The means are over the classes that have samples; the precision of one that was never predicted
    counts as 0 there. ``macro`` gives each class the same weight, ``weighted`` each sample.

    Args:
        confusions: Confusion counts of each run, at least one.
    """
    runs = np.stack([class_scores(counts) for counts in confusions])
    defined = ~np.isnan(runs)
    sums = np.where(defined, runs, 0).sum(axis=0)
    means = np.divide(
        sums, defined.sum(axis=0), out=np.full_like(sums, np.nan), where=defined.any(axis=0)
    )
    samples = confusions[0].sum(axis=1)
    tested = samples > 0
    # Of each run first, so that the mean is that of the figures that each run reports.
    whole = np.where(defined, runs, 0)[:, :, tested].mean(axis=0)
    return {
        **{name: round_floats(row.tolist()) for name, row in zip(SCORES, means, strict=True)},
        "macro": round_floats(dict(zip(SCORES, whole.mean(axis=1).tolist(), strict=True))),
        "weighted": round_floats(
            dict(zip(SCORES, (whole @ samples[tested] / samples.sum()).tolist(), strict=True))
        ),
    }
