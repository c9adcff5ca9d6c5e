"""Learning rate and EMA decay of each step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.training.schedule import learning_rate_at, step_hyperparameters
from skeletonagent.training.settings import TrainSettings


@given(epochs=st.integers(1, 200), steps=st.integers(1, 1000), ema_decay=st.floats(0, 0.999))
def test_the_average_reaches_back_over_a_tenth_of_the_steps_at_most(
    epochs: int, steps: int, ema_decay: float
) -> None:
    kept = step_hyperparameters(
        0, 0, steps, TrainSettings(epochs=epochs, ema_decay=ema_decay)
    ).ema_decay
    assert 0 <= kept <= ema_decay
    assert 1 / (1 - kept) <= max(epochs * steps / 10, 1) * (1 + 1e-9)
    if epochs * steps >= 10 / (1 - ema_decay):
        assert kept == ema_decay


def test_an_average_of_a_short_training_by_hand() -> None:
    settings = TrainSettings(epochs=5, ema_decay=0.98)
    assert step_hyperparameters(4, 0, 20, settings).ema_decay == pytest.approx(
        0.9
    )  # 100 steps, 10 of them
    assert step_hyperparameters(4, 0, 100, settings).ema_decay == 0.98
    assert step_hyperparameters(0, 0, 1, settings).ema_decay == 0


def test_the_rate_is_that_of_the_step() -> None:
    settings = TrainSettings(epochs=8, warmup_epochs=1, learning_rate=0.1)
    for epoch, step in [(0, 0), (0, 3), (5, 2)]:
        assert step_hyperparameters(epoch, step, 4, settings).learning_rate == learning_rate_at(
            epoch + step / 4, settings
        )
