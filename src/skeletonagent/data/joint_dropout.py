"""Random absence of joints in training clips: dropped body parts, dropped joints, occlusion."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import limb_masks


def drop_joints(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    augment: AugmentSettings,
    generator: torch.Generator,
) -> Float[Tensor, "n m t v c"]:
    """Return clips in which some joints are absent by chance: zero in all channels.

    Args:
        clips: Clips of joints or of frame differences.
        layout: Skeleton of the clips.
        augment: Probabilities of a body part, a joint and a hidden limb to be absent.
        generator: Source of all random numbers, on the clips' device.
    """
    if augment.part_drop:
        clips = _drop_body_part(clips, layout, augment.part_drop, generator)
    n, m, _, v, _ = clips.shape
    if augment.joint_drop:
        random = torch.rand(n, m, 1, v, 1, generator=generator, device=clips.device)
        clips = clips.masked_fill(random < augment.joint_drop, 0)
    if augment.occlusion:
        parts = limb_masks(layout, LIMBS[1:], clips.device)
        random = torch.rand(n, m, 3, generator=generator, device=clips.device)
        if len(parts):
            hidden = occluded_joints(parts, clips.shape[2], augment.occlusion, random)
            clips = clips.masked_fill(hidden[..., None], 0)
    return clips


def occluded_joints(
    parts: Bool[Tensor, "p v"], frames: int, probability: float, random: Float[Tensor, "n m 3"]
) -> Bool[Tensor, "n m t v"]:
    """Return the joints of a limb of each body that are hidden in half of the frames in a row.

    Args:
        parts: Joints of each limb.
        frames: Number of frames of a clip (T); half of them, rounded up, are hidden.
        probability: Probability that a body has a hidden limb.
        random: Random numbers from 0 to below 1 that choose whether, which limb and from which
            frame on.
    """
    hidden = (frames + 1) // 2
    start = (random[..., 2:] * (frames - hidden + 1)).long()
    steps = torch.arange(frames, device=random.device)
    within = (steps >= start) & (steps < start + hidden) & (random[..., :1] < probability)
    limb = parts[(random[..., 1] * len(parts)).long()]
    return within[..., :, None] & limb[:, :, None]


def _drop_body_part(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    probability: float,
    generator: torch.Generator,
) -> Float[Tensor, "n m t v c"]:
    """Return clips in which, by chance, an arm or a leg is zero in all frames (spec 2.2)."""
    parts = limb_masks(layout, LIMBS[1:], clips.device)
    if not len(parts):
        return clips
    random = torch.rand(len(clips), 2, generator=generator, device=clips.device)
    part = parts[(random[:, 1] * len(parts)).long()]
    dropped = part & (random[:, :1] < probability)
    return clips.masked_fill(dropped[:, None, None, :, None], 0)
