"""Short gaps are interpolated, longer ones stay absent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.importing.figures import figure, recording

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.importing.short_gaps import (
    fill_short_gaps,
    frames_of_limit,
    parse_gap_limit,
)


def test_gaps_up_to_the_limit_are_filled_along_a_line() -> None:
    joints = np.arange(20, dtype=np.float32).reshape(1, 10, 1, 2)
    holed = joints.copy()
    holed[0, [0, 2, 3, 5, 6, 7, 9]] = np.nan
    filled, where = fill_short_gaps(holed, 2)
    assert where[0, :, 0].nonzero()[0].tolist() == [2, 3]
    np.testing.assert_allclose(filled[0, 2:4], joints[0, 2:4])
    assert np.isnan(filled[0, [0, 5, 6, 7, 9]]).all()
    filled, where = fill_short_gaps(holed, 3)
    assert where.sum() == 5 and np.isnan(filled[0, [0, 9]]).all()


@given(st.integers(0, 99), st.integers(0, 8))
def test_what_is_seen_stays_as_it_is(seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(2, 15, 3, 2))
    joints[rng.random((2, 15, 3)) < 0.4] = np.nan
    seen = ~np.isnan(joints).any(axis=-1)
    filled, where = fill_short_gaps(joints, limit)
    np.testing.assert_array_equal(filled[seen], joints[seen])
    assert not (where & seen).any()
    assert (np.isnan(filled).any(axis=-1) == ~(seen | where)).all()
    assert limit or not where.any()


@pytest.mark.parametrize(
    ("text", "limit", "frames"),
    [
        ("5", (5, False), 5),
        ("0.2s", (0.2, True), 6),
        (" 1 S", (1, True), 30),
        ("3 frames", (3, False), 3),
    ],
)
def test_limits_are_frames_or_seconds(text: str, limit: tuple[float, bool], frames: int) -> None:
    assert parse_gap_limit(text) == limit
    assert frames_of_limit(limit, recording("a", figure(0, 0, 5), fps=30)) == frames


@pytest.mark.parametrize("text", ["", "-1", "0.5", "a while", "1.5 frames", "nan"])
def test_other_limits_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give frames, such as 5, or seconds"):
        parse_gap_limit(text)


def test_seconds_need_a_frame_rate() -> None:
    with pytest.raises(DataError, match="frame rate is not known; give it by --fps"):
        frames_of_limit((0.5, True), recording("a", figure(0, 0, 5)))
