"""Intervals and tests against literal computations, tables and simulation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.significance import (
    accuracy_interval,
    mcnemar,
    mean_interval,
    paired_difference,
)


def outcomes(right: list[bool], reverse: bool = False) -> ClassProbabilities:
    """Return predictions of two classes that are correct where it is said."""
    rows = np.array([[0.9, 0.1] if hit else [0.2, 0.8] for hit in right]).reshape(-1, 2)
    ids = tuple(f"s{i}" for i in range(len(right)))
    step = -1 if reverse else 1
    return ClassProbabilities(ids[::step], np.zeros(len(right), dtype=np.int64), rows[::step])


def test_an_interval_by_the_table_of_student() -> None:
    """Two values: half the range times 12.706; three: 4.303 standard errors."""
    two = mean_interval([0.80, 0.90])
    assert (two.mean, two.n) == (pytest.approx(0.85), 2)
    assert two.high == pytest.approx(0.85 + 0.05 * 12.7062, abs=1e-5)
    three = mean_interval([1.0, 2.0, 3.0])
    assert three.low == pytest.approx(2 - 4.30265 / math.sqrt(3), abs=1e-5)
    assert mean_interval([1.0, 2.0, 3.0], 0.9).high == pytest.approx(
        2 + 2.91999 / math.sqrt(3), abs=1e-5
    )


def test_one_run_has_no_interval() -> None:
    alone = mean_interval([0.5])
    assert (alone.mean, alone.low, alone.high, alone.n) == (0.5, None, None, 1)
    pair = paired_difference([0.5], [0.25])
    assert (pair.mean, pair.low, pair.high, pair.n) == (0.25, None, None, 1)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        interval = mean_interval(rng.normal(3.0, 2.0, size=4).tolist())
        assert interval.low is not None and interval.high is not None
        covered += interval.low <= 3.0 <= interval.high
    assert 0.93 < covered / 1000 < 0.97


@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8),
    shift=st.floats(-1, 1),
)
def test_a_paired_difference_is_antisymmetric_and_blind_to_what_pairs_share(
    pairs: list[tuple[float, float]], shift: float
) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    difference, reverse = paired_difference(a, b), paired_difference(b, a)
    moved = paired_difference([x + shift for x in a], [y + shift for y in b])
    assert difference.low is not None and difference.high is not None
    assert (difference.mean, difference.low, difference.high) == pytest.approx(
        (-reverse.mean, -(reverse.high or 0), -(reverse.low or 0))
    )
    assert moved.mean == pytest.approx(difference.mean, abs=1e-9)
    assert moved.low == pytest.approx(difference.low, abs=1e-6)
    assert difference.low <= difference.mean <= difference.high


def test_pairing_takes_out_what_the_seed_does_to_both() -> None:
    a, b = [0.71, 0.81, 0.91], [0.70, 0.80, 0.895]
    difference = paired_difference(a, b)
    assert difference.low is not None and difference.low > 0
    one, other = mean_interval(a), mean_interval(b)
    assert one.low is not None and other.high is not None and one.low < other.high


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_values_that_are_not_finite_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)


def test_pairs_need_equal_lengths() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        paired_difference([1.0, 2.0], [1.0])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_mcnemar_equals_a_count_of_all_coin_throws(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    n = only_first + only_second
    throws = [sum(throw) for throw in product((0, 1), repeat=n)]
    uneven = sum(abs(heads - n / 2) >= abs(only_first - n / 2) for heads in throws)
    result = mcnemar(outcomes(first), outcomes(second, reverse=True))
    assert (result.only_first, result.only_second) == (only_first, only_second)
    assert result.p == pytest.approx(uneven / len(throws))
    assert mcnemar(outcomes(second), outcomes(first)).p == pytest.approx(result.p)


def test_mcnemar_in_closed_form() -> None:
    assert mcnemar(outcomes([True] * 6), outcomes([False] * 6)).p == pytest.approx(2 / 2**6)
    assert mcnemar(outcomes([True, False]), outcomes([True, False])).p == 1
    with pytest.raises(DataError):
        mcnemar(outcomes([True]), outcomes([True, False]))


@pytest.mark.parametrize(("n", "hits"), [(10, 7), (40, 38), (25, 1), (8, 8), (8, 0), (1, 1)])
def test_the_interval_over_samples_is_that_of_much_resampling(n: int, hits: int) -> None:
    right = np.arange(n) < hits
    rng = np.random.default_rng(n)
    drawn = right[rng.integers(0, n, size=(40_000, n))].mean(axis=1)
    interval = accuracy_interval(outcomes(right.tolist()))
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    assert (interval.mean, interval.n) == (pytest.approx(hits / n), n)
    assert interval.low == pytest.approx(low, abs=1e-9)
    assert interval.high == pytest.approx(high, abs=1e-9)


@given(hits=st.integers(0, 30), misses=st.integers(0, 30))
def test_the_interval_over_samples_mirrors(hits: int, misses: int) -> None:
    if not hits + misses:
        with pytest.raises(ValueError, match="samples"):
            accuracy_interval(outcomes([]))
        return
    interval = accuracy_interval(outcomes([True] * hits + [False] * misses))
    mirrored = accuracy_interval(outcomes([True] * misses + [False] * hits))
    assert interval.low is not None and interval.high is not None and mirrored.high is not None
    assert interval.low <= interval.mean <= interval.high
    assert interval.low == pytest.approx(1 - mirrored.high)
