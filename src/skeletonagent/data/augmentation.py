"""Random augmentation of training clips: flip, rotation, scaling, noise, exchange of bodies.

Each clip is augmented by at most one linear map of its coordinates, a permutation of its joints and
bodies, noise, and a mask of its joints. All but noise commutes with frame differences, where these
are taken first. An absent joint (all coordinates zero) stays absent. Keypoint confidence is not a
coordinate: it is neither rotated nor scaled, and has no noise.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.joint_dropout import drop_joints
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import joint_indices


def augment_clips(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    augment: AugmentSettings,
    generator: torch.Generator,
    coordinates: int | None = None,
    widths: Float[Tensor, " n"] | None = None,
    mirrored: Bool[Tensor, " n"] | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return randomly augmented clips.

    Args:
        clips: Clips of joints or of frame differences.
        layout: Skeleton of the clips.
        augment: Probabilities and ranges of the augmentations. Flip, rotation, exchange of sides
            and drop of a body part are applied in the order of spec 2.1.
        generator: Source of all random numbers, on the clips' device.
        coordinates: Number of leading channels that are rotated and scaled, all if None.
        widths: Image width of each clip in pixels, see :func:`horizontal_flip`.
        mirrored: Whether each clip is flipped; if None, chosen with probability ``mirror``.
    """
    n, device = len(clips), clips.device
    stored = clips
    random = torch.rand(n, 5, generator=generator, device=device)
    if augment.mirror:
        mirrored = random[:, 0] < augment.mirror if mirrored is None else mirrored
        clips = _where(mirrored, horizontal_flip(clips, layout, widths), clips)
    clips = _random_linear_map(clips, augment, 2 * random[:, 1:] - 1, generator, coordinates)
    if augment.swap:
        chosen = torch.rand(n, generator=generator, device=device) < augment.swap
        clips = _where(chosen, swap_left_right(clips, layout), clips)
    if augment.person_swap:
        chosen = torch.rand(n, generator=generator, device=device) < augment.person_swap
        clips = _where(chosen, exchange_bodies(clips), clips)
    if augment.keep_sides:
        clips = turn_to_sides(clips, stored, coordinates)
    if augment.jitter:
        clips = _add_noise(clips, augment.jitter, generator, coordinates)
    if augment.depth_drop:
        clips = _drop_depth(clips, augment.depth_drop, generator, coordinates)
    return drop_joints(clips, layout, augment, generator)


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


def exchange_bodies(clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n m t v c"]:
    """Return clips in which the first two bodies exchange places, where these two alone are seen.

    Clips of one body, of more than two or of nobody are unchanged, so that the same places are
    occupied as before.
    """
    if clips.shape[1] < 2:
        return clips
    seen = clips.flatten(2).any(dim=2)
    pair = seen[:, 0] & seen[:, 1] & ~seen[:, 2:].any(dim=1)
    return _where(pair, torch.cat([clips[:, 1:2], clips[:, :1], clips[:, 2:]], dim=1), clips)


def turn_to_sides(
    clips: Float[Tensor, "n m t v c"],
    stored: Float[Tensor, "n m t v c"],
    coordinates: int | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return clips of two bodies with a half turn about y where the bodies have changed sides.

    The side is that of the first body from the second along x. A flip or an exchange of bodies
    changes it, and both together do not. Where clips are turned to the line between the bodies,
    test clips always show the same side. Clips in 2D or of one body are unchanged.

    Args:
        clips: Augmented clips.
        stored: The clips before they were augmented.
        coordinates: Number of leading channels that are coordinates, all if None.
    """
    if clips.shape[1] < 2 or (clips.shape[-1] if coordinates is None else coordinates) < 3:
        return clips
    changed = _side_of_first(clips) * _side_of_first(stored) < 0
    signs = clips.new_ones(clips.shape[-1])
    signs[0::2][:2] = -1
    return _where(changed, clips * signs, clips)


def _side_of_first(clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, " n"]:
    """Return the mean of the first body's x minus that of the second; 0 if one is not seen."""
    seen = clips[:, :2].ne(0).any(dim=-1).flatten(2)
    count = seen.sum(dim=2)
    first, second = (clips[:, :2, ..., 0].flatten(2).sum(dim=2) / count.clamp(min=1)).unbind(1)
    return (first - second) * count.gt(0).all(dim=1)


def clip_spreads(
    positions: Float[Tensor, "n m t v d"], seen: Bool[Tensor, "n m t v 1"]
) -> Float[Tensor, " n"]:
    """Return the spread of each clip: the root mean square deviation of its seen joints.

    The deviation is that of each coordinate from its mean over all seen joints of the clip.

    Args:
        positions: Joints, zero where they are absent.
        seen: Whether each joint is seen.
    """
    flat, seen = positions.flatten(1, 3), seen.flatten(1, 3)
    count = seen.sum(dim=1).clamp(min=1)  # of a clip of nobody, zero is the sum
    deviation = (flat - (flat.sum(dim=1) / count)[:, None]) * seen
    return (deviation.square().sum(dim=1) / count).mean(dim=1).sqrt()


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


def _random_linear_map(
    clips: Float[Tensor, "n m t v c"],
    augment: AugmentSettings,
    fractions: Float[Tensor, "n 4"],
    generator: torch.Generator,
    coordinates: int | None,
) -> Float[Tensor, "n m t v c"]:
    """Return rotated and scaled clips.

    Args:
        clips: Clips of joints or of frame differences.
        augment: Largest rotation angles and changes of size.
        fractions: Fraction of the largest rotation about each axis and of the largest change of
            size, from -1 to 1.
        generator: Source of the random numbers of yaw and of the size along each axis.
        coordinates: Number of leading channels that are rotated and scaled, all if None.
    """
    if not (augment.rotation or augment.yaw or augment.scale or augment.axis_scale):
        return clips
    n, device = len(clips), clips.device
    positions = clips[..., :coordinates]
    channels = positions.shape[-1]
    axes = 3 if channels == 3 else 1
    angles = augment.rotation * fractions[:, :axes]
    if augment.yaw and axes == 3:
        yaw = 2 * torch.rand(n, generator=generator, device=device) - 1
        angles = torch.stack([angles[:, 0], angles[:, 1] + augment.yaw * yaw, angles[:, 2]], dim=1)
    sizes = (1 + augment.scale * fractions[:, 3])[:, None]
    if augment.axis_scale:
        normal = torch.randn(n, channels, generator=generator, device=device)
        sizes = sizes * (augment.axis_scale * normal).exp()
    maps = (rotation_matrices(angles) * sizes[:, :, None]).mT
    rotated = (positions.flatten(1, 3) @ maps).view(positions.shape)
    return _with_confidence(rotated, clips)


def _add_noise(
    clips: Float[Tensor, "n m t v c"],
    jitter: float,
    generator: torch.Generator,
    coordinates: int | None,
) -> Float[Tensor, "n m t v c"]:
    """Return clips with noise on the coordinates of seen joints, in proportion to their spread."""
    positions = clips[..., :coordinates]
    seen = (positions != 0).any(dim=-1, keepdim=True)
    noise = torch.randn(positions.shape, generator=generator, device=clips.device)
    scales = jitter * clip_spreads(positions, seen)[:, None, None, None, None]
    return _with_confidence(torch.addcmul(positions, noise, scales * seen), clips)


def _drop_depth(
    clips: Float[Tensor, "n m t v c"],
    probability: float,
    generator: torch.Generator,
    coordinates: int | None,
) -> Float[Tensor, "n m t v c"]:
    """Return clips of which some, in 3D before, have a z of zero."""
    chosen = torch.rand(len(clips), generator=generator, device=clips.device) < probability
    if (clips.shape[-1] if coordinates is None else coordinates) < 3:
        return clips
    flat = clips.clone()
    flat[..., 2] = 0
    return _where(chosen, flat, clips)


def _with_confidence(
    positions: Float[Tensor, "n m t v d"], clips: Float[Tensor, "n m t v c"]
) -> Float[Tensor, "n m t v c"]:
    """Return positions together with the channels of the clips that are no coordinates."""
    confidence = clips[..., positions.shape[-1] :]
    return torch.cat([positions, confidence], dim=-1) if confidence.shape[-1] else positions
