"""Sampled frames of a clip: rules and interpolation, one sample and one joint at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.clip_frames import (
    TEST_WINDOW,
    sample_test_frames,
    sample_test_positions,
)
from skeletonagent.data.frame_sampling import (
    interpolate_frames,
    sample_train_frames,
    sample_train_positions,
)
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


TRIPLE = SkeletonLayout("triple", ("a", "b", "c"), ((1, 0), (2, 1)))


def store_with_gaps(shapes: Sequence[tuple[int, int]], channels: int, seed: int) -> ClipStore:
    """Return samples of so many bodies and frames in which a third of the joints is absent.

    Three channels are two coordinates and the confidence, which absent joints have, too.
    """
    rng = np.random.default_rng(seed)
    sequences = []
    for number, (m, t) in enumerate(shapes):
        joints = rng.uniform(1, 9, size=(m, t, 3, channels)).astype(np.float32)
        joints[rng.random((m, t, 3)) < 1 / 3, :2] = 0
        sequences.append(SkeletonSequence(joints, 0, str(number)))
    return ClipStore.from_sequences(sequences, TRIPLE, ("only",), has_confidence=channels == 3)


def interpolated(joints: np.ndarray, position: float, coordinates: int) -> np.ndarray:
    """Return the joints of one body at a position, one joint at a time."""
    low, high = math.floor(position), math.ceil(position)
    result = np.zeros(joints.shape[1:])
    for v in range(joints.shape[1]):
        before, after = joints[low, v].astype(float), joints[high, v].astype(float)
        if before[:coordinates].any() and not after[:coordinates].any():
            result[v] = before
        elif after[:coordinates].any() and not before[:coordinates].any():
            result[v] = after
        else:
            result[v] = before + (position - low) * (after - before)
    return result


@given(
    shapes=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 8)), min_size=1, max_size=4),
    channels=st.sampled_from([2, 3]),
    seed=seeds,
)
def test_interpolated_clips_equal_a_loop_over_joints(
    shapes: list[tuple[int, int]], channels: int, seed: int
) -> None:
    store = store_with_gaps(shapes, channels, seed)
    samples = torch.arange(len(shapes))
    positions = sample_train_positions(store.lengths, 5, 0.4, seeded(seed))
    clips = interpolate_frames(store, samples, positions).numpy()
    for sample, (m, _) in enumerate(shapes):
        joints = store.sequence(sample).joints
        for body in range(store.max_persons):
            for t, position in enumerate(positions[sample].tolist()):
                expected = interpolated(joints[body], position, 2) if body < m else 0
                np.testing.assert_allclose(clips[sample, body, t], expected, atol=1e-4)


@given(length=st.integers(1, 300), channels=st.sampled_from([2, 3]), seed=seeds)
def test_as_many_positions_as_frames_are_the_frames(length: int, channels: int, seed: int) -> None:
    store = store_with_gaps([(2, length)], channels, seed)
    positions = sample_train_positions(store.lengths, length, 1.0, seeded(seed))
    np.testing.assert_array_equal(positions[0].numpy(), sample_test_positions(length, length, 1)[0])
    clip = interpolate_frames(store, torch.tensor([0]), positions)[0]
    np.testing.assert_array_equal(clip.numpy(), store.sequence(0).joints)


@given(lengths=lengths_of_samples, t=clip_lengths, crop=st.floats(0.05, 1), seed=seeds)
def test_train_positions_are_evenly_spaced_in_a_window_of_the_sample(
    lengths: list[int], t: int, crop: float, seed: int
) -> None:
    rows = sample_train_positions(torch.tensor(lengths), t, crop, seeded(seed))
    for length, row in zip(lengths, rows.double().numpy(), strict=True):
        assert row[0] >= 0 and row[-1] <= length - 1
        np.testing.assert_allclose(row, np.linspace(row[0], row[-1], t), atol=1e-4)
        if t > 1:
            assert row[-1] - row[0] >= crop * (length - 1) - 1e-4


def test_train_windows_have_every_size_and_place() -> None:
    rows = sample_train_positions(torch.full((2000,), 101), 8, 0.6, seeded(0))
    spans, starts = rows[:, -1] - rows[:, 0], rows[:, 0]
    assert 60 <= float(spans.min()) < 61 and 99 < float(spans.max()) <= 100
    assert float(starts.min()) < 0.1 and float(starts.max()) > 35
    whole = sample_train_positions(torch.tensor([101, 3]), 8, 1.0, seeded(0))
    assert whole[:, 0].tolist() == [0, 0] and whole[:, -1].tolist() == [100, 2]


@given(t=st.integers(2, 12), warp=st.sampled_from([0.3, 0.9]), seed=seeds)
def test_warped_positions_are_the_integral_of_the_speed(t: int, warp: float, seed: int) -> None:
    lengths = torch.tensor([1, 40, 101])
    steady = sample_train_positions(lengths, t, 0.5, seeded(seed)).double().numpy()
    warped = sample_train_positions(lengths, t, 0.5, seeded(seed), warp).double().numpy()
    drawn = seeded(seed)
    torch.rand(3, 2, 1, generator=drawn)
    random = torch.rand(3, 3, generator=drawn).double().numpy()
    fine = np.linspace(0, 1, 20001)
    middles = (fine[1:] + fine[:-1]) / 2
    for row, changed, (u, v, share) in zip(steady, warped, random, strict=True):
        a, b = share * (2 * u - 1), (1 - share) * (2 * v - 1)
        speed = 1 + warp * (a * np.cos(np.pi * middles) + b * np.cos(2 * np.pi * middles))
        assert speed.min() >= 1 - warp and speed.max() <= 1 + warp
        distance = np.concatenate([[0], np.cumsum(speed)]) / len(speed)
        share_done = np.interp(np.linspace(0, 1, t), fine, distance)
        expected = row[0] + (row[-1] - row[0]) * share_done
        np.testing.assert_allclose(changed, expected, atol=1e-3)


@given(
    lengths=lengths_of_samples,
    t=clip_lengths,
    crop=st.floats(0.05, 1),
    warp=st.floats(0.01, 0.99),
    seed=seeds,
)
def test_warped_positions_stay_in_order_and_within_the_sample(
    lengths: list[int], t: int, crop: float, warp: float, seed: int
) -> None:
    rows = sample_train_positions(torch.tensor(lengths), t, crop, seeded(seed), warp)
    steady = sample_train_positions(torch.tensor(lengths), t, crop, seeded(seed))
    for length, row, even in zip(lengths, rows, steady, strict=True):
        assert float(row.min()) >= 0 and float(row.max()) <= length - 1
        assert bool((row.diff() >= -1e-5).all())
        torch.testing.assert_close(row[[0, -1]], even[[0, -1]], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("clips", "starts"), [(1, []), (2, [0.06]), (3, [0, 0.12]), (4, [0, 0.06, 0.12])]
)
def test_test_clips_are_the_whole_and_evenly_spread_windows(
    clips: int, starts: list[float]
) -> None:
    assert TEST_WINDOW == 0.88
    windows = [(0.0, 1.0), *((start, start + 0.88) for start in starts)]
    expected = [np.linspace(100 * start, 100 * end, 9) for start, end in windows]
    np.testing.assert_allclose(sample_test_positions(101, 9, clips), expected, atol=1e-4)


@given(length=st.integers(1, 400), t=clip_lengths, clips=st.integers(1, 10))
def test_test_positions_are_within_the_sample_and_in_order(length: int, t: int, clips: int) -> None:
    rows = sample_test_positions(length, t, clips)
    assert rows.shape == (clips, t)
    assert rows.min() >= 0 and rows.max() <= length - 1
    assert (np.diff(rows, axis=1) >= 0).all()
    np.testing.assert_array_equal(rows[0], np.linspace(0, length - 1, t).astype(np.float32))
