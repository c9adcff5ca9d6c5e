"""Preprocessing of a data set when it is loaded: added joints, scaling, centring.

Keypoint confidence is not a coordinate: it is neither shifted nor scaled.
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

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import COCO_17, COCO_20
from skeletonagent.data.archive import require_finite
from skeletonagent.data.settings import Origin, Scale

PREPROCESSING_CHUNK = 128
"""Samples preprocessed at a time: few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Preprocessor:
    """Preprocessing of samples before clips are taken from them; samples do not affect each other.

    COCO's 17 joints become 20, because clips are centred on a joint in the middle of the body.

    Args:
        scale: Size that a sample's coordinates are divided by.
        origin: Point that becomes zero when a sample is centred.
    """

    scale: Scale = Scale.NONE
    origin: Origin = Origin.PERSON

    def __call__(self, store: ClipStore) -> ClipStore:
        """Return the samples with all joints, scaled and centred, in float32.

        Raises:
            DataError: If a joint is not finite, naming the sample.
        """
        complete = add_coco20_joints(replace(store, frames=store.frames.float()))
        require_finite(complete)
        return center_store(scale_to_unit(complete, self.scale), self.origin)


def add_coco20_joints(store: ClipStore) -> ClipStore:
    """Return a COCO-17 store with the three middle joints of COCO-20; any other store unchanged.

    Middle of hips, middle of shoulders, and the thorax between them are means, also of the
    keypoint confidence. Source: spec 2.2, Kinetics_Transform.
    """
    if store.layout.joints != COCO_17.joints:
        return store
    frames, joint = store.frames, COCO_17.joints.index
    hips = (frames[:, joint("left hip")] + frames[:, joint("right hip")]) / 2
    shoulders = (frames[:, joint("left shoulder")] + frames[:, joint("right shoulder")]) / 2
    middles = torch.stack([hips, (hips + shoulders) / 2, shoulders], dim=1)
    return replace(store, frames=torch.cat([frames, middles], dim=1), layout=COCO_20)


def scale_to_unit(store: ClipStore, scale: Scale) -> ClipStore:
    """Return the store with each sample's coordinates divided by its size, before centring."""
    if scale is Scale.NONE:
        return store
    images = store.image_sizes
    if images is None:
        sizes = torch.cat([chunk.rms_sizes() for chunk in _chunks(store, PREPROCESSING_CHUNK)])
    else:
        sizes = images.amax(dim=1)
    frames = store.frames.float().clone()
    row_sizes = sizes.repeat_interleave(store.persons * store.lengths)
    frames[..., : store.coordinates] /= row_sizes[:, None, None]
    return replace(
        store, frames=frames, image_sizes=None if images is None else images / sizes[:, None]
    )


def center_store(
    store: ClipStore, origin: Origin = Origin.PERSON, chunk_size: int = PREPROCESSING_CHUNK
) -> ClipStore:
    """Return the store with each sample centred as by :func:`center_sequence`.

    Args:
        store: Samples.
        origin: Point that becomes zero.
        chunk_size: Number of samples that are centred at a time.
    """
    if origin is Origin.NONE:
        return store
    frames = torch.empty(store.frames.shape, device=store.device)
    lengths, filled = [], 0
    for chunk in _chunks(store, chunk_size):
        centred = chunk.centred(store.layout.center, origin)
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
    """Return the joints of a sample relative to its origin, without frames of nobody.

    The origin is a centre joint in the first frame with a person. Of two bodies the one present
    in more frames leads; frames without the leading body are dropped, and in the others it is the
    first body. Absent joints (zeros) stay zeros. A sample in which the leading body is never
    present is returned unchanged. Source: the NTU recipe of spec 2.2, which suits any layout.

    Args:
        joints: Joints of one sample.
        center: Index of the centre joint.
        origin: Whether the centre joint is that of the leading body or the mean of all bodies.
        coordinates: Number of leading channels that are coordinates, all if None; keypoint
            confidence is not changed.
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


def _chunks(store: ClipStore, size: int) -> Iterator[_StoredBodies]:
    """Yield the samples of a store, ``size`` at a time."""
    ends = store.starts + store.persons * store.lengths
    for first in range(0, len(store), size):
        part = slice(first, min(first + size, len(store)))
        yield _StoredBodies.of(
            frames=store.frames[int(store.starts[first]) : int(ends[part.stop - 1])].float(),
            lengths=store.lengths[part],
            persons=store.persons[part],
            coordinates=store.coordinates,
        )


@dataclass(frozen=True)
class _StoredBodies:
    """Bodies of consecutive samples of a store, with rows counted from the first of them.

    Args:
        frames: All frames of all bodies.
        present: Whether each joint is present: one of its coordinates is not zero.
        lengths: Number of frames of each sample.
        persons: Number of bodies of each sample.
        coordinates: Number of leading channels that are coordinates.
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
        """Return the bodies of frames; present joints are computed."""
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
        """Sample of each row."""
        numbers = torch.arange(len(self.lengths), device=self.lengths.device)
        return numbers.repeat_interleave(self.persons * self.lengths)

    def centred(self, center: int, origin: Origin) -> _StoredBodies:
        """Return the samples centred, see :func:`center_sequence`."""
        led = self._led_frames()
        points = pad(led._origins(center, origin), (0, self.frames.shape[-1] - self.coordinates))
        shift = led.present[..., None] * points[led.samples, None]
        return replace(led, frames=led.frames - shift)

    def _led_frames(self) -> _StoredBodies:
        """Return the frames with the leading body, as first body; all if it is never present."""
        starts, lengths = self.starts[self.samples], self.lengths[self.samples]
        offset = torch.arange(len(self.samples), device=starts.device) - starts
        body, frame = offset // lengths, offset % lengths
        visible, m = self.present.any(dim=1), max(2, int(self.persons.max()))
        counts = torch.zeros(len(self.lengths) * m, dtype=torch.long, device=starts.device)
        counts = counts.index_add(0, self.samples * m + body, visible.long()).view(-1, m)
        second_leads = self.persons.eq(2) & (counts[:, 0] < counts[:, 1])
        led_lengths = torch.where(second_leads, counts[:, 1], counts[:, 0])
        exchanged = second_leads[self.samples]
        kept = visible[starts + exchanged * lengths + frame] | led_lengths.eq(0)[self.samples]
        rows = starts + torch.where(exchanged, 1 - body, body) * lengths + frame
        return replace(
            self,
            frames=self.frames.index_select(0, rows[kept]),
            present=self.present.index_select(0, rows[kept]),
            lengths=torch.where(led_lengths.eq(0), self.lengths, led_lengths),
        )

    def _origins(self, center: int, origin: Origin) -> Float[Tensor, "s d"]:
        """Return each sample's origin in its first frame; zero if its first body is absent."""
        bodies = torch.arange(int(self.persons.max()), device=self.lengths.device)
        exists = bodies < self.persons[:, None]
        rows = self.starts[:, None] + bodies * self.lengths[:, None] * exists
        visible = exists & self.present.any(dim=1)[rows]
        counted = visible & visible[:, :1] & (bodies.eq(0) | (origin is Origin.GROUP))
        points = self.frames[rows, center, : self.coordinates]
        total = torch.zeros_like(points[:, 0])
        for body in range(points.shape[1]):  # in this order on any device
            total += torch.where(counted[:, body, None], points[:, body], 0)
        return total / counted.sum(dim=1, keepdim=True).clamp(min=1)

    def rms_sizes(self) -> Float[Tensor, " s"]:
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
        means = sums / sums[:, :1].clamp(min=1)
        spread = means[:, -1] - means[:, 1:-1].square().sum(dim=1)
        single_point = spread <= 1e-12 * means[:, -1]  # a point has no size: it is not scaled
        return torch.where(single_point, 1.0, spread.sqrt()).float()
