"""Hard, medium and easy classes by the accuracy of a baseline (paper table 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities

HARD_BELOW = 0.70
EASY_ABOVE = 0.90
"""Classes of an accuracy between the two, both included, are medium (paper section 4.4)."""


def class_difficulty(*baseline: ClassProbabilities) -> Mapping[str, tuple[int, ...]]:
    """Return the ``hard``, ``medium`` and ``easy`` classes by their accuracy in a baseline.

    Classes without a test sample are in none of them. A run that is compared on the subsets should
    not be the baseline: the classes on which it had a low accuracy by chance would be the hard
    ones, and every other run would seem to gain there.

    Args:
        baseline: Predictions of one run, or of several whose mean accuracy counts.

    Raises:
        DataError: If there is no run, or the runs have different numbers of classes.
    """
    if len({predictions.probs.shape[1] for predictions in baseline}) != 1:
        raise DataError("class difficulty needs one or more runs of the same classes")
    accuracy = np.mean([predictions.per_class_accuracy() for predictions in baseline], axis=0)
    hard, easy = accuracy < HARD_BELOW, accuracy > EASY_ABOVE
    masks = {"hard": hard, "medium": ~(hard | easy | np.isnan(accuracy)), "easy": easy}
    return {name: tuple(np.flatnonzero(mask).tolist()) for name, mask in masks.items()}


def hardest_third(*baseline: ClassProbabilities) -> tuple[int, ...]:
    """Return the third of the classes with the lowest accuracy in a baseline, at least one class.

    Where accuracies are high, :func:`class_difficulty` may find hardly any hard class; this subset
    always has some. Of equal classes, the first counts as harder. Classes without a test sample in
    any run do not count. A run that is compared on the subset should not be the baseline.

    Args:
        baseline: Predictions of one run, or of several whose mean accuracy counts.
    """
    accuracy = np.stack([predictions.per_class_accuracy() for predictions in baseline])
    tested = np.flatnonzero(~np.isnan(accuracy).all(axis=0))
    order = np.argsort(np.nanmean(accuracy[:, tested], axis=0), kind="stable")
    return tuple(sorted(tested[order[: max(1, len(tested) // 3)]].tolist()))


def subset_accuracy(
    predictions: ClassProbabilities, subsets: Mapping[str, Sequence[int]]
) -> dict[str, float | None]:
    """Return the mean per-class accuracy of each subset of classes, None for an empty one.

    Args:
        predictions: Predictions of any run on the same classes.
        subsets: Classes of each subset by its name; classes without a test sample do not count.
    """
    accuracy = predictions.per_class_accuracy()
    means: dict[str, float | None] = {}
    for name, classes in subsets.items():
        tested = [accuracy[label] for label in classes if not np.isnan(accuracy[label])]
        means[name] = float(np.mean(tested)) if tested else None
    return means
