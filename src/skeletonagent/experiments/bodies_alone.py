"""Bodies of clips of several, each alone as a base knows bodies: at the origin, facing ahead."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from skeletonagent.core.clips import ClipStore


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


def samples_of_bodies_alone(store: ClipStore) -> ClipStore:
    """Return samples whose bodies are as :func:`bodies_alone` returns them, if they have several.

    Args:
        store: Preprocessed samples.
    """
    if store.max_persons == 1:
        return store
    frames, channels = store.frames.clone(), store.coordinates
    sizes = zip(store.starts.tolist(), store.lengths.tolist(), store.persons.tolist(), strict=True)
    for start, length, persons in sizes:
        if persons > 1:
            own = frames[start : start + persons * length, :, :channels]
            alone = bodies_alone(own.unflatten(0, (persons, length))[None], store.layout.center)
            own.copy_(alone.flatten(0, 2))
    return replace(store, frames=frames)


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
