"""Computation of the input streams from joints: bones, k-bones and frame differences.

Which streams there are is defined in :mod:`skeletonagent.core.streams`; this module computes
them from clips of joints.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream


def subtract(
    end: Float[Tensor, "n m t v c"],
    start: Float[Tensor, "n m t v c"],
    coordinates: int | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return ``end - start`` in the leading channels and the mean of both in the others.

    Args:
        end: Joints at the end of each difference.
        start: Joints at the start of each difference.
        coordinates: Number of leading channels that are subtracted, all if None. The others are
            keypoint confidence.
    """
    difference = end - start
    if coordinates is not None and coordinates < difference.shape[-1]:
        difference[..., coordinates:] = (end[..., coordinates:] + start[..., coordinates:]) / 2
    return difference


def bone_vectors(
    joints: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    stream: Stream,
    coordinates: int | None = None,
) -> Float[Tensor, "n m t v c"]:
    """Return each joint minus its parent (bone) or grandparent (k-bone), or joints unchanged.

    Args:
        joints: Clips of joints.
        layout: Skeleton of the joints.
        stream: Input stream; its motion, if any, is not computed here.
        coordinates: Number of leading channels that are subtracted, see :func:`subtract`.
    """
    match stream.base:
        case Stream.BONE:
            starts = layout.parents
        case Stream.KBONE:
            starts = layout.grandparents
        case _:
            return joints
    return subtract(
        joints, joints.index_select(-2, joint_indices(starts, joints.device)), coordinates
    )


def frame_differences(
    clips: Float[Tensor, "n m t v c"],
    coordinates: int | None = None,
    clips_per_sequence: int = 1,
) -> Float[Tensor, "n m t v c"]:
    """Return the difference from each frame to the next one; zero for the last frame.

    Args:
        clips: Clips in any stream.
        coordinates: Number of leading channels that are subtracted, see :func:`subtract`.
        clips_per_sequence: Number of consecutive clips that count as one sequence: the last frame
            of a clip is followed by the first frame of the next clip of its sequence.
    """
    sequences = clips.unflatten(0, (-1, clips_per_sequence)).transpose(1, 2).flatten(2, 3)
    following = torch.cat([sequences[:, :, 1:], sequences[:, :, -1:]], dim=2)
    differences: Tensor = subtract(following, sequences, coordinates).unflatten(
        2, (clips_per_sequence, -1)
    )
    return differences.transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=64)
def joint_indices(joints: tuple[int, ...], device: torch.device) -> Int[Tensor, " v"]:
    """Return joint indices as a tensor on a device."""
    with torch.inference_mode(False):
        return torch.tensor(joints, device=device)


@lru_cache(maxsize=64)
def limb_masks(
    layout: SkeletonLayout, limbs: tuple[str, ...], device: torch.device
) -> Bool[Tensor, "p v"]:
    """Return a mask of the joints of each limb on a device; limbs without joints have no row."""
    with torch.inference_mode(False):
        mask = torch.zeros(len(limbs), layout.num_joints, dtype=torch.bool)
        for row, limb in zip(mask, limbs, strict=True):
            row[list(layout.parts[limb])] = True
        return mask[mask.any(dim=1)].to(device)
