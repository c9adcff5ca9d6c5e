"""What happens to joints between the archive and the recognizer.

Normalising is done once, on loading. Augmentation is one random linear map per clip, so it
commutes with taking differences over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream


@dataclass(frozen=True)
class Augment:
    """Random changes of training clips.

    Args:
        rotation: Largest angle about each axis, in radians.
        scale: Largest relative change of size.
        mirror: Probability of the left-right mirror image; 0 where classes name a side.
        crop: Smallest share of a clip's frames that is kept; 1 keeps them all.
    """

    rotation: Annotated[float, Interval(ge=0, le=3.15)] = 0.2
    scale: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    mirror: Annotated[float, Interval(ge=0, le=1)] = 0.0
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0


class Origin(StrEnum):
    """Where a sample is centred, in the first frame with a person.

    ``person``: on the first person (the NTU recipe, spec 2.2). ``group``: midway between all who
    are there, so that each body's own track tells on which side of the others it is, which a
    recognizer that looks at one body at a time could not know. For one person both are the same.
    """

    PERSON = "person"
    GROUP = "group"


def normalise(store: ClipStore, origin: Origin = Origin.PERSON) -> ClipStore:
    """Return the store with every sample centred, see :func:`center_sequence`."""
    sequences = [store.sequence(index) for index in range(len(store))]
    centred = [
        replace(sequence, joints=center_sequence(sequence.joints, store.layout.center, origin))
        for sequence in sequences
    ]
    return ClipStore.from_sequences(centred, store.layout, store.class_names)


def center_sequence(
    joints: Float[np.ndarray, "m t v c"], center: int, origin: Origin = Origin.PERSON
) -> Float[np.ndarray, "m s v c"]:
    """Return joints relative to the centre joint of who is there in the first frame with a person.

    Of two bodies the one seen in more frames comes first; frames without the first body are
    dropped; absent joints (zeros) stay zeros. A sample without any body is returned as it is.
    Source: the NTU recipe of spec 2.2, which serves any layout.
    """
    if not joints.any():
        return joints
    seen = np.asarray(joints.any(axis=(2, 3)))  # M T
    if len(joints) == 2 and seen[0].sum() < seen[1].sum():
        joints, seen = joints[::-1], seen[::-1]
    if not seen[0].any():
        return joints
    kept = joints[:, seen[0]]
    present = (kept != 0).any(axis=-1, keepdims=True)
    counted = seen[:, seen[0]][:, 0] if origin is Origin.GROUP else np.arange(len(kept)) == 0
    middle = kept[counted, 0, center].mean(axis=0)
    return np.where(present, kept - middle, 0).astype(joints.dtype)


def bones(
    joints: Float[Tensor, "n m t v c"], layout: SkeletonLayout, stream: Stream
) -> Float[Tensor, "n m t v c"]:
    """Return joints minus their parents (bone) or grandparents (k-bone), or as they are (joint)."""
    partners: Sequence[int]
    match stream.base:
        case Stream.BONE:
            partners = layout.parents
        case Stream.KBONE:
            partners = layout.grandparents
        case _:
            return joints
    return joints - joints[..., list(partners), :]


def rotation_matrices(angles: Float[Tensor, "n a"]) -> Float[Tensor, "n c c"]:
    """Return ``Rz Ry Rx`` for three angles a row, the plane's rotation for one.

    Source: spec 2.2, RandomRot.
    """
    if angles.shape[1] == 1:
        cos, sin = angles[:, 0].cos(), angles[:, 0].sin()
        return torch.stack([cos, sin, -sin, cos], dim=-1).reshape(-1, 2, 2)
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    one, zero = torch.ones_like(cx), torch.zeros_like(cx)
    rx = torch.stack([one, zero, zero, zero, cx, sx, zero, -sx, cx], dim=-1).reshape(-1, 3, 3)
    ry = torch.stack([cy, zero, -sy, zero, one, zero, sy, zero, cy], dim=-1).reshape(-1, 3, 3)
    rz = torch.stack([cz, sz, zero, -sz, cz, zero, zero, zero, one], dim=-1).reshape(-1, 3, 3)
    return rz @ ry @ rx


def mirrored(
    clips: Float[Tensor, "n m t v c"], layout: SkeletonLayout
) -> Float[Tensor, "n m t v c"]:
    """Return the mirror image: left and right joints change places and x changes sign."""
    flipped = clips[..., list(layout.mirror), :].clone()
    flipped[..., 0] *= -1
    return flipped


def augmented(
    clips: Float[Tensor, "n m t v c"],
    layout: SkeletonLayout,
    augment: Augment,
    generator: torch.Generator,
) -> Float[Tensor, "n m t v c"]:
    """Return each clip turned, scaled and perhaps mirrored at random, joints or differences."""
    n, c = clips.shape[0], clips.shape[-1]
    random = torch.rand(n, 5, generator=generator, device=clips.device)
    if augment.mirror:
        flip = random[:, 0] < augment.mirror
        clips = torch.where(flip[:, None, None, None, None], mirrored(clips, layout), clips)
    if not (augment.rotation or augment.scale):
        return clips
    signed = 2 * random[:, 1:] - 1
    turn = rotation_matrices(augment.rotation * signed[:, : 3 if c == 3 else 1])
    size = 1 + augment.scale * signed[:, 3]
    return (clips.flatten(1, 3) @ (turn * size[:, None, None]).mT).view_as(clips)
