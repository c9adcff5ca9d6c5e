"""Calibration: closed forms, a literal reference, and what a score must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.metrics import expected_calibration_error, negative_log_likelihood


def two_classes(samples: list[tuple[float, bool]]) -> ClassProbabilities:
    """Return scores of samples whose class 0 has a probability and is the true one or not."""
    first = np.array([p for p, _ in samples])
    labels = np.array([0 if own else 1 for _, own in samples], dtype=np.int64)
    ids = tuple(f"s{i}" for i in range(len(samples)))
    return ClassProbabilities(ids, labels, np.stack([first, 1 - first], axis=1))


def literal_error(scores: ClassProbabilities, bins: int) -> float:
    """Return the error bin by bin, ``(low, high]``, as it is defined."""
    total, n = 0.0, len(scores.sample_ids)
    for b in range(bins):
        inside = [
            (max(row), row.index(max(row)) == label)
            for row, label in zip(scores.probs.tolist(), scores.labels.tolist(), strict=True)
            if math.ceil(max(row) * bins) - 1 == b
        ]
        if inside:
            sure = sum(confidence for confidence, _ in inside) / len(inside)
            right = sum(hit for _, hit in inside) / len(inside)
            total += len(inside) / n * abs(right - sure)
    return total


samples = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20)


@given(samples=samples, bins=st.integers(1, 20))
def test_the_error_is_what_its_definition_says(
    samples: list[tuple[float, bool]], bins: int
) -> None:
    scores = two_classes(samples)
    assert expected_calibration_error(scores, bins) == pytest.approx(
        literal_error(scores, bins), abs=1e-9
    )


def test_the_error_by_hand() -> None:
    """Sure by 0.8 and right in three of four; sure by 0.6 and never right."""
    right = two_classes([(0.8, True)] * 3 + [(0.8, False)])
    assert expected_calibration_error(right) == pytest.approx(0.05)
    both = two_classes([(0.8, True)] * 3 + [(0.8, False)] + [(0.6, False)] * 4)
    assert expected_calibration_error(both) == pytest.approx((0.05 + 0.6) / 2)
    assert expected_calibration_error(two_classes([(1.0, True), (0.0, False)])) == 0
    assert expected_calibration_error(two_classes([(1.0, False)])) == 1


@given(samples=samples)
def test_one_bin_compares_accuracy_with_mean_confidence(samples: list[tuple[float, bool]]) -> None:
    scores = two_classes(samples)
    right = float((scores.probs.argmax(axis=1) == scores.labels).mean())
    expected = abs(right - float(scores.probs.max(axis=1).mean()))
    assert expected_calibration_error(scores, 1) == pytest.approx(expected, abs=1e-9)


@given(samples=samples)
def test_the_likelihood_is_a_mean_of_logarithms(samples: list[tuple[float, bool]]) -> None:
    own = [p if first else 1 - p for p, first in samples]
    expected = sum(-math.log(max(p, 1e-12)) for p in own) / len(own)
    scores = two_classes(samples)
    assert negative_log_likelihood(scores) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    again = two_classes(samples * 2)
    assert negative_log_likelihood(again) == pytest.approx(negative_log_likelihood(scores))


def test_chance_is_the_logarithm_of_the_classes() -> None:
    scores = ClassProbabilities(("a", "b"), np.array([0, 2]), np.full((2, 4), 0.25))
    assert negative_log_likelihood(scores) == pytest.approx(math.log(4))


def test_without_samples() -> None:
    none = ClassProbabilities((), np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
    assert expected_calibration_error(none) == 0
    with pytest.raises(ValueError, match="got none"):
        negative_log_likelihood(none)
