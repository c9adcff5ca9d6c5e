"""Batches of clips from data of any size; what does not fit on the device is loaded in shards.

While one shard is in use, a thread copies the next one to the device.
"""

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
    """Samples of a batch, by their indices in a sampler that has them on the device.

    Args:
        sampler: Sampler whose store contains the samples, and perhaps others; keep no reference
            to it after the batch, so that its memory is freed.
        indices: Positions of the samples in the sampler's store, on its device.
        host_indices: The same positions on the host.
    """

    sampler: ClipSampler
    indices: Int[Tensor, " n"]
    host_indices: Int[Tensor, " n"]


@dataclass(frozen=True)
class DeviceOptions:
    """Device on which clips are made, and placement of the frames.

    Args:
        device: Device on which clips are made.
        storage_dtype: Number format of the frames on the device.
        placement: Memory in which the frames are kept.
        shard_megabytes: Size of a shard in megabytes of float32 numbers. The device needs at most
            about five times as much memory: for the shard in use and for preprocessing the next.
    """

    device: torch.device
    storage_dtype: torch.dtype = torch.float32
    placement: Placement = Placement.AUTO
    shard_megabytes: float = 256


@dataclass(frozen=True)
class StreamingLoader:
    """Loader of clips whose frames are copied to the device in shards.

    There are never more than two shards: the one in use and the next, which a thread fetches.

    Args:
        host_frames: Frames on the host or on disk.
        store: All samples on the host, perhaps without frames.
        settings: Length, stream and test sampling of the clips.
        augment: Random augmentation of training clips.
        options: Device on which clips are made, and size of a shard.
    """

    host_frames: HostFrames
    store: ClipStore
    settings: ClipSettings
    augment: AugmentSettings
    options: DeviceOptions

    def iterate(self, batches: Sequence[Int[Tensor, " _"]]) -> Iterator[IndexedBatch]:
        """Yield the batches in order; consecutive batches share a shard.

        Args:
            batches: Positions of the samples of each batch in the loader's store.
        """
        samples, sizes = _concatenate(batches)
        shards = self._plan_shards(samples.split(sizes))
        if not shards:
            return
        stream = _CopyStream.for_device(self.options.device, max(shard.rows for shard in shards))
        with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
            pending = thread.submit(self._fetch_shard, shards[0], stream)
            for following in [*shards[1:], None]:
                indexed = pending.result()
                stream.record_use(indexed)
                # Once its second batch is asked for, nobody refers to the previous shard any more.
                yield indexed[0]
                if following is not None:
                    pending = thread.submit(self._fetch_shard, following, stream)
                yield from indexed[1:]
                del indexed

    def _plan_shards(self, batches: Sequence[Int[Tensor, " _"]]) -> list[_Shard]:
        """Return the batches by shard; a batch larger than a shard has one of its own."""
        numbers_per_row = self.store.layout.num_joints * self.store.channels
        max_rows = int(self.options.shard_megabytes * MEGABYTE) // (4 * numbers_per_row)
        shards: list[_Shard] = []
        for batch in batches:
            rows = int((self.store.persons[batch] * self.store.lengths[batch]).sum())
            if not shards or shards[-1].rows + rows > max_rows:
                shards.append(_Shard())
            shards[-1].batches.append(batch)
            shards[-1].rows += rows
        return shards

    def _fetch_shard(self, shard: _Shard, stream: _CopyStream) -> list[IndexedBatch]:
        """Return the batches of a shard after copying its frames to the device."""
        samples, sizes = _concatenate(shard.batches)
        distinct, host_indices = samples.unique(return_inverse=True)  # ascending: fast to read
        with torch.cuda.stream(stream.stream):
            store = self.host_frames.fetch(distinct, self.options.device, stream.host_buffer)
            store = store.to(self.options.device, self.options.storage_dtype)
            indices = host_indices.to(self.options.device)
        stream.synchronize()
        sampler = ClipSampler(
            replace(store, person_slots=self.store.max_persons), self.settings, self.augment
        )
        return [
            IndexedBatch(sampler, *positions)
            for positions in zip(indices.split(sizes), host_indices.split(sizes), strict=True)
        ]


ClipLoader: TypeAlias = ClipSampler | StreamingLoader
"""Loader of clips: frames are all on the device, or are copied there in shards.

Both have the ``settings`` of their clips and a ``store`` of all samples; the store of a
:class:`StreamingLoader` is on the host and may be without frames.
"""


def build_clip_loader(
    data: SkeletonData, settings: ClipSettings, augment: AugmentSettings, options: DeviceOptions
) -> ClipLoader:
    """Return a loader of a data set's clips.

    Args:
        data: Data set in the memory of the host, or an :class:`OnDiskData`.
        settings: Length, stream and test sampling of the clips.
        augment: Random augmentation of training clips.
        options: Device on which clips are made, and placement of the frames.
    """
    if isinstance(data, OnDiskData):
        return StreamingLoader(data.host_frames, data.store, settings, augment, options)
    store, dtype = data.store, options.storage_dtype
    if stays_on_host(store, options.placement, options.device, dtype.itemsize):
        store = store.to(store.device, dtype)
        frames = HostFrames(store, preprocess=_unchanged)
        return StreamingLoader(frames, store, settings, augment, options)
    return ClipSampler(store.to(options.device, dtype), settings, augment)


def iterate_batches(
    loader: ClipLoader, batches: Sequence[Int[Tensor, " _"]]
) -> Iterator[IndexedBatch]:
    """Yield batches of samples in order, each with a sampler that has them on the device.

    Args:
        loader: Loader of the clips.
        batches: Positions of the samples of each batch in the loader's store.

    Raises:
        DataError: If a sample cannot be used, naming it.
    """
    if isinstance(loader, StreamingLoader):
        yield from loader.iterate(batches)
        return
    host, sizes = _concatenate(batches)
    for samples in zip(host.to(loader.store.device).split(sizes), host.split(sizes), strict=True):
        yield IndexedBatch(loader, *samples)


def _concatenate(batches: Sequence[Int[Tensor, " _"]]) -> tuple[Int[Tensor, " n"], list[int]]:
    """Return all batches as one tensor on the host, copied there at once, and their sizes."""
    joined = torch.cat(list(batches)) if batches else torch.zeros(0, dtype=torch.long)
    return joined.cpu(), [len(batch) for batch in batches]


def _unchanged(store: ClipStore) -> ClipStore:
    return store


@dataclass
class _Shard:
    """Batches whose samples are copied to the device together.

    Args:
        batches: Positions of the samples of each batch.
        rows: Number of rows of frames of all samples, repeated ones counted each time.
    """

    batches: list[Tensor] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True)
class _CopyStream:
    """CUDA stream that copies shards while another one computes, with its pinned buffers.

    Args:
        stream: Stream that copies and preprocesses; None on the CPU.
        rows: Largest number of rows of a shard.
        buffers: Pinned memory by the address of the tensor whose rows are copied; used again for
            each shard.
    """

    stream: torch.cuda.Stream | None
    rows: int
    buffers: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def for_device(cls, device: torch.device, rows: int) -> _CopyStream:
        """Return a stream that copies to a device."""
        return cls(torch.cuda.Stream(device) if device.type == "cuda" else None, rows)

    def host_buffer(self, like: Tensor, rows: int) -> Tensor:
        """Return memory on the host for rows of a tensor.

        For a GPU it is pinned and used again for the next shard; on the CPU it is the shard's.
        """
        if self.stream is None:
            return like.new_empty(rows, *like.shape[1:])
        key = like.data_ptr()
        if key not in self.buffers:
            shape = (self.rows, *like.shape[1:])
            self.buffers[key] = torch.empty(shape, dtype=like.dtype, pin_memory=True)
        return self.buffers[key][:rows]

    def synchronize(self) -> None:
        """Wait until all copies are done, so that the buffers may be used again."""
        if self.stream is not None:
            self.stream.synchronize()

    def record_use(self, batches: Sequence[IndexedBatch]) -> None:
        """Tell the memory allocator that the current stream uses a shard from now on."""
        if self.stream is None:
            return
        current = torch.cuda.current_stream(self.stream.device)
        store = batches[0].sampler.store
        of_store = (store.frames, store.starts, store.lengths, store.persons, store.labels)
        for tensor in (*of_store, store.image_sizes, store.present, batches[0].indices):
            if tensor is not None:
                tensor.record_stream(current)
