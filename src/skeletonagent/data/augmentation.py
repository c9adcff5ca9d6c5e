"""What happens to clips between the store and the recognizer.

Augmentation is at most one random linear map of each clip's coordinates and a choice of joints,
so it commutes with taking differences over time. Scores, the detector's confidence, are no
coordinates: nothing turns or scales them.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import _indices


@lru_cache(maxsize=64)
def limb_masks(
    layout: SkeletonLayout, limbs: tuple[str, ...], device: torch.device
) -> Bool[Tensor, "p v"]:
    """Return which joints belong to each of some limbs; limbs without a joint are left out."""
    with torch.inference_mode(False):
        mask = torch.zeros(len(limbs), layout.num_joints, dtype=torch.bool)
        for row, limb in zip(mask, limbs, strict=True):
            row[list(layout.parts[limb])] = True
        return mask[mask.any(dim=1)].to(device)


def rotation_matrices(angles: Float[Tensor, "n a"]) -> Float[Tensor, "n c c"]:
    """Return ``Rz Ry Rx`` for three angles a row, the plane's rotation for one.

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


def horizontal_flip(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    widths: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return the mirror image: left and right joints change places and x changes sign.

    Args:
        clips: Joints or differences.
        layout: Says which joints are left and right.
        widths: Of the images whose pixels the joints are, which are turned over in place; absent
            joints, at zero, stay there.
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
    """Return a copy in which left and right joints have each other's names, all in place.

    Source: spec 2.2, Spatial_Flip.
    """
    return clips.index_select(-2, _indices(layout.mirror, clips.device))


def augment_clips(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    augment: AugmentSettings,
    generator: torch.Generator,
    coordinates: int | None = None,
    widths: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return each clip perhaps mirrored, turned, scaled and changed in its parts, at random.

    Args:
        clips: Joints or differences.
        layout: The skeleton.
        augment: What may happen; in this order, which is that of spec 2.1.
        generator: Of all randomness.
        coordinates: Channels that are turned and scaled, all if None.
        widths: See :func:`horizontal_flip`.
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


def _where(
    chosen: Bool[Tensor, " n"],
    changed: Float[Tensor, "n m t v c"],
    clips: Float[Tensor, "n m t v c"],
) -> Float[Tensor, "n m t v c"]:
    return torch.where(chosen[:, None, None, None, None], changed, clips)


def _random_rotation(
    clips: Float[Tensor, "n m t v c"],
    augment: AugmentSettings,
    signed: Float[Tensor, "n 4"],
    coordinates: int | None,
) -> Float[Tensor, "n m t v c"]:
    """Return clips turned and scaled by the shares ``signed`` of the largest change."""
    if not (augment.rotation or augment.scale):
        return clips
    places = clips[..., :coordinates]
    turn = rotation_matrices(augment.rotation * signed[:, : 3 if places.shape[-1] == 3 else 1])
    size = 1 + augment.scale * signed[:, 3]
    turned = (places.flatten(1, 3) @ (turn * size[:, None, None]).mT).view(places.shape)
    scores = clips[..., places.shape[-1] :]
    return torch.cat([turned, scores], dim=-1) if scores.shape[-1] else turned


def _drop_body_part(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    probability: float,
    generator: torch.Generator,
) -> Float[Tensor, "n m t v c"]:
    """Return clips in which perhaps an arm or a leg is set to zero in all frames (spec 2.2)."""
    parts = limb_masks(layout, LIMBS[1:], clips.device)
    if not len(parts):
        return clips
    random = torch.rand(len(clips), 2, generator=generator, device=clips.device)
    part = parts[(random[:, 1] * len(parts)).long()]
    dropped = part & (random[:, :1] < probability)
    return clips.masked_fill(dropped[:, None, None, :, None], 0)
