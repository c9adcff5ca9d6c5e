"""Body-part Mixup: clips that combine two samples of a batch (spec 2.2, Mixup)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.streams import limb_masks

PASTE_PROBABILITY = 0.75
"""Probability that body parts are pasted; otherwise complete clips are blended."""

MIN_PASTED_PARTS, MAX_PASTED_PARTS = 2, 3
"""Range of the number of body parts that are pasted."""

MIN_WINDOW, MAX_WINDOW, WINDOW_UNITS = 13, 20, 25
"""Range of the length of the window that parts are pasted into, in units of 1/25 of the clip."""


@dataclass(frozen=True)
class MixupBatch:
    """Mixed clips with their target distributions.

    Args:
        clips: Clips, each mixed from two samples of the batch.
        targets: Share of each class in each clip; a row adds up to 1.
    """

    clips: Float[Tensor, "n m t v c"]
    targets: Float[Tensor, "n y"]


def body_part_mixup(
    clips: Float[Tensor, "n m t v c"],
    labels: Int[Tensor, " n"],
    layout: SkeletonLayout,
    generator: torch.Generator,
    num_classes: int,
) -> MixupBatch:
    """Return each clip mixed with another clip of the batch.

    All random choices are made once for the batch. Either some body parts of the clip are
    replaced within a window of frames by the partner's, whose own window is resampled to that
    length, or both clips are blended. The partner's share in the target is exactly its share in
    the clip. A batch of one or two clips is returned unmixed.

    Args:
        clips: Clips of the batch, in any stream.
        labels: Class index of each clip.
        layout: Skeleton with the joints of each body part.
        generator: Source of all random numbers, on the clips' device.
        num_classes: Number of classes Y.
    """
    n, _, t, v, _ = clips.shape
    one_hot = (labels[:, None] == torch.arange(num_classes, device=clips.device)).to(clips.dtype)
    if n <= 2:
        return MixupBatch(clips, one_hot)
    random = torch.rand(8, generator=generator, device=clips.device)
    partner = (torch.arange(n, device=clips.device) + _uniform_integer(random[0], 1, n - 2)) % n
    others = clips.index_select(0, partner)
    window = _PasteWindow.draw(random[1:5], t)
    joints = _draw_joints(layout, random[5], generator, clips.device)
    pasted = window.inside[:, None] & joints  # T V
    pasting = random[6] < PASTE_PROBABILITY
    share = torch.where(pasting, pasted.sum() / (t * v), random[7])
    source = others.index_select(2, window.source)
    mixed_clips = torch.where(
        pasting,
        torch.where(pasted[:, :, None], source, clips),
        torch.lerp(clips, others, share),
    )
    return MixupBatch(mixed_clips, torch.lerp(one_hot, one_hot.index_select(0, partner), share))


@dataclass(frozen=True)
class _PasteWindow:
    """Window of frames that are replaced by the partner's.

    Args:
        inside: Whether each frame of the clip is in the window.
        source: Frame of the partner that replaces each frame; 0 outside the window.
    """

    inside: Bool[Tensor, " t"]
    source: Int[Tensor, " t"]

    @classmethod
    def draw(cls, random: Float[Tensor, "4"], t: int) -> _PasteWindow:
        """Return a window in steps of four frames, or of fewer if four does not divide ``t``."""
        step = math.gcd(t, 4)
        steps = t // step
        shortest = math.ceil(MIN_WINDOW * steps / WINDOW_UNITS)
        longest = max(shortest, MAX_WINDOW * steps // WINDOW_UNITS)
        length = _uniform_integer(random[0], shortest, longest)
        start = step * _uniform_integer(random[1], 0, steps - length)
        partner_length = _uniform_integer(random[2], length, steps)
        partner_start = step * _uniform_integer(random[3], 0, steps - partner_length)
        offset = torch.arange(t, device=random.device) - start
        inside = (offset >= 0) & (offset < step * length)
        source = partner_start + offset * partner_length // length
        return cls(inside, torch.where(inside, source, 0))


def _uniform_integer(
    random: Float[Tensor, ""], low: int | Tensor, high: int | Tensor
) -> Int[Tensor, ""]:
    """Return the integer from ``low`` to ``high`` that a number from 0 to 1 corresponds to."""
    return low + (random * (high - low + 1)).long()


def _draw_joints(
    layout: SkeletonLayout,
    random: Float[Tensor, ""],
    generator: torch.Generator,
    device: torch.device,
) -> Bool[Tensor, " v"]:
    """Return a mask of the joints of some body parts, all parts being equally likely."""
    parts = limb_masks(layout, LIMBS, device)
    rank = torch.rand(len(parts), generator=generator, device=device).argsort().argsort()
    count = _uniform_integer(random, MIN_PASTED_PARTS, MAX_PASTED_PARTS)
    return (parts & (rank < count)[:, None]).any(dim=0)
