"""Streamed clips against those of frames that are all on the device; what is alive meanwhile."""

from __future__ import annotations

import threading
import weakref
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.format import open_memmap
from torch import Tensor

from skeletonagent.core.clips import Batch, ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data import loader as module
from skeletonagent.data.archive import read_archive, write_archive
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.loader import (
    ClipLoader,
    DeviceOptions,
    IndexedBatch,
    StreamingLoader,
    build_clip_loader,
    iterate_batches,
)
from skeletonagent.data.placement import HostFrames, open_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    MotionRule,
    Origin,
    Placement,
    Scale,
)

FOUR = SkeletonLayout(
    "four", ("hip", "chest", "left hand", "right hand"), ((1, 0), (2, 1), (3, 1)), center=1
)
CPU = torch.device("cpu")
ROW = 4 * 4 * 3
"""Bytes of a frame of a body of four joints in space."""
AUGMENT = AugmentSettings(rotation=0.3, mirror=0.5, crop=0.8)

seeds = st.integers(0, 9999)


def random_data(
    seed: int, samples: int = 9, layout: SkeletonLayout = FOUR, has_confidence: bool = False
) -> SkeletonData:
    """Return samples of one to three bodies, who come and go, in images of some size."""
    rng = np.random.default_rng(seed)
    sequences = []
    for index in range(samples):
        m, t = rng.integers(1, 4), rng.integers(1, 9)
        joints = rng.normal(3, 2, (m, t, layout.num_joints, 3)).astype(np.float32)
        joints *= rng.random((m, t, 1, 1)) < 0.8
        size = tuple(rng.integers(300, 900, 2).astype(float).tolist())
        sequences.append(SkeletonSequence(joints, index % 2, f"s{index}", index % 3, size))
    store = ClipStore.from_sequences(
        sequences, layout, ("one", "two"), has_confidence=has_confidence
    )
    store = store if seed % 3 else replace(store, image_sizes=None)
    ids = store.sample_ids
    return SkeletonData("toy", "Toy", store, {"main": Split(ids[:-1], ids[-1:])}, "main")


@contextmanager
def folder_of(data: SkeletonData) -> Iterator[Path]:
    """Yield a folder archive of data, unpacked as the error message about npz files says."""
    with TemporaryDirectory() as folder:
        path = write_archive(data, Path(folder))
        zipfile.main(["-e", str(path), str(path.with_suffix(""))])
        path.unlink()
        yield path.with_suffix("")


def random_batches(seed: int, samples: int, sizes: list[int]) -> list[Tensor]:
    """Return batches in any order; samples may come again, even in the same batch."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.integers(0, samples, size)) for size in sizes]


def drawn(loader: ClipLoader, batches: list[Tensor], seed: int = 0) -> list[Batch]:
    """Return the training batches of an epoch, and the test clips of the same samples."""
    generator = torch.Generator(loader.store.device).manual_seed(seed)
    given = []
    for sampler, samples, on_host in iterate_batches(loader, batches):
        assert torch.equal(samples.cpu(), on_host)
        given.append(sampler.train_batch(samples, generator))
        given += sampler.test_batches(samples, 2)
    return given


def assert_equal(ours: list[Batch], theirs: list[Batch]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.clips, other.clips)


some_sizes = st.lists(st.integers(1, 5), min_size=1, max_size=6)
few_megabytes = st.sampled_from([0.0, 50 * ROW / 2**20, 120 * ROW / 2**20, 1.0])


@settings(max_examples=40)
@given(
    seed=seeds,
    sizes=some_sizes,
    megabytes=few_megabytes,
    stream=st.sampled_from(list(Stream)),
    motion=st.sampled_from(list(MotionRule)),
    scale=st.sampled_from(list(Scale)),
    origin=st.sampled_from(list(Origin)),
    has_confidence=st.booleans(),
    storage=st.sampled_from([torch.float32, torch.float16]),
    placement=st.sampled_from([Placement.HOST, Placement.DISK]),
)
def test_streamed_batches_equal_those_of_data_on_the_device_bit_for_bit(
    seed: int,
    sizes: list[int],
    megabytes: float,
    stream: Stream,
    motion: MotionRule,
    scale: Scale,
    origin: Origin,
    has_confidence: bool,
    storage: torch.dtype,
    placement: Placement,
) -> None:
    prepare, clips = Preprocessor(scale, origin), ClipSettings(5, stream, 2, motion_rule=motion)
    layout = COCO_17 if seed % 5 == 0 else FOUR
    kept = DeviceOptions(CPU, storage, placement, megabytes)
    batches = random_batches(seed, 9, sizes)
    with folder_of(random_data(seed, layout=layout, has_confidence=has_confidence)) as path:
        data = read_archive(path, has_confidence)
        whole = replace(data, store=prepare(data.store))
        opened = (
            open_on_disk(path, has_confidence, prepare) if placement is Placement.DISK else whole
        )
        ours = build_clip_loader(opened, clips, AUGMENT, kept)
        theirs = build_clip_loader(
            whole, clips, AUGMENT, DeviceOptions(CPU, storage, Placement.DEVICE)
        )
        assert isinstance(ours, StreamingLoader) and isinstance(theirs, ClipSampler)
        assert_equal(drawn(ours, batches, seed), drawn(theirs, batches, seed))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("has_confidence", [False, True])
def test_streamed_batches_are_right_on_a_busy_gpu(has_confidence: bool) -> None:
    device = torch.device("cuda")
    batches = random_batches(0, 200, [20] * 60)
    prepare, clips = Preprocessor(Scale.IMAGE), ClipSettings(20, Stream.BONE_MOTION, 2)
    with folder_of(random_data(1, samples=200, has_confidence=has_confidence)) as path:
        data = read_archive(path, has_confidence)
        whole = replace(data, store=prepare(replace(data.store).to(device, torch.float32)))
        resident = build_clip_loader(
            whole, clips, AUGMENT, DeviceOptions(device, placement=Placement.DEVICE)
        )
        expected = drawn(resident, batches)
        kept = DeviceOptions(device, shard_megabytes=0.05)
        loader = build_clip_loader(
            open_on_disk(path, has_confidence, prepare), clips, AUGMENT, kept
        )
        load = torch.randn(3000, 3000, device=device)
        generator, given = torch.Generator(device).manual_seed(0), []
        for sampler, samples, _ in iterate_batches(loader, batches):
            load = (load @ load).tanh()  # what is asked for below is done long after
            given.append(sampler.train_batch(samples, generator))
            given += sampler.test_batches(samples, 2)
        for one, other in zip(given, expected, strict=True):
            torch.testing.assert_close(one.clips, other.clips)


def streamed(
    data: SkeletonData, rows: int, prepare: Callable[[ClipStore], ClipStore] = lambda s: s
) -> StreamingLoader:
    """Return a loader whose shards have at most as many rows."""
    options = DeviceOptions(CPU, shard_megabytes=rows * ROW / 2**20)
    host_frames = HostFrames(data.store, prepare)
    return StreamingLoader(
        host_frames, data.store, ClipSettings(5, test_clips=2), AugmentSettings(), options
    )


def even_data(samples: int, frames: int = 10) -> SkeletonData:
    """Return samples of one body and equally many frames, each frame numbered by its sample."""
    joints = np.ones((1, frames, 4, 3), dtype=np.float32)
    sequences = [SkeletonSequence(joints * (i + 1), 0, f"s{i}") for i in range(samples)]
    return SkeletonData("even", "", ClipStore.from_sequences(sequences, FOUR, ("one",)), {}, "")


@given(seed=seeds, sizes=some_sizes, rows=st.integers(0, 200))
def test_iterate_batches_keeps_order_and_samples(seed: int, sizes: list[int], rows: int) -> None:
    data = random_data(seed)
    batches = random_batches(seed, 9, sizes)
    for loader in (
        streamed(data, rows),
        ClipSampler(data.store, ClipSettings(), AugmentSettings()),
    ):
        indexed = list(iterate_batches(loader, batches))
        named = [
            [batch.sampler.store.sample_ids[i] for i in batch.host_indices] for batch in indexed
        ]
        assert named == [[f"s{i}" for i in batch.tolist()] for batch in batches]
        assert all(batch.sampler.settings == loader.settings for batch in indexed)
        assert all(batch.sampler.store.max_persons == data.store.max_persons for batch in indexed)


@pytest.mark.parametrize(
    ("rows", "shards"),
    [
        (0, [[0], [1], [2], [3], [4]]),
        (59, [[0], [1], [2], [3], [4]]),
        (60, [[0, 1], [2, 3], [4]]),
        (149, [[0, 1, 2, 3], [4]]),
        (150, [[0, 1, 2, 3, 4]]),
    ],
)
def test_batches_share_a_shard_up_to_its_size(rows: int, shards: list[list[int]]) -> None:
    loader = streamed(even_data(15), rows)
    indexed = list(iterate_batches(loader, list(torch.arange(15).split(3))))  # 30 rows each
    stores = [batch.sampler.store for batch in indexed]
    together = [[n for n, store in enumerate(stores) if store is one] for one in stores]
    assert [group for n, group in enumerate(together) if group[0] == n] == shards
    assert all(len(store.frames) == 10 * len(store) for store in stores)


def test_a_repeated_sample_of_a_shard_is_fetched_once() -> None:
    batches = [torch.tensor([4, 1, 4]), torch.tensor([1, 0])]
    first, second = streamed(even_data(5), 1000).iterate(batches)
    assert first.sampler is second.sampler
    assert first.sampler.store.sample_ids == ("s0", "s1", "s4")
    assert (first.host_indices.tolist(), second.host_indices.tolist()) == ([2, 1, 2], [1, 0])


def test_without_batches_nothing_is_fetched() -> None:
    data = even_data(3)
    assert list(streamed(data, 10).iterate([])) == []
    assert (
        list(iterate_batches(ClipSampler(data.store, ClipSettings(), AugmentSettings()), [])) == []
    )


class Hasty(Executor):
    """A thread that has always finished at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Start nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_there_are_never_more_than_two_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ThreadPoolExecutor", Hasty)
    samples, frames = 1000, 30
    folder = sparse_archive(tmp_path, samples, frames)
    most = 50 * frames * ROW
    stored = open_on_disk(folder, False, Preprocessor(origin=Origin.NONE))
    brought: list[weakref.ref[Tensor]] = []
    alive: list[int] = []
    sizes: list[int] = []

    def watched(part: ClipStore) -> ClipStore:
        brought.append(weakref.ref(part.frames))
        alive.append(sum(one() is not None for one in brought))
        sizes.append(part.frames.nbytes)
        return stored.host_frames.preprocess(part)

    options = DeviceOptions(CPU, shard_megabytes=most / 2**20)
    host_frames = replace(stored.host_frames, preprocess=watched)
    loader = StreamingLoader(host_frames, stored.store, ClipSettings(5), AugmentSettings(), options)
    for _, (sampler, _, _) in enumerate(iterate_batches(loader, torch.randperm(samples).split(8))):
        assert sampler.store.frames is brought[-1]() or sampler.store.frames is brought[-2]()
    assert len(alive) == 21  # six batches of eight samples in a shard
    assert max(alive) == 2
    assert max(sizes) <= most
    assert sum(sizes) == samples * frames * ROW


def sparse_archive(parent: Path, samples: int, frames: int) -> Path:
    """Write a folder archive of bodies that are never seen, which takes no room on disk."""
    folder = parent / "sparse"
    folder.mkdir()
    open_memmap(folder / "keypoint.npy", "w+", np.float32, (samples * frames, 4, 3)).flush()
    arrays = {
        "offset": np.arange(samples + 1) * frames,
        "num_person": np.ones(samples, np.int16),
        "total_frames": np.full(samples, frames, np.int32),
        "label": np.zeros(samples, np.int16),
        "frame_dir": np.array([f"s{i}" for i in range(samples)]),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (parent / "sparse.json").write_text(
        '{"class_names": ["one"], "joint_names": ["a", "b", "c", "d"], '
        '"bones": [[1, 0], [2, 1], [3, 1]], '
        '"split": {"main": {"train": ["s0"], "val": ["s1"]}}}'
    )
    return folder


def test_the_next_shard_is_fetched_while_the_present_one_is_in_use() -> None:
    fetched = [threading.Event() for _ in range(3)]
    number = iter(fetched)

    def noted(part: ClipStore) -> ClipStore:
        next(number).set()
        return part

    indexed = streamed(even_data(9), 30, noted).iterate(list(torch.arange(9).split(1)))
    assert next(indexed).host_indices.tolist() == [0]
    assert not fetched[1].is_set()  # whoever asked may still hold the shard before
    next(indexed)
    assert fetched[1].wait(20)
    assert not fetched[2].is_set()


def nan_in(data: SkeletonData, sample: int) -> SkeletonData:
    frames = data.store.frames.clone()
    frames[int(data.store.starts[sample])] = torch.nan
    return replace(data, store=replace(data.store, frames=frames))


def test_an_unusable_sample_is_named_when_its_shard_is_needed() -> None:
    indexed = streamed(nan_in(even_data(9), 7), 30, Preprocessor()).iterate(
        list(torch.arange(9).split(1))
    )
    good: list[IndexedBatch] = []
    with pytest.raises(DataError, match="NaN") as raised:
        good.extend(indexed)
    assert raised.value.sample == "s7"
    assert len(good) == 6  # of the shards before
    assert not prefetching()


def test_a_file_that_cannot_be_read_any_more_is_an_error() -> None:
    def unreadable(part: ClipStore) -> ClipStore:
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="on fire"):
        next(streamed(even_data(3), 10, unreadable).iterate([torch.arange(3)]))


def prefetching() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("prefetch")]


def test_stopping_early_ends_the_thread() -> None:
    indexed = streamed(even_data(9), 30).iterate(list(torch.arange(9).split(1)))
    for _ in range(2):
        next(indexed)
    assert prefetching()
    del indexed
    assert not prefetching()


def test_the_last_batch_ends_the_thread() -> None:
    list(streamed(even_data(9), 30).iterate(list(torch.arange(9).split(1))))
    assert not prefetching()


@pytest.mark.parametrize(
    ("placement", "kind"),
    [
        (Placement.AUTO, ClipSampler),
        (Placement.DEVICE, ClipSampler),
        (Placement.HOST, StreamingLoader),
        (Placement.DISK, StreamingLoader),
    ],
)
def test_frames_in_memory_stay_there_if_asked(placement: Placement, kind: type) -> None:
    options = DeviceOptions(CPU, torch.float16, placement)
    loader = build_clip_loader(even_data(4), ClipSettings(), AugmentSettings(), options)
    assert isinstance(loader, kind)
    (batch,) = iterate_batches(loader, [torch.arange(4)])
    assert batch.sampler.store.frames.dtype == torch.float16
