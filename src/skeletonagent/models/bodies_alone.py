"""Bodies of clips of several, each alone as a base knows bodies: at the origin, facing ahead."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def bodies_alone(clips: Float[Tensor, "n m t v c"], center: int) -> Float[Tensor, "n m t v c"]:
    """Return clips in which each body begins at the origin and has the others in front of it.

    In front is along z, as the body's own forward is in clips of one body that were turned to its
    axes. In pictures it is to the right: a body whose others are to its left is seen from behind
    the picture. A body alone in its clip keeps its heading.

    Args:
        clips: Clips of two bodies or more, in 3D with y upwards, or in 2D; absent joints are zeros.
        center: The joint that stands for the place of a body.
    """
    seen = (clips != 0).any(dim=-1)
    path, known = clips[..., center, :], seen[..., center]
    first = known.int().argmax(dim=2)
    start = path.gather(2, first[..., None, None].expand(-1, -1, 1, path.shape[-1]))
    way = _way_to_the_others(path[..., ::2], known)
    turned = _turned_ahead(clips - start[:, :, :, None], way)
    return torch.where(seen[..., None], turned, 0.0)


def added_features(
    encode: Callable[[Float[Tensor, "b 1 t v c"]], Float[Tensor, "b d"]],
    clips: Float[Tensor, "n m t v c"],
    bodies: Int[Tensor, " b"] | None,
    center: int,
) -> Float[Tensor, "n d"]:
    """Return the features of clips of several: those of each body alone, added.

    So it makes no difference who comes first.

    Args:
        encode: Function from clips of one body to features.
        clips: Clips with room for several bodies.
        bodies: Bodies that are present: body ``m`` of clip ``n`` as ``n M + m``; None for all.
        center: The joint that stands for the place of a body.
    """
    features = encode(bodies_alone(clips, center).flatten(0, 1)[:, None])
    if bodies is not None:
        there = torch.zeros_like(features[:, :1]).index_fill(0, bodies, 1.0)
        features = features * there
    added: Float[Tensor, "n d"] = features.unflatten(0, (-1, clips.shape[1])).sum(dim=1)
    return added


def _way_to_the_others(
    ground: Float[Tensor, "n m t g"], known: Bool[Tensor, "n m t"]
) -> Float[Tensor, "n m g"]:
    """Return the unit vector from each body to the mean of the others; ahead where there is none.

    Args:
        ground: Place of each body on the ground: x and z, or x alone; zeros where it is not seen.
        known: Where it is seen.
    """
    there = known[..., None].to(ground.dtype)
    to_others = ground.sum(dim=1, keepdim=True) - there.sum(dim=1, keepdim=True) * ground
    way = (to_others * there).sum(dim=2)
    ahead = way.new_tensor([0.0, 1.0][-way.shape[-1] :])
    return torch.where(way.abs().sum(dim=-1, keepdim=True) > 0, normalize(way, dim=-1), ahead)


def _turned_ahead(
    clips: Float[Tensor, "n m t v c"], way: Float[Tensor, "n m g"]
) -> Float[Tensor, "n m t v c"]:
    """Return bodies turned about the vertical axis until a way on the ground leads ahead."""
    if way.shape[-1] == 1:
        return clips * torch.cat([way, torch.ones_like(way)], dim=-1)[:, :, None, None]
    sine, cosine = way[..., 0, None, None], way[..., 1, None, None]
    x, y, z = clips.unbind(dim=-1)
    return torch.stack([cosine * x - sine * z, y, sine * x + cosine * z], dim=-1)
