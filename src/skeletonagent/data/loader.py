"""Clips of data sets that do not fit on the device: a shard is fetched while another is in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.placement import HostFrames, OnDiskData, stays_on_host
from skeletonagent.data.settings import AugmentSettings, ClipSettings, Placement

MEGABYTE = 2**20


class IndexedBatch(NamedTuple):
    """A batch whose turn it is.

    Args:
        sampler: Has its samples, perhaps among others; to be let go of when the turn is over.
        indices: Their positions in the sampler's store, on its device.
        host_indices: The same positions on the host.
    """

    sampler: ClipSampler
    indices: Int[Tensor, " n"]
    host_indices: Int[Tensor, " n"]


@dataclass(frozen=True)
class DeviceOptions:
    """Where frames are kept and where clips are made of them.

    Args:
        device: Where clips are made.
        storage_dtype: Number format of frames there.
        placement: Where frames are kept.
        shard_megabytes: Size of a shard, in single precision; about five times as much of the
            device's memory is taken at most, by the shard in use and by preparing the next.
    """

    device: torch.device
    storage_dtype: torch.dtype = torch.float32
    placement: Placement = Placement.AUTO
    shard_megabytes: float = 256


@dataclass(frozen=True)
class StreamingLoader:
    """Clips of frames that are brought to the device in shards.

    Never are there more than two shards: the one in use and the next, which a thread fetches.

    Args:
        host_frames: Where the frames are.
        store: What is known of all samples.
        settings: What a clip is.
        augment: How clips that are learned from are changed.
        options: Where clips are made, and how large a shard is.
    """

    host_frames: HostFrames
    store: ClipStore
    settings: ClipSettings
    augment: AugmentSettings
    options: DeviceOptions

    def iterate(self, batches: Sequence[Int[Tensor, " _"]]) -> Iterator[IndexedBatch]:
        """Yield the turn of each batch; batches that follow each other share a shard."""
        known, sizes = _concatenate(batches)
        shards = self._planned(known.split(sizes))
        if not shards:
            return
        lane = _CopyStream.to(self.options.device, max(shard.rows for shard in shards))
        with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
            coming = thread.submit(self._fetched, shards[0], lane)
            for following in [*shards[1:], None]:
                shard = coming.result()
                lane.hand_over(shard)
                # Once its second turn is asked for, nobody holds the shard before any more.
                yield shard[0]
                if following is not None:
                    coming = thread.submit(self._fetched, following, lane)
                yield from shard[1:]
                del shard

    def _planned(self, batches: Sequence[Int[Tensor, " _"]]) -> list[_Shard]:
        """Return which batches share a shard; one that is larger than a shard has its own."""
        numbers = self.store.layout.num_joints * self.store.channels
        most = int(self.options.shard_megabytes * MEGABYTE) // (4 * numbers)
        shards: list[_Shard] = []
        for batch in batches:
            rows = int((self.store.persons[batch] * self.store.lengths[batch]).sum())
            if not shards or shards[-1].rows + rows > most:
                shards.append(_Shard())
            shards[-1].batches.append(batch)
            shards[-1].rows += rows
        return shards

    def _fetched(self, shard: _Shard, lane: _CopyStream) -> list[IndexedBatch]:
        """Return the turns of a shard that is on the device by then."""
        chosen, sizes = _concatenate(shard.batches)
        members, known = chosen.unique(return_inverse=True)  # ascending, so that reading is fast
        with torch.cuda.stream(lane.stream):
            store = self.host_frames.fetch(members, self.options.device, lane.room)
            store = store.to(self.options.device, self.options.storage_dtype)
            samples = known.to(self.options.device)
        lane.wait()
        sampler = ClipSampler(
            replace(store, person_slots=self.store.max_persons), self.settings, self.augment
        )
        return [
            IndexedBatch(sampler, *positions)
            for positions in zip(samples.split(sizes), known.split(sizes), strict=True)
        ]


ClipLoader: TypeAlias = ClipSampler | StreamingLoader
"""Where clips come from: frames that are all on the device, or are brought there in shards.

Both have the ``settings`` of their clips and a ``store`` of all samples; that of the latter is on
the host and may be without frames.
"""


def build_clip_loader(
    data: SkeletonData, settings: ClipSettings, augment: AugmentSettings, place: DeviceOptions
) -> ClipLoader:
    """Return where the clips of a data set come from.

    Args:
        data: The data set, whole in memory or a :class:`OnDiskData`.
        settings: What a clip is.
        augment: How clips that are learned from are changed.
        place: Where frames are kept.
    """
    if isinstance(data, OnDiskData):
        return StreamingLoader(data.host_frames, data.store, settings, augment, place)
    store = data.store
    if stays_on_host(store, place.placement, place.device, place.storage_dtype.itemsize):
        store = store.to(store.device, place.storage_dtype)
        return StreamingLoader(
            HostFrames(store, preprocess=_unchanged), store, settings, augment, place
        )
    return ClipSampler(store.to(place.device, place.storage_dtype), settings, augment)


def iterate_batches(
    source: ClipLoader, batches: Sequence[Int[Tensor, " _"]]
) -> Iterator[IndexedBatch]:
    """Yield the turn of each batch of positions in the source's store, in order.

    Raises:
        DataError: If a sample cannot be used, naming it.
    """
    if isinstance(source, StreamingLoader):
        yield from source.iterate(batches)
        return
    known, sizes = _concatenate(batches)
    for samples in zip(known.to(source.store.device).split(sizes), known.split(sizes), strict=True):
        yield IndexedBatch(source, *samples)


def _concatenate(batches: Sequence[Int[Tensor, " _"]]) -> tuple[Int[Tensor, " n"], list[int]]:
    """Return batches as one on the host, moved there at once, and their sizes."""
    joined = torch.cat(list(batches)) if batches else torch.zeros(0, dtype=torch.long)
    return joined.cpu(), [len(batch) for batch in batches]


def _unchanged(store: ClipStore) -> ClipStore:
    return store


@dataclass
class _Shard:
    """Batches that are brought to the device together, and how many rows they have at most."""

    batches: list[Tensor] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True)
class _CopyStream:
    """The way to a device, beside what is computed there.

    Args:
        stream: Where a GPU copies and prepares; None for the CPU.
        rows: Most rows that are brought at once.
        buffers: Pinned memory for each tensor whose rows are brought, used again for each shard.
    """

    stream: torch.cuda.Stream | None
    rows: int
    buffers: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def to(cls, device: torch.device, rows: int) -> _CopyStream:
        """Return the way to a device."""
        return cls(torch.cuda.Stream(device) if device.type == "cuda" else None, rows)

    def room(self, like: Tensor, rows: int) -> Tensor:
        """Return memory on the host for rows of a tensor; on the CPU it becomes the shard's own."""
        if self.stream is None:
            return like.new_empty(rows, *like.shape[1:])
        key = like.data_ptr()
        if key not in self.buffers:
            shape = (self.rows, *like.shape[1:])
            self.buffers[key] = torch.empty(shape, dtype=like.dtype, pin_memory=True)
        return self.buffers[key][:rows]

    def wait(self) -> None:
        """Wait, in the thread that fetches, until all is there and buffers may be used again."""
        if self.stream is not None:
            self.stream.synchronize()

    def hand_over(self, turns: Sequence[IndexedBatch]) -> None:
        """Tell a GPU's memory that a shard is used by the present stream from now on."""
        if self.stream is None:
            return
        present = torch.cuda.current_stream(self.stream.device)
        store = turns[0].sampler.store
        of_store = (store.frames, store.starts, store.lengths, store.persons, store.labels)
        for tensor in (*of_store, store.image_sizes, turns[0].indices):
            if tensor is not None:
                tensor.record_stream(present)
