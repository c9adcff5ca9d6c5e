"""p-values and their correction against SciPy and a literal reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from skeletonagent.agents.evidence.chance import SIGNIFICANCE, WelchTest, holm


def test_p_values_are_those_of_welchs_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (9, 5)), rng.normal(0.8, 3, (14, 5))
    parts = [group.var(axis=0, ddof=1) / len(group) for group in (first, second)]
    squares = parts[0] ** 2 / 8 + parts[1] ** 2 / 13
    ours = WelchTest.of(
        first.mean(axis=0) - second.mean(axis=0), parts[0] + parts[1], squares
    ).p_values()
    expected = stats.ttest_ind(first, second, equal_var=False).pvalue
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_where_nothing_varies_nothing_is_shown() -> None:
    test = WelchTest.of(np.array([0.0, 3.0]), np.zeros(2), np.zeros(2))
    assert test.p_values().tolist() == [1.0, 1.0]


def stepwise(p: list[float]) -> list[float]:
    """Return Holm's correction, step by step."""
    corrected, before = [1.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda n: p[n])):
        before = max(before, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = before
    return corrected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_correction_is_holms(p: list[float]) -> None:
    corrected = holm(np.array(p)).tolist()
    np.testing.assert_allclose(corrected, stepwise(p), rtol=1e-12)


def test_rows_are_corrected_by_themselves() -> None:
    p = np.array([[0.01, 0.04, 0.03], [0.5, 0.001, 0.02]])
    assert np.array_equal(holm(p), np.stack([holm(row) for row in p]))


def test_one_test_needs_no_correction() -> None:
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("tests", [1, 7, 300])
def test_what_is_significant_is_what_the_correction_leaves(tests: int, spread: float) -> None:
    """Bounds of p-values decide as all p-values do, for few degrees of freedom and for many."""
    rng = np.random.default_rng(tests)
    test = WelchTest(
        np.abs(spread * rng.normal(size=(40, tests))),
        np.exp(rng.uniform(0, np.log(5000), size=(40, tests))),
    )
    doubled = rng.random((40, tests)) < 0.5
    p = np.minimum(test.p_values() * (1 + doubled), 1.0)
    expected = holm(p) < SIGNIFICANCE
    assert np.array_equal(test.significant(doubled), expected)
    assert expected.any() == (spread > 0)
