"""Size of the bodies of one sample in NumPy, also where joints are absent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends, unseen_bone_sources
from skeletonagent.runtime.body_arrays import BodyArrays, frame_means


def mean_bone_size(bodies: BodyArrays, layout: SkeletonLayout) -> float:
    """Return the mean bone length of the bodies of a sample; 1 if none is known.

    A bone that is never seen counts as long as that of the other side, and one of two that
    meet in a joint that is never seen as half of the way between their other ends.
    """
    child, parent = bone_ends(layout)
    lengths, known = mean_distances(bodies, child, parent)
    if not known.all():
        lengths, known = _with_unseen_bones(bodies, lengths, known, layout)
    means = lengths.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    of_bodies = means[means > 0]
    return float(np.float32(of_bodies.mean())) if len(of_bodies) else 1.0


def mean_distances(
    bodies: BodyArrays, one: Sequence[int], other: Sequence[int]
) -> tuple[Float[np.ndarray, "m e"], Bool[np.ndarray, "m e"]]:
    """Return the mean distance of pairs of joints, and whether they are ever seen together."""
    both = bodies.present[..., one] & bodies.present[..., other]
    spans = (bodies.joints[..., one, :] - bodies.joints[..., other, :]).astype(np.float64)
    return frame_means(np.sqrt(np.square(spans).sum(axis=-1)), both)


def _with_unseen_bones(
    bodies: BodyArrays,
    lengths: Float[np.ndarray, "m e"],
    known: Bool[np.ndarray, "m e"],
    layout: SkeletonLayout,
) -> tuple[Float[np.ndarray, "m e"], Bool[np.ndarray, "m e"]]:
    """Return lengths of bones with those of bones that are never seen."""
    child, parent = bone_ends(layout)
    other, far_child, far_parent = unseen_bone_sources(layout)
    mirrored = ~known & known[:, other]
    lengths, known = np.where(mirrored, lengths[:, other], lengths), known | mirrored
    ever = np.any(bodies.present, axis=1)
    for one, two, missing in ((far_child, parent, child), (child, far_parent, parent)):
        ways, seen = mean_distances(bodies, one, two)
        halved = ~known & seen & ~ever[:, missing] & (ways > 0)
        lengths, known = np.where(halved, ways / 2, lengths), known | halved
    return lengths, known


def rms_size(bodies: BodyArrays) -> float:
    """Return the root mean square distance of all joints of a sample from their mean."""
    joints = bodies.joints.astype(np.float64)
    count = max(int(bodies.present.sum()), 1)
    square = float(np.square(joints).sum()) / count
    spread = square - float(np.square(joints.sum(axis=(0, 1, 2)) / count).sum())
    single_point = spread <= 1e-12 * square  # a point has no size: it is not scaled
    return 1.0 if single_point else float(np.float32(np.sqrt(spread)))
