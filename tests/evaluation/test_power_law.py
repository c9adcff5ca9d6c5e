"""The power law of learning curves: known parameters are found, and where there is no fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.evaluation import power_law
from skeletonagent.evaluation.power_law import PowerLaw, fit_power_law


@given(
    floor=st.floats(0, 0.3), fall=st.floats(0.1, 0.6), exponent=st.floats(0.3, 2),
    first=st.sampled_from([1, 3, 20]),
)  # fmt: skip
def test_known_parameters_are_found(floor: float, fall: float, exponent: float, first: int) -> None:
    clips = [first * ratio for ratio in (1, 2, 5, 10, 20)]
    true = PowerLaw(floor, fall * first**exponent, exponent)
    found = fit_power_law(clips, [true.error(n) for n in clips])
    assert found is not None
    assert found.exponent == pytest.approx(exponent, rel=0.02)
    assert found.floor == pytest.approx(floor, abs=0.005)
    assert found.factor == pytest.approx(true.factor, rel=0.08)
    assert found.gain(clips[-1], 2 * clips[-1]) == pytest.approx(
        true.gain(clips[-1], 2 * clips[-1]), abs=1e-3
    )


def test_no_other_law_on_a_grid_is_nearer_to_noisy_errors() -> None:
    clips = np.array([1, 2, 5, 10, 18.5])
    generator = np.random.default_rng(5)
    floors, falls, exponents = np.meshgrid(
        np.linspace(0, 0.6, 31), np.linspace(0, 1, 41), np.linspace(0.05, 3, 41), indexing="ij"
    )
    for _ in range(5):
        errors = 0.1 + 0.6 * clips**-0.7 + generator.normal(0, 0.03, 5)
        found = fit_power_law(clips.tolist(), errors.tolist())
        assert found is not None
        loss = sum((found.error(n) - e) ** 2 for n, e in zip(clips, errors, strict=True))
        grid = sum(
            (floors + falls * n**-exponents - e) ** 2 for n, e in zip(clips, errors, strict=True)
        )
        assert loss <= grid.min() + 1e-7


@pytest.mark.parametrize(
    "errors", [[0.0] * 5, [0.5] * 5, [1.0] * 5, [0.2, 0.3, 0.4, 0.5, 0.6], [1, 0, 1, 0, 1]]
)
def test_a_law_never_rises_and_stays_an_error_rate(errors: list[float]) -> None:
    clips = [1, 2, 5, 10, 20]
    found = fit_power_law(clips, errors)
    assert found is not None
    drawn = [found.error(n) for n in (*clips, 40)]
    assert all(a >= b for a, b in itertools.pairwise(drawn))
    assert all(-1e-9 <= error <= 2 for error in drawn)
    assert found.gain(20, 40) >= 0


def test_where_there_is_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit_power_law([1, 2, 5], [0.5, 0.4, 0.3]) is None

    def diverging(*_: object, **__: object) -> None:
        raise RuntimeError("Optimal parameters not found")

    monkeypatch.setattr(power_law, "curve_fit", diverging)
    assert fit_power_law([1, 2, 5, 10], [0.5, 0.4, 0.3, 0.2]) is None
