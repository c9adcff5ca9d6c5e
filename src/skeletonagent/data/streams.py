"""TODO."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream


def subtract(
    end: Float[Tensor, "n m t v c"],
    start: Float[Tensor, "n m t v c"],
    coordinates: int | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return ``end - start`` in the first channels and the mean of both in further ones.

    Args:
        end: Where the difference leads to.
        start: Where it leads from.
        coordinates: Channels that are subtracted, all if None. The others are scores.
    """
    moved = end - start
    if coordinates is not None and coordinates < moved.shape[-1]:
        moved[..., coordinates:] = (end[..., coordinates:] + start[..., coordinates:]) / 2
    return moved


def bone_vectors(
    joints: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    stream: Stream,
    coordinates: int | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return joints minus their parents (bone) or grandparents (k-bone), or as they are (joint).

    A bone's score is the mean of both ends', see :func:`subtract`.
    """
    match stream.base:
        case Stream.BONE:
            partners = layout.parents
        case Stream.KBONE:
            partners = layout.grandparents
        case _:
            return joints
    return subtract(joints, joints.index_select(-2, _indices(partners, joints.device)), coordinates)


def frame_differences(
    clips: Float[Tensor, "n m t v c"], coordinates: int | None = None, joined: int = 1
) -> Float[Tensor, "n m t v c"]:
    """Return the difference of every frame to the next of its clip, zero for the last.

    Args:
        clips: Clips as they were sampled.
        coordinates: See :func:`subtract`.
        joined: So many clips on end count as one sequence, whose boundaries are differenced too.
    """
    whole = clips.unflatten(0, (-1, joined)).transpose(1, 2).flatten(2, 3)
    following = torch.cat([whole[:, :, 1:], whole[:, :, -1:]], dim=2)
    moved: Tensor = subtract(following, whole, coordinates).unflatten(2, (joined, -1))
    return moved.transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=64)
def _indices(joints: tuple[int, ...], device: torch.device) -> Int[Tensor, " v"]:
    """Return joints as a tensor that is moved to the device once."""
    with torch.inference_mode(False):
        return torch.tensor(joints, device=device)
