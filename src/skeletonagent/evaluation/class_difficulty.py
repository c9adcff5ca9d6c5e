"""Hard, medium and easy classes, by how well a baseline knows them (paper table 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities

HARD_BELOW = 0.70
EASY_ABOVE = 0.90
"""Accuracies between the two, both included, are those of medium classes (paper section 4.4)."""


def class_difficulty(*baseline: ClassProbabilities) -> Mapping[str, tuple[int, ...]]:
    """Return the ``hard``, ``medium`` and ``easy`` classes by a baseline's accuracy of each.

    Classes without a test sample are in none of them. A run that is itself compared on the
    subsets should not choose them: the classes it happened to do badly on are called hard, and
    every other run then seems to gain there.

    Args:
        baseline: One run, or several of which the mean counts.

    Raises:
        DataError: If there is no run, or the runs are of different numbers of classes.
    """
    if len({scores.probs.shape[1] for scores in baseline}) != 1:
        raise DataError("difficulty is told by one or more runs of the same classes")
    accuracy = np.mean([scores.per_class_accuracy() for scores in baseline], axis=0)
    hard, easy = accuracy < HARD_BELOW, accuracy > EASY_ABOVE
    masks = {"hard": hard, "medium": ~(hard | easy | np.isnan(accuracy)), "easy": easy}
    return {name: tuple(np.flatnonzero(mask).tolist()) for name, mask in masks.items()}


def hardest_third(*baseline: ClassProbabilities) -> tuple[int, ...]:
    """Return the third of the classes a baseline knows least, at least one, ties by index.

    Where most classes are known well, :func:`class_difficulty` may call next to none of them hard; a
    third of them there always is. Classes without a test sample in any run do not count. As
    there, a run that is compared should not choose.

    Args:
        baseline: One run, or several of which the mean counts.
    """
    accuracy = np.stack([scores.per_class_accuracy() for scores in baseline])
    known = np.flatnonzero(~np.isnan(accuracy).all(axis=0))
    order = np.argsort(np.nanmean(accuracy[:, known], axis=0), kind="stable")
    return tuple(sorted(known[order[: max(1, len(known) // 3)]].tolist()))


def subset_accuracy(
    scores: ClassProbabilities, subsets: Mapping[str, Sequence[int]]
) -> dict[str, float | None]:
    """Return the mean top-1 accuracy of the classes in each subset, None where it has none.

    Args:
        scores: Of any run on the same classes.
        subsets: Classes by the subset's name; classes without a sample do not count.
    """
    accuracy = scores.per_class_accuracy()
    means: dict[str, float | None] = {}
    for name, classes in subsets.items():
        known = [accuracy[label] for label in classes if not np.isnan(accuracy[label])]
        means[name] = float(np.mean(known)) if known else None
    return means
