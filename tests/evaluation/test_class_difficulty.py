"""Hard, medium and easy classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.class_difficulty import (
    class_difficulty,
    hardest_third,
    subset_accuracy,
)


def with_accuracies(hits: list[int | None], of: int = 10) -> ClassProbabilities:
    """Return predictions by the number of correct samples of each class; None: no samples."""
    y = len(hits)
    labels = [label for label, right in enumerate(hits) if right is not None for _ in range(of)]
    predicted = [
        label if i < right else (label + 1) % y
        for label, right in enumerate(hits)
        if right is not None
        for i in range(of)
    ]
    ids = tuple(f"s{i}" for i in range(len(labels)))
    return ClassProbabilities(ids, np.array(labels, dtype=np.int64), np.eye(y)[predicted])


def test_the_borders_belong_to_the_middle() -> None:
    """Hard is lower than 70 %, easy over 90 %, medium between (paper section 4.4)."""
    baseline = with_accuracies([69, 70, 90, 91, None, 0, 100], of=100)
    assert class_difficulty(baseline) == {"hard": (0, 5), "medium": (1, 2), "easy": (3, 6)}


def test_several_runs_count_by_their_mean() -> None:
    first, second = with_accuracies([6, 10, 9]), with_accuracies([10, 9, 4])
    assert class_difficulty(first)["hard"] == (0,)
    assert class_difficulty(first, second) == {"hard": (2,), "medium": (0,), "easy": (1,)}


@given(st.lists(st.one_of(st.none(), st.integers(0, 10)), min_size=2, max_size=9).filter(any))
def test_every_tested_class_is_in_one_subset(hits: list[int | None]) -> None:
    predictions = with_accuracies(hits)
    subsets = class_difficulty(predictions)
    together = sorted(label for labels in subsets.values() for label in labels)
    assert together == [label for label, right in enumerate(hits) if right is not None]
    for name, (low, high) in {"hard": (0, 6), "medium": (7, 9), "easy": (10, 10)}.items():
        inside = [right for right in hits if right is not None and low <= right <= high]
        expected = pytest.approx(np.mean(inside) / 10) if inside else None
        assert subset_accuracy(predictions, subsets)[name] == expected


@given(st.lists(st.one_of(st.none(), st.integers(0, 10)), min_size=1, max_size=10))
def test_no_class_outside_the_hardest_third_is_harder(hits: list[int | None]) -> None:
    tested = {label: right for label, right in enumerate(hits) if right is not None}
    if not tested:
        return
    chosen = hardest_third(with_accuracies(hits))
    assert len(chosen) == max(1, len(tested) // 3)
    assert list(chosen) == sorted(chosen)
    assert max(tested[y] for y in chosen) <= min(
        (right for y, right in tested.items() if y not in chosen), default=10
    )


def test_the_hardest_third_of_several_runs() -> None:
    first, second = with_accuracies([6, 10, 9, 9]), with_accuracies([10, 9, 4, None])
    assert hardest_third(first) == (0,)
    assert hardest_third(first, second) == (2,)
    ties = with_accuracies([5, 9, 5, 5, 9, 9])
    assert hardest_third(ties) == (0, 2)


def test_another_run_is_measured_on_the_baselines_subsets() -> None:
    subsets = class_difficulty(with_accuracies([2, 4, 8, 10]))
    other = with_accuracies([6, 10, 4, None])
    assert subset_accuracy(other, subsets) == {"hard": 0.8, "medium": 0.4, "easy": None}


def test_runs_that_do_not_belong_together() -> None:
    with pytest.raises(DataError, match="same classes"):
        class_difficulty(with_accuracies([1, 2]), with_accuracies([1, 2, 3]))
    with pytest.raises(DataError, match="one or more"):
        class_difficulty()
