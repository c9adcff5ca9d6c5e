"""Bone lengths of stored bodies, also where joints are absent."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends, unseen_bone_sources
from skeletonagent.data.stored_bodies import StoredBodies


def mean_bone_lengths(bodies: StoredBodies, layout: SkeletonLayout) -> Float[Tensor, " s"]:
    """Return the mean bone length of each sample's bodies; 1 if none is known.

    A bone that is never seen counts as long as that of the other side, and one of two that
    meet in a joint that is never seen as half of the way between their other ends.
    """
    child, parent = bone_ends(layout)
    both = bodies.present[:, child] & bodies.present[:, parent]
    spans = bodies.joints[:, child] - bodies.joints[:, parent]
    lengths, known = bodies.body_means(spans.double().square().sum(dim=-1).sqrt(), both)
    if not bool(known.all()):
        lengths, known = _with_unseen_bones(bodies, lengths, known, layout)
    means = lengths.sum(dim=1) / known.sum(dim=1).clamp(min=1)
    pairs = torch.stack([means, (means > 0).double()], dim=1)
    sums = pairs.new_zeros(len(bodies.lengths), 2).index_add(0, bodies.body_samples, pairs)
    return torch.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1].clamp(min=1), 1.0).float()


def _with_unseen_bones(
    bodies: StoredBodies,
    lengths: Float[Tensor, "b e"],
    known: Bool[Tensor, "b e"],
    layout: SkeletonLayout,
) -> tuple[Float[Tensor, "b e"], Bool[Tensor, "b e"]]:
    """Return lengths of bones with those of bones that are never seen."""
    child, parent = bone_ends(layout)
    other, far_child, far_parent = unseen_bone_sources(layout)
    mirrored = ~known & known[:, other]
    lengths, known = torch.where(mirrored, lengths[:, other], lengths), known | mirrored
    ever = bodies.body_sums(bodies.present) > 0
    for one, two, missing in ((far_child, parent, child), (child, far_parent, parent)):
        both = bodies.present[:, one] & bodies.present[:, two]
        spans = bodies.joints[:, one] - bodies.joints[:, two]
        ways, seen = bodies.body_means(spans.double().square().sum(dim=-1).sqrt(), both)
        halved = ~known & seen & ~ever[:, missing] & (ways > 0)
        lengths, known = torch.where(halved, ways / 2, lengths), known | halved
    return lengths, known
