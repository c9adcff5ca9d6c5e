"""Common body: one skeleton that samples of any layout are mapped into, joint by joint, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.layout import SkeletonLayout

_SIDED = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
_MIDDLE = ("middle of hips", "middle of spine", "middle of shoulders", "neck", "head", "nose")
_SIDES = tuple(f"{side} {name}" for side in ("left", "right") for name in _SIDED)
_PARENTS = {
    "middle of spine": "middle of hips", "middle of shoulders": "middle of spine",
    "neck": "middle of shoulders", "head": "neck", "nose": "head",
    "shoulder": "middle of shoulders", "elbow": "shoulder", "wrist": "elbow", "hand": "wrist",
    "hip": "middle of hips", "knee": "hip", "ankle": "knee", "foot": "ankle",
}  # fmt: skip

FEWEST_COMMON_JOINTS = 5
"""Joints that a layout must share with the common body, for a base to encode it."""


def _common_body() -> SkeletonLayout:
    joints = (*_MIDDLE, *_SIDES)
    bones = []
    for joint, name in enumerate(joints[1:], start=1):
        side, _, rest = name.partition(" ")
        parent = _PARENTS[name if name in _MIDDLE else rest]
        sided = name not in _MIDDLE and parent not in _MIDDLE
        bones.append((joint, joints.index(f"{side} {parent}" if sided else parent)))
    return SkeletonLayout("common-22", joints, tuple(bones))


COMMON_BODY = _common_body()
"""Joints that sensors, pose estimators and motion captures have in common.

They are few enough for the distances from every joint to every other one to be inputs; eyes, ears,
tips of hands and toes, which few layouts have and few actions need, are left out.
"""


def common_joints(layout: SkeletonLayout) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Return for each joint of the common body that of a layout, and those that are left out.

    Args:
        layout: Layout of samples; joints of the common body that it lacks are None.
    """
    joints = match_joints(layout, COMMON_BODY)
    taken = {joint for joint in joints if joint is not None}
    return joints, tuple(name for v, name in enumerate(layout.joints) if v not in taken)


def as_common_body(store: ClipStore) -> ClipStore:
    """Return preprocessed samples as those of the common body in 3D.

    Joints that their layout lacks are absent; joints in 2D have a depth of zero. Confidence is
    left out.

    Args:
        store: Samples.
    """
    joints, _ = common_joints(store.layout)
    coordinates = store.frames[..., : store.coordinates]
    padded: Float[Tensor, "f v 3"] = pad(coordinates, (0, 3 - store.coordinates, 0, 1))
    last = padded.shape[1] - 1
    index = torch.tensor([last if joint is None else joint for joint in joints])
    present = store.present
    return replace(
        store,
        frames=padded.index_select(1, index),
        layout=COMMON_BODY,
        has_confidence=False,
        image_sizes=None,
        present=None if present is None else pad(present, (0, 1)).index_select(1, index),
    )


def join_stores(
    stores: Sequence[ClipStore], class_names: Sequence[str], offsets: Sequence[int]
) -> ClipStore:
    """Return the samples of several stores of one layout as one store, without subjects.

    Args:
        stores: Samples, each with ids that no other store has.
        class_names: Names of the classes of all.
        offsets: Label that the first class of each store gets.
    """
    present = [store.present for store in stores if store.present is not None]
    rows = torch.tensor([0, *(len(store.frames) for store in stores)]).cumsum(0).tolist()
    return ClipStore(
        frames=torch.cat([store.frames for store in stores]),
        starts=torch.cat([s.starts + row for s, row in zip(stores, rows, strict=False)]),
        lengths=torch.cat([store.lengths for store in stores]),
        persons=torch.cat([store.persons for store in stores]),
        labels=torch.cat([s.labels + o for s, o in zip(stores, offsets, strict=True)]),
        sample_ids=tuple(name for store in stores for name in store.sample_ids),
        subjects=None,
        layout=stores[0].layout,
        class_names=tuple(class_names),
        present=torch.cat(present) if len(present) == len(stores) else None,
    )
