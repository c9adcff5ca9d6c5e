"""Sampling of a clip's frames from a sample: frames as they are, or interpolated between them.

The first part has the three rules of spec 2.2, the second part resampling by linear interpolation.
There, a position in time is counted in frames and may lie between two of them: 2.25 is a quarter
of the way from frame 2 to frame 3.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore


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


def interpolate_frames(
    store: ClipStore,
    samples: Int[Tensor, " n"],
    positions: Float[Tensor, "n t"],
    gather: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return samples at positions in time; all channels, also confidence, are interpolated.

    A joint that is absent (all coordinates zero) in one of the two frames around a position has
    the values of the other frame; one that is absent in both stays absent.

    Args:
        store: Samples.
        samples: Indices of the samples.
        positions: Positions in time, from 0 to a sample's number of frames minus one.
        gather: Function that returns frames of samples, coordinates first; by default the store's.
    """
    around = torch.cat([positions.floor(), positions.ceil()], dim=1).long()
    before, after = (gather or store.gather)(samples, around).chunk(2, dim=2)
    seen_before, seen_after = (
        (frames[..., : store.coordinates] != 0).any(dim=-1, keepdim=True)
        for frames in (before, after)
    )
    weights = positions.frac()[:, None, :, None, None]
    weights = torch.where(seen_before == seen_after, weights, seen_after.to(weights.dtype))
    return before.lerp(after, weights)


def sample_train_positions(
    lengths: Int[Tensor, " n"],
    frames: int,
    crop: float,
    generator: torch.Generator,
    warp: float = 0.0,
) -> Float[Tensor, "n t"]:
    """Return positions in a random window of each sample, at even or gently changing distances.

    The speed relative to an even one is ``1 + a cos(pi s) + b cos(2 pi s)`` at the share ``s`` of
    the clip, with random ``a`` and ``b``, ``|a| + |b| <= warp``: it never stands still, and the
    window begins and ends where it did.

    Args:
        lengths: Number of frames of each sample.
        frames: Number of frames of a clip (T).
        crop: Smallest share of a sample's duration that a window covers; 1 for all of it.
        generator: Source of all random numbers, on the device of ``lengths``.
        warp: Largest relative change of speed, from 0 to below 1.
    """
    random = torch.rand(len(lengths), 2, 1, generator=generator, device=lengths.device)
    last = (lengths[:, None] - 1).float()
    span = last * (crop + (1 - crop) * random[:, 0])
    start = (last - span) * random[:, 1]
    # Multiplied before it is divided, as many positions as frames are exactly the frames.
    offsets = torch.arange(frames, device=lengths.device) * span / max(frames - 1, 1)
    if warp:
        offsets = offsets + warp * span * _random_delays(len(lengths), frames, generator)
    return torch.minimum((start + offsets).clamp(min=0), last)


def _random_delays(n: int, frames: int, generator: torch.Generator) -> Float[Tensor, "n t"]:
    """Return the integral of a random change of speed from -1 to 1, as a share of a clip."""
    random = torch.rand(n, 3, 1, generator=generator, device=generator.device)
    steps = torch.linspace(0, torch.pi, frames, device=generator.device)
    share = random[:, 2]  # of the slower change; the quicker one has the rest
    first, second = share * (2 * random[:, 0] - 1), (1 - share) * (2 * random[:, 1] - 1)
    return (first * steps.sin() + second * (2 * steps).sin() / 2) / torch.pi
