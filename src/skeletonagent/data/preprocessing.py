"""What happens to joints once, on loading: more joints, a size, a centre.

Scores, the detector's confidence, are no coordinates: nothing moves or scales them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import or_

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.layout import COCO_17, COCO_20
from skeletonagent.data.archive import require_finite
from skeletonagent.data.settings import Origin, Scale

CHUNK = 128
"""Samples normalised at a time: few enough to stay in a processor's cache."""


def center_store(store: ClipStore, origin: Origin = Origin.PERSON) -> ClipStore:
    """Return the store with every sample centred, see :func:`center_sequence`."""
    if origin is Origin.NONE:
        return store
    frames = torch.empty(store.frames.shape, device=store.device)
    lengths, filled = [], 0
    for part in _chunks(store):
        centred = part.centred(store.layout.center, origin)
        frames[filled:][: len(centred.frames)] = centred.frames
        filled += len(centred.frames)
        lengths.append(centred.lengths)
    rows = store.persons * torch.cat(lengths)
    return replace(
        store,
        frames=frames[:filled],
        starts=rows.cumsum(0) - rows,
        lengths=torch.cat(lengths),
        image_sizes=None,
    )


def center_sequence(
    joints: Float[np.ndarray, "m t v c"],
    center: int,
    origin: Origin = Origin.PERSON,
    coordinates: int | None = None,
) -> Float[np.ndarray, "m s v c"]:
    """Return joints relative to the centre joint of who is there in the first frame with a person.

    Of two bodies the one seen in more frames comes first; frames without the first body are
    dropped; absent joints (zeros) stay zeros. A sample without any body is returned as it is.
    Source: the NTU recipe of spec 2.2, which serves any layout.

    Args:
        joints: One sample.
        center: The centre joint.
        origin: Whose centre joint.
        coordinates: Channels that are coordinates, all if None; scores stay as they are.
    """
    if origin is Origin.NONE:
        return joints
    m, t, _, c = joints.shape
    bodies = _StoredBodies.of(
        frames=torch.from_numpy(np.ascontiguousarray(joints)).flatten(0, 1),
        lengths=torch.tensor([t]),
        persons=torch.tensor([m]),
        coordinates=c if coordinates is None else coordinates,
    )
    centred: np.ndarray = bodies.centred(center, origin).frames.unflatten(0, (m, -1)).numpy()
    return centred


def scale_to_unit(store: ClipStore, scale: Scale) -> ClipStore:
    """Return the store with every sample brought to a size; to be done before centring."""
    if scale is Scale.NONE:
        return store
    images = store.image_sizes
    if images is None:
        sizes = torch.cat([part.extents() for part in _chunks(store)])
    else:
        sizes = images.amax(dim=1)
    frames = store.frames.float().clone()
    rows = sizes.repeat_interleave(store.persons * store.lengths)
    frames[..., : store.coordinates] /= rows[:, None, None]
    return replace(
        store, frames=frames, image_sizes=None if images is None else images / sizes[:, None]
    )


def _chunks(store: ClipStore) -> Iterator[_StoredBodies]:
    """Give the samples by the :data:`CHUNK`."""
    ends = store.starts + store.persons * store.lengths
    for first in range(0, len(store), CHUNK):
        part = slice(first, min(first + CHUNK, len(store)))
        yield _StoredBodies.of(
            frames=store.frames[int(store.starts[first]) : int(ends[part.stop - 1])].float(),
            lengths=store.lengths[part],
            persons=store.persons[part],
            coordinates=store.coordinates,
        )


@dataclass(frozen=True)
class _StoredBodies:
    """Some samples as they lie in a store, rows counted from the first of them.

    Args:
        frames: All frames of all bodies.
        present: Which joints are there: those with a coordinate that is not zero.
        lengths: Number of frames of each sample.
        persons: Number of bodies of each sample.
        coordinates: Channels that are coordinates.
    """

    frames: Float[Tensor, "f v c"]
    present: Bool[Tensor, "f v"]
    lengths: Int[Tensor, " s"]
    persons: Int[Tensor, " s"]
    coordinates: int

    @classmethod
    def of(
        cls,
        frames: Float[Tensor, "f v c"],
        lengths: Int[Tensor, " s"],
        persons: Int[Tensor, " s"],
        coordinates: int,
    ) -> _StoredBodies:
        """Return the samples of frames."""
        # Several times as fast as Tensor.any over so few channels.
        present = reduce(or_, (frames[..., channel].ne(0) for channel in range(coordinates)))
        return cls(frames, present, lengths, persons, coordinates)

    @cached_property
    def starts(self) -> Int[Tensor, " s"]:
        """Row of each sample's first frame."""
        rows = self.persons * self.lengths
        return rows.cumsum(0) - rows

    @cached_property
    def samples(self) -> Int[Tensor, " f"]:
        """The sample of each row."""
        numbers = torch.arange(len(self.lengths), device=self.lengths.device)
        return numbers.repeat_interleave(self.persons * self.lengths)

    def centred(self, center: int, origin: Origin) -> _StoredBodies:
        """Return what :func:`center_sequence` says of each sample."""
        kept = self._led()
        middle = pad(kept._middle(center, origin), (0, self.frames.shape[-1] - self.coordinates))
        shift = kept.present[..., None] * middle[kept.samples, None]
        return replace(kept, frames=kept.frames - shift)

    def _led(self) -> _StoredBodies:
        """Return the frames in which the first body is there; all of a sample where it never is."""
        starts, lengths = self.starts[self.samples], self.lengths[self.samples]
        place = torch.arange(len(self.samples), device=starts.device) - starts
        body, frame = place // lengths, place % lengths
        seen, m = self.present.any(dim=1), max(2, int(self.persons.max()))
        shown = torch.zeros(len(self.lengths) * m, dtype=torch.long, device=starts.device)
        shown = shown.index_add(0, self.samples * m + body, seen.long()).view(-1, m)
        second_leads = self.persons.eq(2) & (shown[:, 0] < shown[:, 1])
        leading = torch.where(second_leads, shown[:, 1], shown[:, 0])
        changed = second_leads[self.samples]
        stays = seen[starts + changed * lengths + frame] | leading.eq(0)[self.samples]
        rows = starts + torch.where(changed, 1 - body, body) * lengths + frame
        return replace(
            self,
            frames=self.frames.index_select(0, rows[stays]),
            present=self.present.index_select(0, rows[stays]),
            lengths=torch.where(leading.eq(0), self.lengths, leading),
        )

    def _middle(self, center: int, origin: Origin) -> Float[Tensor, "s d"]:
        """Return the mean centre joint of the first frame; zero where its first body is absent."""
        bodies = torch.arange(int(self.persons.max()), device=self.lengths.device)
        known = bodies < self.persons[:, None]
        rows = self.starts[:, None] + bodies * self.lengths[:, None] * known
        there = known & self.present.any(dim=1)[rows]
        counted = there & there[:, :1] & (bodies.eq(0) | (origin is Origin.GROUP))
        points = self.frames[rows, center, : self.coordinates]
        total = torch.zeros_like(points[:, 0])
        for body in range(points.shape[1]):  # in this order on any device
            total += torch.where(counted[:, body, None], points[:, body], 0)
        return total / counted.sum(dim=1, keepdim=True).clamp(min=1)

    def extents(self) -> Float[Tensor, " s"]:
        """Return the root mean square distance of each sample's joints from their mean."""
        joints, count = self.frames[..., : self.coordinates], self.present.sum(dim=1)
        rows = torch.cat(
            [
                count[:, None].double(),
                joints.sum(dim=1, dtype=torch.float64),
                joints.double().square().sum(dim=(1, 2))[:, None],
            ],
            dim=1,
        )
        sums = rows.new_zeros(len(self.lengths), rows.shape[1]).index_add(0, self.samples, rows)
        sums = sums / sums[:, :1].clamp(min=1)
        spread = sums[:, -1] - sums[:, 1:-1].square().sum(dim=1)
        still = spread <= 1e-12 * sums[:, -1]  # one point has no size: it stays as it is
        return torch.where(still, 1.0, spread.sqrt()).float()


def with_coco_20(data: SkeletonData) -> SkeletonData:
    """Return data of which :func:`add_coco20_joints` made the store."""
    store = add_coco20_joints(data.store)
    return data if store is data.store else replace(data, store=store)


def add_coco20_joints(store: ClipStore) -> ClipStore:
    """Return a store in COCO-17 with the three middle joints of COCO-20, any other as it is.

    Middle of hips, middle of shoulders and the thorax between both are means, of scores too.
    Source: spec 2.2, Kinetics_Transform.
    """
    if store.layout.joints != COCO_17.joints:
        return store
    frames, joint = store.frames, COCO_17.joints.index
    hips = (frames[:, joint("left hip")] + frames[:, joint("right hip")]) / 2
    shoulders = (frames[:, joint("left shoulder")] + frames[:, joint("right shoulder")]) / 2
    middles = torch.stack([hips, (hips + shoulders) / 2, shoulders], dim=1)
    return replace(store, frames=torch.cat([frames, middles], dim=1), layout=COCO_20)


@dataclass(frozen=True)
class Preprocessor:
    """What is done to samples once before clips are taken of them, each by itself.

    COCO's 17 joints become 20, since the joints in the middle of the body are what clips are
    centred on.
    """

    scale: Scale = Scale.NONE
    origin: Origin = Origin.PERSON

    def __call__(self, store: ClipStore) -> ClipStore:
        """Return the samples complete, scaled and centred, as single precision numbers.

        Raises:
            DataError: If a joint is not finite, naming the sample.
        """
        whole = add_coco20_joints(replace(store, frames=store.frames.float()))
        require_finite(whole)
        return center_store(scale_to_unit(whole, self.scale), self.origin)
