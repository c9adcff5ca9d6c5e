"""Splits that are trained by one command: which may be averaged, and which lack classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from itertools import combinations

from skeletonagent.core.clips import SkeletonData
from skeletonagent.data.splits import choose_split

_FOLD_NAME = re.compile(r"(fold|split|part|run|cv|subjects?|k)?[-_ ]*\d+([-_ ]*of[-_ ]*\d+)?", re.I)
"""Names of parts of one protocol, such as ``fold3``, ``split1`` or ``subjects-1-of-5``."""


def is_one_protocol(test_sets: Mapping[str, Set[str]]) -> bool:
    """Return whether a mean over splits says something: that of the folds of one protocol does.

    Args:
        test_sets: Sample ids of the test set of each split by name.
    """
    if all(_FOLD_NAME.fullmatch(name) for name in test_sets):
        return len({re.sub(r"\d+", "", name) for name in test_sets}) == 1
    return all(not one & other for one, other in combinations(test_sets.values(), 2))


def missing_classes_remarks(data: SkeletonData, splits: Sequence[str]) -> list[str]:
    """Return a line about each split whose training set lacks classes.

    Args:
        data: Data set.
        splits: Names of splits.
    """
    store, remarks = data.store, []
    for split in splits:
        samples = choose_split(data, split)[1].train
        trained = len(store.labels[store.indices(samples)].unique())
        if 0 < trained < store.num_classes:
            remarks.append(
                f"split {split!r} trains {trained} of the {store.num_classes} classes: the "
                f"recognizer has {store.num_classes - trained} outputs that are never right, which "
                "costs accuracy; to compare with results on these classes alone, make an archive "
                "of them"
            )
    return remarks
