"""Metrics of a study's runs, means over seeds and paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.metrics import expected_calibration_error, negative_log_likelihood
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.measurements import (
    METRICS,
    Measurement,
    measure_runs,
    summarize_rows,
)
from skeletonagent.experiments.plans import StudyPlan, StudyRow

PLAN = StudyPlan("Study", (StudyRow("base"), StudyRow("one"), StudyRow("two")))


def measured(
    row: str, values: list[float], first: int = 0, metric: str = "top1"
) -> list[Measurement]:
    return [Measurement(row, first + n, "xsub", metric, value) for n, value in enumerate(values)]


def test_a_result_is_a_mean_and_a_paired_difference() -> None:
    base, one = [0.5, 0.6, 0.8], [0.6, 0.65, 0.9]
    results = summarize_rows(PLAN, measured("one", one) + measured("base", base))
    assert [result.row for result in results] == ["base", "one"]
    assert results[0].mean == mean_interval(base)
    assert results[0].difference is None
    assert results[1].mean == mean_interval(one)
    assert results[1].difference == paired_difference(one, base)


def test_pairs_are_of_the_same_seed() -> None:
    """While runs are going on, a row may have seeds that the baseline has not yet, and others."""
    base, one = measured("base", [0.5, 0.7], first=3), measured("one", [0.9, 0.8, 0.2], first=4)
    results = summarize_rows(PLAN, base + one)
    assert results[1].difference == paired_difference([0.9], [0.7])  # seed 4 alone
    assert results[1].mean.n == 3
    assert summarize_rows(PLAN, one)[0].difference is None
    assert summarize_rows(PLAN, []) == []


def test_a_row_may_stand_against_another_one_too() -> None:
    plan = StudyPlan(
        "Study", (StudyRow("base"), StudyRow("one", against="two"), StudyRow("two", against="gone"))
    )
    one, two = measured("one", [0.9, 0.8, 0.2], first=1), measured("two", [0.5, 0.4])
    results = {result.row: result for result in summarize_rows(plan, one + two)}
    assert results["one"].other_difference == paired_difference([0.9], [0.4])  # seed 1 alone
    assert results["one"].difference is None and results["two"].other_difference is None


def predicting(right: list[float], of: int = 20) -> ClassProbabilities:
    """Return predictions with the given accuracy of each class."""
    y = len(right)
    labels = np.repeat(np.arange(y), of)
    hit = np.concatenate([np.arange(of) < round(share * of) for share in right])
    return ClassProbabilities(
        tuple(f"s{i}" for i in range(y * of)),
        labels,
        np.eye(y)[np.where(hit, labels, (labels + 1) % y)],
    )


def test_the_other_seeds_choose_the_hard_classes() -> None:
    predictions = {
        ("base", 0): {"p": predicting([0.1, 0.8, 1.0])},
        ("base", 1): {"p": predicting([1.0, 0.8, 0.5])},
        ("one", 0): {"p": predicting([0.9, 0.7, 0.4])},
    }
    value = {(m.row, m.seed, m.metric): m.value for m in measure_runs("base", predictions)}
    assert value["base", 0, "hard"] == 1.0  # the other seed's hard class is the last
    assert value["base", 1, "hard"] == 1.0
    assert (value["one", 0, "hard"], value["one", 0, "easy"]) == (0.4, 0.9)
    assert value["one", 0, "medium"] == 0.7
    assert value["one", 0, "top1"] == value["one", 0, "mean_class"] == pytest.approx(2 / 3)
    alone = {key: parts for key, parts in predictions.items() if key[1] == 0}
    value = {(m.row, m.seed, m.metric): m.value for m in measure_runs("base", alone)}
    assert (value["base", 0, "hard"], value["one", 0, "hard"]) == (0.1, 0.9)


def test_what_cannot_be_measured_is_left_out() -> None:
    only = {("one", 0): {"p": predicting([0.5, 1.0])}}
    always = {"top1", "mean_class", "ece", "nll"}
    assert {m.metric for m in measure_runs("base", only)} == always
    easy = {("base", 0): {"p": predicting([1.0, 1.0])}, **only}
    metrics = {m.metric for m in measure_runs("base", easy)}
    assert metrics == {*always, "easy", "hardest_third"} <= set(METRICS)


def test_calibration_is_that_of_the_run() -> None:
    predicted = predicting([0.5, 1.0])
    value = {m.metric: m.value for m in measure_runs("base", {("one", 0): {"p": predicted}})}
    assert value["ece"] == expected_calibration_error(predicted) == 0.25
    assert value["nll"] == negative_log_likelihood(predicted)


def test_time_is_a_share_of_the_baselines_with_the_same_seed() -> None:
    predictions = {
        (row, seed): {"p": predicting([1.0])} for row in ("base", "one") for seed in (0, 1)
    }
    seconds = {("base", 0): 10.0, ("one", 0): 15.0, ("one", 1): 99.0}
    results = measure_runs("base", predictions, seconds)
    times = {(m.row, m.seed): m.value for m in results if m.metric == "time"}
    assert times == {("base", 0): 1.0, ("one", 0): 1.5}
