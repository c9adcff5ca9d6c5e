"""Smoothed joints: noise of stillness goes, quick movement stays, what is absent stays absent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skeletonagent.pose.smoothing import METRE_FILTER, OneEuroFilter, smooth_body

FPS = 30.0


def literal(values: list[float], one: OneEuroFilter) -> list[float]:
    """Return one coordinate smoothed as the paper's listing does it."""

    def weight(cutoff: float) -> float:
        return 1 / (1 + FPS / (2 * math.pi * cutoff))

    smoothed: list[float] = []
    before, speed = math.nan, 0.0
    for value in values:
        if math.isnan(value) or math.isnan(before):
            before, speed = value, 0.0
        else:
            way = (value - before) * FPS
            speed += weight(one.derivative_cutoff) * (way - speed)
            before += weight(one.min_cutoff + one.beta * abs(speed)) * (value - before)
        smoothed.append(before)
    return smoothed


def test_a_coordinate_is_smoothed_as_in_the_paper() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(20, 3, 2)).cumsum(axis=0) / 10
    joints[6:9, 1] = np.nan
    smoothed = smooth_body(joints, FPS, world=True)
    for joint in range(3):
        for axis in range(2):
            wanted = literal(joints[:, joint, axis].tolist(), METRE_FILTER)
            np.testing.assert_allclose(smoothed[:, joint, axis], wanted)
    assert (np.isnan(smoothed) == np.isnan(joints)).all()


@pytest.mark.parametrize("world", [True, False])
def test_noise_of_stillness_goes_and_quick_movement_stays(world: bool) -> None:
    rng = np.random.default_rng(1)
    body = rng.normal(size=(1, 8, 3 if world else 2)) * (0.5 if world else 100)
    size = 1.0 if world else 200.0
    still = body + rng.normal(0, 0.001 * size, (90, *body.shape[1:]))
    assert smooth_body(still, FPS, world=world)[60:].std(axis=0).mean() < (
        0.5 * still[60:].std(axis=0).mean()
    )
    quick = body + size * np.sin(np.arange(90) / 5)[:, None, None]
    away = np.abs(smooth_body(quick, FPS, world=world) - quick)[10:]
    assert np.median(away) < 0.03 * size


def test_a_body_that_is_never_there_stays_absent() -> None:
    nobody = np.full((5, 4, 2), np.nan)
    assert np.isnan(smooth_body(nobody, FPS, world=False)).all()
