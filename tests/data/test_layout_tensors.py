"""Tensors of a layout: every joint is in one limb, indices are kept in order."""

from __future__ import annotations

import torch
from tests.data.random_clips import layouts

from skeletonagent.core.layout import LIMBS, SkeletonLayout
from skeletonagent.data.layout_tensors import joint_indices, limb_masks


@layouts
def test_limbs_are_masks_over_the_joints(layout: SkeletonLayout) -> None:
    masks = limb_masks(layout, LIMBS, torch.device("cpu"))
    assert masks.sum(dim=0).tolist() == [1] * layout.num_joints
    assert [row.nonzero().flatten().tolist() for row in masks] == [
        list(joints) for joints in layout.parts.values() if joints
    ]


@layouts
def test_joint_indices_are_a_tensor_made_once(layout: SkeletonLayout) -> None:
    indices = joint_indices(layout.parents, torch.device("cpu"))
    assert tuple(indices.tolist()) == layout.parents
    assert joint_indices(layout.parents, torch.device("cpu")) is indices
