"""Pairs of least cost against all that can be made, and without SciPy."""

from __future__ import annotations

import sys
from itertools import permutations

import numpy as np
import pytest

from skeletonagent.core.assignment import least_cost_pairs
from skeletonagent.core.errors import ConfigError


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 3), (2, 4), (4, 3)])
def test_pairs_cost_least(shape: tuple[int, int]) -> None:
    for seed in range(5):
        cost = np.random.default_rng(seed).random(shape)
        rows, columns = least_cost_pairs(cost)
        tall = cost if shape[0] <= shape[1] else cost.T
        least = min(
            sum(tall[row, column] for row, column in enumerate(order))
            for order in permutations(range(tall.shape[1]), len(tall))
        )
        assert len(rows) == min(shape) and cost[rows, columns].sum() == pytest.approx(least)


def test_one_row_needs_no_scipy_and_several_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert [found.tolist() for found in least_cost_pairs(np.array([[3.0, 1.0]]))] == [[0], [1]]
    assert not len(least_cost_pairs(np.zeros((0, 3)))[0])
    with pytest.raises(ConfigError, match="pip install scipy"):
        least_cost_pairs(np.ones((2, 2)))
