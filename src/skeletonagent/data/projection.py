"""Projection of joints in 3D to the plane of a picture, and joints of pictures beside them.

A body stands upright in both: y points up, as pictures have it only after their y is reversed.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import CLEARLY_UPRIGHT
from skeletonagent.data.bone_lengths import mean_bone_lengths
from skeletonagent.data.orientation import OrientationAxes, has_direction
from skeletonagent.data.settings import Origin, Scale
from skeletonagent.data.stored_bodies import StoredBodies


def without_depth(values: Shaped[Tensor, "*n c"]) -> Shaped[Tensor, "*n d"]:
    """Return values of x, y and perhaps a confidence, without the depth between them."""
    return torch.cat([values[..., :2], values[..., 3:]], dim=-1)


def as_clips_show(store: ClipStore) -> ClipStore:
    """Return samples without their depth, if clips of them have none."""
    if not store.drops_depth:
        return store
    return replace(store, frames=without_depth(store.frames), drops_depth=False)


def upright_joints(bodies: StoredBodies, layout: SkeletonLayout) -> Float[Tensor, "f v d"]:
    """Return joints whose y points up, in each sample by the way from the legs to the head.

    Where that does not say it, as of bodies that lie, y is taken to point down in 2D, as in
    pictures, and up in 3D. Joints in 3D get half a turn about x, which a picture shows alike.

    Args:
        bodies: Bodies of samples.
        layout: The skeleton.
    """
    up, _ = OrientationAxes(bodies, layout, Origin.PERSON).of_bodies
    samples = len(bodies.lengths)
    known = up.new_zeros(samples).index_add(0, bodies.body_samples, has_direction(up).to(up))
    sums = up.new_zeros(samples).index_add(0, bodies.body_samples, up[:, 1])
    along = sums / known.clamp(min=1)
    points_down = along < (CLEARLY_UPRIGHT if bodies.coordinates == 2 else -CLEARLY_UPRIGHT)
    signs = bodies.joints.new_ones(bodies.coordinates)
    signs[1:] = -1
    return torch.where(
        points_down[bodies.samples][:, None, None], bodies.joints * signs, bodies.joints
    )


def scale_in_plane(bodies: StoredBodies, layout: SkeletonLayout, scale: Scale) -> StoredBodies:
    """Return bodies in 3D divided by the size that they have in x and y, sample by sample.

    Args:
        bodies: Bodies of samples, turned; joints that are absent stay so.
        layout: The skeleton.
        scale: Size that coordinates are divided by.
    """
    if scale is Scale.NONE:
        return bodies
    plane = replace(bodies, frames=without_depth(bodies.frames), coordinates=2)
    sizes = mean_bone_lengths(plane, layout) if scale is Scale.BODY else plane.rms_sizes()
    return bodies.with_joints(bodies.joints / sizes[bodies.samples][:, None, None])
