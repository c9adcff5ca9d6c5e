"""Bodies of clips of two, each by itself as a base knows bodies: at the origin and facing ahead."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize


def bodies_alone(clips: Float[Tensor, "n 2 t v 3"], center: int) -> Float[Tensor, "n 2 t v 3"]:
    """Return clips in which each body begins at the origin and has the other one in front of it.

    In front is along z, as the body's own forward is in clips of one body that were turned to its
    axes. A body alone in its clip keeps its heading.

    Args:
        clips: Clips of two bodies whose y points up; absent joints are zeros.
        center: The joint that stands for the place of a body.
    """
    seen = (clips != 0).any(dim=-1)
    path, known = clips[..., center, :], seen[..., center]
    first = known.int().argmax(dim=2)
    start = path.gather(2, first[..., None, None].expand(-1, -1, 1, 3))
    moved = clips - start[:, :, :, None]
    turned = _turned_ahead(moved, _way_to_the_other(path, known))
    return torch.where(seen[..., None], turned, 0.0)


def _way_to_the_other(
    path: Float[Tensor, "n 2 t 3"], known: Bool[Tensor, "n 2 t"]
) -> Float[Tensor, "n 2 2"]:
    """Return x and z of the unit vector from each body to the other; ahead where there is none."""
    both = (known & known.flip(1))[..., None]
    way = ((path.flip(1) - path) * both).sum(dim=2)[..., ::2]
    ahead = way.new_tensor([0.0, 1.0])
    return torch.where(way.abs().sum(dim=-1, keepdim=True) > 0, normalize(way, dim=-1), ahead)


def _turned_ahead(
    clips: Float[Tensor, "n 2 t v 3"], way: Float[Tensor, "n 2 2"]
) -> Float[Tensor, "n 2 t v 3"]:
    """Return bodies turned about the vertical axis until a way on the ground leads along z."""
    sine, cosine = way[..., 0, None, None], way[..., 1, None, None]
    x, y, z = clips.unbind(dim=-1)
    return torch.stack([cosine * x - sine * z, y, sine * x + cosine * z], dim=-1)
