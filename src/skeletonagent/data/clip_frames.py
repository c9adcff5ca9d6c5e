"""Frames and positions of test clips, which depend on the length of a sample alone; no torch."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.data.settings import SamplingRule

TEST_SEED = 255
"""Seed of each sample's test clips, which therefore depend on its length alone."""

TEST_WINDOW = 0.88
"""Share of a sample's duration that each test clip covers, except for the first: it covers all."""


def sample_test_frames(
    length: int, frames: int, clips: int, rule: SamplingRule = SamplingRule.DECODE
) -> Int[np.ndarray, "clips t"]:
    """Return the frame indices of a sample's test clips, which depend on its length alone.

    The rules are those of ``frame_sampling.sample_train_frames``. Random numbers are drawn by
    NumPy's legacy generator, seeded with :data:`TEST_SEED` for each sample, as for the published
    accuracies.
    Source: spec 2.2.

    Args:
        length: Number of frames of the sample.
        frames: Number of frames of a clip (T).
        clips: Number of test clips.
        rule: Start of the clips of a sample shorter than T.
    """
    if rule is SamplingRule.FRAMES and length < frames:
        starts = np.arange(clips)
        starts = starts if length < clips else starts * length // clips
        return (starts[:, None] + np.arange(frames)) % length
    random = np.random.RandomState(TEST_SEED)
    return np.stack([_one_test_clip(length, frames, random) for _ in range(clips)])


def _one_test_clip(n: int, t: int, random: np.random.RandomState) -> Int[np.ndarray, " t"]:
    random.random_sample()  # the released sampler draws a window's length here, always all frames
    steps = np.arange(t)
    if n < t:
        return (random.randint(0, n) + steps) % n
    if n < 2 * t:
        skips = np.zeros(t + 1, dtype=np.int64)
        skips[random.choice(t + 1, n - t, replace=False)] = 1
        return steps + np.cumsum(skips)[:-1]
    bounds = np.arange(t + 1) * n // t
    return bounds[:-1] + random.randint(np.diff(bounds))


def sample_test_positions(length: int, frames: int, clips: int) -> Float[np.ndarray, "clips t"]:
    """Return the positions of a sample's test clips, which depend on its length alone.

    The first clip covers the whole sample. The others cover a share :data:`TEST_WINDOW` of it each
    and start at even distances, so that the first of them begins and the last of them ends with
    the sample; a single one is in the middle.

    Args:
        length: Number of frames of the sample.
        frames: Number of frames of a clip (T).
        clips: Number of test clips.
    """
    others = clips - 1
    room = 1 - TEST_WINDOW
    starts = np.linspace(0, room, others) if others > 1 else np.full(others, room / 2)
    starts = np.concatenate([[0.0], starts])
    ends = np.concatenate([[1.0], starts[1:] + TEST_WINDOW])
    positions = np.linspace(starts * (length - 1), ends * (length - 1), frames, axis=1)
    return positions.clip(0, length - 1).astype(np.float32)
