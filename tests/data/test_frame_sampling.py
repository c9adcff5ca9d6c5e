"""Sampled frames of a clip: the three rules one sample at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.data.clip_sampler import sample_test_frames, sample_train_frames
from skeletonagent.data.settings import SamplingRule

seeds = st.integers(0, 9999)
lengths_of_samples = st.lists(st.integers(1, 30), min_size=1, max_size=6)
clip_lengths = st.integers(1, 10)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_the_rules(length: int, t: int, random: Sequence[np.float32]) -> list[int]:
    """Return the frames of one sample, from the numbers drawn for it."""
    if length < t:
        start = min(int(random[0] * np.float32(length)), length - 1)
        return [(start + step) % length for step in range(t)]
    if length < 2 * t:
        places = sorted(range(t + 1), key=lambda place: random[place])[: length - t]
        frames, left_out = [], 0
        for place in range(t):
            left_out += place in places
            frames.append(place + left_out)
        return frames
    frames = []
    for segment in range(t):
        low, high = segment * length // t, (segment + 1) * length // t
        frames.append(low + int(random[segment] * np.float32(high - low)))
    return frames


@given(lengths=lengths_of_samples, t=clip_lengths, seed=seeds)
def test_train_frames_equal_a_loop_over_samples(lengths: list[int], t: int, seed: int) -> None:
    drawn = torch.rand(len(lengths), t + 1, generator=seeded(seed)).numpy()
    expected = [by_the_rules(n, t, row) for n, row in zip(lengths, drawn, strict=True)]
    assert sample_train_frames(torch.tensor(lengths), t, seeded(seed)).tolist() == expected


def assert_follows_the_rules(frames: list[int], length: int, t: int) -> None:
    assert len(frames) == t
    assert all(0 <= frame < length for frame in frames)
    if length < t:
        assert frames == [(frames[0] + step) % length for step in range(t)]
        return
    assert frames == sorted(set(frames))
    if length == t:
        assert frames == list(range(t))
    if length >= 2 * t:
        for segment, frame in enumerate(frames):
            assert segment * length // t <= frame < (segment + 1) * length // t


@given(length=st.integers(1, 60), t=st.integers(1, 20), seed=seeds)
def test_frames_are_within_the_sample_in_order_and_in_their_segments(
    length: int, t: int, seed: int
) -> None:
    assert_follows_the_rules(
        sample_train_frames(torch.tensor([length]), t, seeded(seed))[0].tolist(), length, t
    )
    for clip in sample_test_frames(length, t, 3).tolist():
        assert_follows_the_rules(clip, length, t)


@pytest.mark.parametrize("length", [5, 8, 9, 15, 16, 17, 40])
def test_every_frame_can_be_sampled(length: int) -> None:
    t = 8
    draws = sample_train_frames(torch.full((3000,), length), t, seeded(0))
    assert set(draws.flatten().tolist()) == set(range(length))
    if length < t:
        starts = draws[:, 0].bincount(minlength=length) / len(draws)
        assert float((starts - 1 / length).abs().max()) < 0.03


@given(length=st.integers(1, 40), t=clip_lengths)
def test_test_frames_are_always_the_same_and_draw_from_no_other_generator(
    length: int, t: int
) -> None:
    np.random.seed(1)
    before = np.random.get_state()[1]
    frames = sample_test_frames(length, t, 4)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(sample_test_frames(length, t, 4), frames)
    np.testing.assert_array_equal(sample_test_frames(length, t, 2), frames[:2])


def test_test_clips_differ_where_they_can() -> None:
    assert len({tuple(clip) for clip in sample_test_frames(50, 8, 10).tolist()}) == 10
    assert len({tuple(clip) for clip in sample_test_frames(8, 8, 10).tolist()}) == 1


@given(n=st.integers(1, 12), clips=st.integers(1, 10))
def test_sampling_rule_frames_spreads_test_clips_of_short_samples_evenly(
    n: int, clips: int
) -> None:
    found = sample_test_frames(n, 13, clips, SamplingRule.FRAMES)
    for clip in range(clips):
        start = clip % n if n < clips else math.floor(clip * n / clips)
        assert found[clip].tolist() == [(start + step) % n for step in range(13)]


@given(n=st.integers(8, 40), clips=st.integers(1, 4))
def test_sampling_rules_agree_on_samples_as_long_as_a_clip(n: int, clips: int) -> None:
    np.testing.assert_array_equal(
        sample_test_frames(n, 8, clips, SamplingRule.FRAMES),
        sample_test_frames(n, 8, clips, SamplingRule.DECODE),
    )
