"""Random augmentation of training clips: horizontal flip, rotation, scaling, body-part drop.

Each clip is augmented by at most one linear map of its coordinates and a permutation or mask of
its joints, so augmentation commutes with frame differences. Keypoint confidence is not a
coordinate: it is neither rotated nor scaled.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import joint_indices, limb_masks


def augment_clips(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    augment: AugmentSettings,
    generator: torch.Generator,
    coordinates: int | None = None,
    widths: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return randomly augmented clips.

    Args:
        clips: Clips of joints or of frame differences.
        layout: Skeleton of the clips.
        augment: Probabilities and ranges of the augmentations, which are applied in the order of
            spec 2.1.
        generator: Source of all random numbers, on the clips' device.
        coordinates: Number of leading channels that are rotated and scaled, all if None.
        widths: Image width of each clip in pixels, see :func:`horizontal_flip`.
    """
    n, device = len(clips), clips.device
    random = torch.rand(n, 5, generator=generator, device=device)
    if augment.mirror:
        clips = _where(random[:, 0] < augment.mirror, horizontal_flip(clips, layout, widths), clips)
    clips = _random_rotation(clips, augment, 2 * random[:, 1:] - 1, coordinates)
    if augment.swap:
        chosen = torch.rand(n, generator=generator, device=device) < augment.swap
        clips = _where(chosen, swap_left_right(clips, layout), clips)
    if augment.part_drop:
        clips = _drop_body_part(clips, layout, augment.part_drop, generator)
    return clips


def horizontal_flip(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    widths: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return clips flipped horizontally: left and right joints are exchanged, x changes its sign.

    Args:
        clips: Clips of joints or of frame differences.
        layout: Skeleton with the pairs of left and right joints.
        widths: Image width of each clip, where joints are in pixels: x becomes ``width - x``;
            absent joints stay zero. None where x is relative to the centre.
    """
    flipped = swap_left_right(clips, layout)
    if widths is None:
        flipped[..., 0] *= -1
    else:
        x = flipped[..., 0]
        flipped[..., 0] = torch.where(x != 0, widths[:, None, None, None] - x, x)
    return flipped


def swap_left_right(
    clips: Float[Tensor, "n m t v c"], layout: SkeletonLayout
) -> Float[Tensor, "n m t v c"]:
    """Return a copy in which left and right joints exchange their names and keep their positions.

    Source: spec 2.2, Spatial_Flip.
    """
    return clips.index_select(-2, joint_indices(layout.mirror, clips.device))


def rotation_matrices(angles: Float[Tensor, "n a"]) -> Float[Tensor, "n c c"]:
    """Return a rotation matrix for each row of angles in radians.

    Three angles per row give ``Rz Ry Rx`` in space, one angle gives a rotation in the plane.
    Source: spec 2.2, RandomRot.
    """
    if angles.shape[1] == 1:
        cos, sin = angles[:, 0].cos(), angles[:, 0].sin()
        return torch.stack([cos, sin, -sin, cos], dim=-1).reshape(-1, 2, 2)
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    one, zero = torch.ones_like(cx), torch.zeros_like(cx)
    rx = torch.stack([one, zero, zero, zero, cx, sx, zero, -sx, cx], dim=-1).reshape(-1, 3, 3)
    ry = torch.stack([cy, zero, -sy, zero, one, zero, sy, zero, cy], dim=-1).reshape(-1, 3, 3)
    rz = torch.stack([cz, sz, zero, -sz, cz, zero, zero, zero, one], dim=-1).reshape(-1, 3, 3)
    return rz @ ry @ rx


def _where(
    chosen: Bool[Tensor, " n"],
    changed: Float[Tensor, "n m t v c"],
    clips: Float[Tensor, "n m t v c"],
) -> Float[Tensor, "n m t v c"]:
    return torch.where(chosen[:, None, None, None, None], changed, clips)


def _random_rotation(
    clips: Float[Tensor, "n m t v c"],
    augment: AugmentSettings,
    fractions: Float[Tensor, "n 4"],
    coordinates: int | None,
) -> Float[Tensor, "n m t v c"]:
    """Return rotated and scaled clips.

    Args:
        clips: Clips of joints or of frame differences.
        augment: Largest rotation angle and relative change of size.
        fractions: Fraction of the largest rotation about each axis and of the largest change of
            size, from -1 to 1.
        coordinates: Number of leading channels that are rotated and scaled, all if None.
    """
    if not (augment.rotation or augment.scale):
        return clips
    positions = clips[..., :coordinates]
    axes = 3 if positions.shape[-1] == 3 else 1
    rotations = rotation_matrices(augment.rotation * fractions[:, :axes])
    sizes = 1 + augment.scale * fractions[:, 3]
    maps = (rotations * sizes[:, None, None]).mT
    rotated = (positions.flatten(1, 3) @ maps).view(positions.shape)
    confidence = clips[..., positions.shape[-1] :]
    return torch.cat([rotated, confidence], dim=-1) if confidence.shape[-1] else rotated


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
