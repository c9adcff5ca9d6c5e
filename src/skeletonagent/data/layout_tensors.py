"""Tensors made of a skeleton layout, cached for each device so that they are copied there once."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout


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
