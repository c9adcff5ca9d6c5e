"""Sampling of the frames of a clip: random for training, the same in every run for testing."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.data.settings import SamplingRule

TEST_SEED = 255
"""Seed of each sample's test clips, which therefore depend on its length alone."""


def sample_train_frames(
    lengths: Int[Tensor, " n"], frames: int, generator: torch.Generator
) -> Int[Tensor, "n t"]:
    """Return random frame indices of each sample, by the three rules of spec 2.2.

    A sample shorter than T frames is repeated from a random start. Of a sample shorter than 2 T
    frames random frames are dropped. A longer sample is divided into T equal segments, of each of
    which one random frame is taken.

    Args:
        lengths: Number of frames of each sample.
        frames: Number of frames of a clip (T).
        generator: Source of all random numbers, on the device of ``lengths``.
    """
    n, t, device = len(lengths), frames, lengths.device
    length = lengths[:, None]
    steps = torch.arange(t, device=device)
    random = torch.rand(n, t + 1, generator=generator, device=device)
    start = (random[:, :1] * length).long()
    repeated = (start + steps) % length
    rank = random.argsort(dim=1).argsort(dim=1)
    skipped = (rank < length - t).cumsum(dim=1)[:, :t] + steps
    bounds = torch.arange(t + 1, device=device) * length // t
    sizes = bounds.diff(dim=1)
    segments = bounds[:, :t] + (random[:, :t] * sizes).long()
    chosen = torch.where(length < t, repeated, torch.where(length < 2 * t, skipped, segments))
    return chosen.clamp(max=length - 1)  # float32 rounding of random * length may reach length


def sample_test_frames(
    length: int, frames: int, clips: int, rule: SamplingRule = SamplingRule.DECODE
) -> Int[np.ndarray, "clips t"]:
    """Return the frame indices of a sample's test clips, which depend on its length alone.

    The rules are those of :func:`sample_train_frames`. Random numbers are drawn by NumPy's legacy
    generator, seeded with :data:`TEST_SEED` for each sample, as for the published accuracies.
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
