"""Body-part Mixup: clips that are part one sample, part another (spec 2.2, Mixup)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.augmentation import limb_masks

PART_SHARE = 0.75
"""How often body parts are pasted; otherwise whole clips are blended."""

FEWEST_PARTS, MOST_PARTS = 2, 3
"""How many body parts are pasted."""

SHORTEST, LONGEST, WHOLE = 13, 20, 25
"""Length of the window they are pasted into, and of the clip."""


@dataclass(frozen=True)
class MixupBatch:
    """Mixed clips, each with a share in two classes."""

    clips: Float[Tensor, "n m t v c"]
    targets: Float[Tensor, "n y"]


def body_part_mixup(
    clips: Float[Tensor, "n m t v c"],
    labels: Int[Tensor, " n"],
    layout: SkeletonLayout,
    generator: torch.Generator,
    num_classes: int,
) -> MixupBatch:
    """Return every clip mixed with another of the batch; two clips or one stay as they are.

    What is drawn is drawn once for the batch. Either some body parts of the partner, a window of
    its frames resampled to a window's length, replace the clip's own, or both clips are blended.
    The partner's share in the target is exactly its share in the clip.

    Args:
        clips: The batch, in any stream.
        labels: Their classes.
        layout: Says which joints make up a body part.
        generator: Of all randomness, on the clips' device.
        num_classes: Y.
    """
    n, _, t, v, _ = clips.shape
    classes = (labels[:, None] == torch.arange(num_classes, device=clips.device)).to(clips.dtype)
    if n <= 2:
        return MixupBatch(clips, classes)
    random = torch.rand(8, generator=generator, device=clips.device)
    partner = (torch.arange(n, device=clips.device) + _uniform_integer(random[0], 1, n - 2)) % n
    others = clips.index_select(0, partner)
    window = _PasteWindow.draw(random[1:5], t)
    joints = _joints(layout, random[5], generator, clips.device)
    pasted = window.inside[:, None] & joints  # T V
    pasting = random[6] < PART_SHARE
    share = torch.where(pasting, pasted.sum() / (t * v), random[7])
    source = others.index_select(2, window.source)
    clips = torch.where(
        pasting,
        torch.where(pasted[:, :, None], source, clips),
        torch.lerp(clips, others, share),
    )
    return MixupBatch(clips, torch.lerp(classes, classes.index_select(0, partner), share))


@dataclass(frozen=True)
class _PasteWindow:
    """The frames that are replaced, and for each frame the partner's that would stand there."""

    inside: Bool[Tensor, " t"]
    source: Int[Tensor, " t"]

    @classmethod
    def draw(cls, random: Float[Tensor, "4"], t: int) -> _PasteWindow:
        """Return a window in steps of four frames, as far as four divide the clip."""
        step = math.gcd(t, 4)
        steps = t // step
        shortest = math.ceil(SHORTEST * steps / WHOLE)
        length = _uniform_integer(random[0], shortest, max(shortest, LONGEST * steps // WHOLE))
        start = step * _uniform_integer(random[1], 0, steps - length)
        theirs = _uniform_integer(random[2], length, steps)
        first = step * _uniform_integer(random[3], 0, steps - theirs)
        place = torch.arange(t, device=random.device) - start
        inside = (place >= 0) & (place < step * length)
        source = first + place * theirs // length
        return cls(inside, torch.where(inside, source, 0))


def _uniform_integer(
    random: Float[Tensor, ""], low: int | Tensor, high: int | Tensor
) -> Int[Tensor, ""]:
    """Return the whole number from ``low`` to ``high`` that a number from 0 to 1 stands for."""
    return low + (random * (high - low + 1)).long()


def _joints(
    layout: SkeletonLayout,
    random: Float[Tensor, ""],
    generator: torch.Generator,
    device: torch.device,
) -> Bool[Tensor, " v"]:
    """Return the joints of some body parts, all parts being equally likely."""
    parts = limb_masks(layout, LIMBS, device)
    rank = torch.rand(len(parts), generator=generator, device=device).argsort().argsort()
    return (parts & (rank < _uniform_integer(random, FEWEST_PARTS, MOST_PARTS))[:, None]).any(dim=0)
