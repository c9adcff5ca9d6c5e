"""Precision, recall and F1: against counting by hand and a literal version, means over runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skeletonagent.report.class_scores import SCORES, class_scores, mean_class_scores


def literal(counts: np.ndarray, label: int) -> tuple[float, float, float]:
    """Return the scores of a class from the lists of its true and predicted samples."""
    pairs = [(m, n) for m, row in enumerate(counts) for n, c in enumerate(row) for _ in range(c)]
    true = [pair for pair in pairs if pair[0] == label]
    predicted = [pair for pair in pairs if pair[1] == label]
    right = len([pair for pair in pairs if pair == (label, label)])
    precision = right / len(predicted) if predicted else math.nan
    recall = right / len(true) if true else math.nan
    if not true:
        return precision, recall, math.nan
    if not right:
        return precision, recall, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall)


@given(arrays(np.int64, st.integers(1, 5).map(lambda y: (y, y)), elements=st.integers(0, 3)))
def test_scores_equal_those_of_lists_of_samples(counts: np.ndarray) -> None:
    rows = [literal(counts, label) for label in range(len(counts))]
    np.testing.assert_allclose(class_scores(counts), np.array(rows).T)


def test_means_are_over_runs_and_over_classes() -> None:
    first, second = np.array([[2, 2], [0, 4]]), np.array([[4, 0], [4, 0]])
    scores = mean_class_scores([first, second])
    # The second class is never predicted in the second run, so its precision is the first run's.
    assert scores["precision"] == [pytest.approx(0.75), pytest.approx(4 / 6, rel=1e-4)]
    assert scores["recall"] == [0.75, 0.5]
    assert scores["macro"]["recall"] == scores["weighted"]["recall"] == 0.625
    assert scores["macro"]["precision"] == pytest.approx((1 + 4 / 6 + 0.5 + 0) / 4, rel=1e-4)


def test_classes_without_samples_do_not_count_in_the_means() -> None:
    scores = mean_class_scores([np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])])
    assert scores["recall"][2] is None and scores["precision"][2] is None
    assert scores["macro"]["recall"] == pytest.approx((0.75 + 1) / 2)
    assert scores["weighted"]["recall"] == pytest.approx(5 / 6, rel=1e-4)
    assert tuple(scores["macro"]) == SCORES
