"""Metrics of class probabilities: closed forms, a literal reference, and exact bin edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.metrics import (
    evaluate_parts,
    expected_calibration_error,
    mean_class_accuracy,
    negative_log_likelihood,
)


def two_classes(samples: list[tuple[float, bool]]) -> ClassProbabilities:
    """Return predictions of samples by the probability of class 0 and whether it is true."""
    first = np.array([p for p, _ in samples])
    labels = np.array([0 if of_label else 1 for _, of_label in samples], dtype=np.int64)
    ids = tuple(f"s{i}" for i in range(len(samples)))
    return ClassProbabilities(ids, labels, np.stack([first, 1 - first], axis=1))


def literal_error(predictions: ClassProbabilities, bins: int) -> float:
    """Return the error bin by bin, ``(low, high]``, as it is defined."""
    total, n = 0.0, len(predictions.sample_ids)
    for b in range(bins):
        inside = [
            (max(row), row.index(max(row)) == label)
            for row, label in zip(
                predictions.probs.tolist(), predictions.labels.tolist(), strict=True
            )
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
    predictions = two_classes(samples)
    assert expected_calibration_error(predictions, bins) == pytest.approx(
        literal_error(predictions, bins), abs=1e-9
    )


@pytest.mark.parametrize("edge", [0.625, 0.75, 0.875])
def test_a_bin_contains_its_upper_edge_and_not_its_lower_one(edge: float) -> None:
    """A correct and a wrong prediction: in one bin their errors cancel out, in two they add up."""
    step = 1 / 64
    below = two_classes([(edge, True), (edge - step, False)])
    above = two_classes([(edge, True), (edge + step, False)])
    in_one_bin = abs((1 - edge) - (edge - step)) / 2
    in_two_bins = ((1 - edge) + (edge + step)) / 2
    assert expected_calibration_error(below, bins=8) == pytest.approx(in_one_bin)
    assert expected_calibration_error(above, bins=8) == pytest.approx(in_two_bins)


def test_the_first_bin_contains_its_lower_edge() -> None:
    nothing = ClassProbabilities(("a",), np.array([1]), np.zeros((1, 2)))
    assert expected_calibration_error(nothing, bins=8) == 0


def test_the_mean_over_classes_leaves_out_those_without_samples() -> None:
    labels = np.array([0, 0, 2])
    predictions = ClassProbabilities(("a", "b", "c"), labels, np.eye(3)[[0, 1, 2]])
    assert mean_class_accuracy(predictions) == 0.75


def test_accuracies_of_each_part_of_the_test_set() -> None:
    predictions = ClassProbabilities(
        ("a", "b", "c", "d"),
        np.array([0, 0, 0, 1]),
        np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1]]),
    )
    report = evaluate_parts(predictions, {"all": {"a", "b", "c", "d"}, "few": {"c"}})
    assert report["all"] == {
        "samples": 4, "top1": 0.75, "top5": 1.0, "mean_class": pytest.approx((2 / 3 + 1) / 2),
    }  # fmt: skip
    assert report["few"] == {"samples": 1, "top1": 0.0, "top5": 1.0, "mean_class": 0.0}


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
    predictions = two_classes(samples)
    right = float((predictions.probs.argmax(axis=1) == predictions.labels).mean())
    expected = abs(right - float(predictions.probs.max(axis=1).mean()))
    assert expected_calibration_error(predictions, 1) == pytest.approx(expected, abs=1e-9)


@given(samples=samples)
def test_the_likelihood_is_a_mean_of_logarithms(samples: list[tuple[float, bool]]) -> None:
    of_label = [p if first else 1 - p for p, first in samples]
    expected = sum(-math.log(max(p, 1e-12)) for p in of_label) / len(of_label)
    predictions = two_classes(samples)
    assert negative_log_likelihood(predictions) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    again = two_classes(samples * 2)
    assert negative_log_likelihood(again) == pytest.approx(negative_log_likelihood(predictions))


def test_chance_is_the_logarithm_of_the_classes() -> None:
    predictions = ClassProbabilities(("a", "b"), np.array([0, 2]), np.full((2, 4), 0.25))
    assert negative_log_likelihood(predictions) == pytest.approx(math.log(4))


def test_without_samples() -> None:
    none = ClassProbabilities((), np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
    assert expected_calibration_error(none) == 0
    with pytest.raises(ValueError, match="got none"):
        negative_log_likelihood(none)
