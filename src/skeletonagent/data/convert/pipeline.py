"""Conversion of a data set into a skeleton archive, in little memory and resumable.

Samples are read in shards, by several processes; each shard is a file in ``NAME.partial``. At the
end the shards are merged into the arrays of the archive, a folder that is renamed when complete.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import SkeletonSequence, Split
from skeletonagent.data.archive import read_arrays
from skeletonagent.data.convert.shards import Shards, ShardTask, SkippedSample, write_shard
from skeletonagent.data.validation import check_content

SHARD_SIZE = 1000
"""Samples in a shard, which a process has in memory and which are read again after a kill."""


@dataclass(frozen=True)
class DatasetReader:
    """Reader of the samples of a data set in one of its published formats.

    Args:
        name: Short name; that of the benchmark, if the data set is one.
        title: Display name.
        layout: Skeleton of the samples.
        class_names: Class names in the order of the labels.
        items: Arguments of ``read``, one for each sample in the order of the archive; picklable.
        read: Top-level, picklable function that reads a sample. It raises a DataError for a
            sample that the archive must not contain.
        splits: Function that returns the splits by name, from the ids of the samples read.
        default_split: Name of the split that is used by default.
        has_confidence: Whether the last channel of joints is the keypoint confidence.
        layout_assumed: Whether the layout rests on the number of joints alone.
        layout_given: Whether the layout was given by the user.
        identity: What it rests on that the data set was taken for the one it is named; empty where
            that was not found out.
    """

    name: str
    title: str
    layout: SkeletonLayout
    class_names: tuple[str, ...]
    items: Sequence[Any]
    read: Callable[[Any], SkeletonSequence]
    splits: Callable[[Sequence[str]], Mapping[str, Split]]
    default_split: str
    has_confidence: bool = False
    layout_assumed: bool = False
    layout_given: bool = False
    identity: str = ""


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Args:
        archive: Folder of the archive; its JSON is beside it.
        samples: Number of samples in the archive.
        frames: Number of their frames; a frame of several bodies is counted once.
        skipped: Samples that could not be read.
        splits: Numbers of training and test samples of each split; a split without either is
            listed here, but is not in the archive.
    """

    archive: Path
    samples: int
    frames: int
    skipped: tuple[SkippedSample, ...]
    splits: Mapping[str, tuple[int, int]]


def convert_dataset(
    reader: DatasetReader,
    out: Path,
    *,
    processes: int,
    progress: Callable[[int, int], None],
    overwrite: bool = False,
    shard_size: int = SHARD_SIZE,
) -> Conversion:
    """Write the samples of a data set as a folder archive ``out`` with ``out.json`` beside it.

    A conversion that was killed is resumed when it is started again.

    Args:
        reader: Reader of the samples.
        out: Folder of the archive, whose name becomes the archive's.
        processes: Number of processes that read samples; with 1, or a single shard, samples are
            read in this process.
        progress: Function called with the number of samples done and in all.
        overwrite: Whether an existing archive may be replaced.
        shard_size: Number of samples in a shard.

    Raises:
        DataError: If ``out`` must not be replaced, or no archive can be made of the samples.
    """
    require_free_folder(out, overwrite=overwrite)
    partial = _beside(out, ".partial")
    shards = _write_shards(reader, partial, shard_size, processes, progress)
    try:
        shards.check()
        splits = reader.splits(shards.ids)
        complete = _complete_splits(splits)
    except DataError:
        shutil.rmtree(partial)  # no later conversion can be resumed from there
        raise
    merged = partial / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    shards.write_arrays(merged, has_confidence=reader.has_confidence)
    metadata = json.dumps(_metadata(reader, complete, shards.skipped), indent=1)
    try:
        check_content(json.loads(metadata), read_arrays(merged, "r"), _beside(out, ".json"), out)
    except DataError:
        shutil.rmtree(partial)
        raise
    _put_in_place(merged, out, metadata)
    shutil.rmtree(partial)
    return Conversion(
        archive=out,
        samples=len(shards.ids),
        frames=int(shards.shapes[:, 1].sum()),
        skipped=shards.skipped,
        splits={name: (len(split.train), len(split.test)) for name, split in splits.items()},
    )


def require_free_folder(out: Path, *, overwrite: bool) -> None:
    """Check that a new archive may be written to a folder.

    Args:
        out: Folder of the new archive.
        overwrite: Whether an existing archive may be replaced; nothing else ever is.

    Raises:
        DataError: If the folder, or a file beside it, must not be replaced.
    """
    if out.suffix in (".npz", ".json"):
        raise DataError("the archive will be a folder; name it without a suffix", path=out)
    if out.is_file():
        raise DataError("is a file; name a folder that is not there", path=out)
    if out.is_dir() and any(out.iterdir()) and not (out / "keypoint.npy").is_file():
        raise DataError("the folder holds something else; name one that is not there", path=out)
    files = (out / "keypoint.npy", _beside(out, ".json"), _beside(out, ".npz"))
    existing = next((path for path in files if path.exists()), None)
    if existing is not None and not overwrite:
        raise DataError("there is an archive already; overwrite it or name another", path=existing)


def _complete_splits(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return the splits that have a training and a test set, or raise a DataError if none has."""
    complete = {name: split for name, split in splits.items() if split.train and split.test}
    if not complete:
        raise DataError(f"no split ({', '.join(splits)}) has samples to train and to test on")
    return complete


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)


def _put_in_place(merged: Path, out: Path, metadata: str) -> None:
    """Rename the merged folder to the archive's; write the JSON last, which completes it."""
    for suffix in (".json", ".npz"):
        _beside(out, suffix).unlink(missing_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    merged.rename(out)
    write_text(_beside(out, ".json"), metadata)


def _write_shards(
    reader: DatasetReader,
    partial: Path,
    shard_size: int,
    processes: int,
    progress: Callable[[int, int], None],
) -> Shards:
    """Read all samples into shards, except those of shards that exist already."""
    total, done = len(reader.items), 0
    if not total:
        raise DataError(f"{reader.title}: there are no samples to convert")
    partial.mkdir(parents=True, exist_ok=True)
    progress(done, total)
    paths: list[Path] = []
    jobs = _jobs(reader, partial, shard_size, paths)
    for items in _run(jobs, processes if total > shard_size else 1):
        done += items
        progress(done, total)
    return Shards(tuple(paths))


def _jobs(
    reader: DatasetReader, partial: Path, shard_size: int, paths: list[Path]
) -> Iterator[tuple[bytes, int, Path]]:
    """Yield pickled task, number of items and file of each shard; append the file to ``paths``.

    The name of a file is a digest of all that its content depends on, so that an existing file
    has the right content.
    """
    classes, channels = len(reader.class_names), _channels(reader)
    for first in range(0, len(reader.items), shard_size):
        items = list(reader.items[first : first + shard_size])
        pickled = pickle.dumps(
            ShardTask(first, items, reader.read, reader.layout, classes, channels)
        )
        digest = sha256(pickled)
        digest.update(
            repr(
                (reader.name, reader.has_confidence, [_file_state(item) for item in items])
            ).encode()
        )
        name = f"{first}-{first + len(items) - 1}-{digest.hexdigest()[:32]}.npz"
        paths.append(partial / name)
        yield pickled, len(items), paths[-1]


def _channels(reader: DatasetReader) -> int:
    """Return the number of channels of the first readable sample, which all must have."""
    for item in reader.items[:SHARD_SIZE]:
        with suppress(DataError):
            return int(reader.read(item).joints.shape[-1])
    return 3 + reader.has_confidence


def _file_state(item: Any) -> tuple[int, int] | None:
    """Return size and modification time of a file, None for an item that is not a file."""
    if not (isinstance(item, Path) and item.is_file()):
        return None
    status = item.stat()
    return status.st_size, status.st_mtime_ns


def _run(jobs: Iterator[tuple[bytes, int, Path]], processes: int) -> Iterator[int]:
    """Yield the number of items of each shard once it is written, in any order.

    At most one shard more than there are processes is pending, so that memory stays constant.
    """
    if processes <= 1:
        yield from (_write_if_missing(*job) for job in jobs)
        return
    pending: set[Future[int]] = set()
    # A fork would copy the locks of threads, which PyTorch has.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            for job in jobs:
                pending.add(pool.submit(_write_if_missing, *job))
                if len(pending) > processes:
                    ready, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ready)
            yield from (future.result() for future in pending)
        except BrokenProcessPool as error:
            raise DataError(
                "a reading process was ended, perhaps for want of memory; start again, with fewer "
                "processes: what was read is kept"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _write_if_missing(pickled: bytes, items: int, path: Path) -> int:
    if not path.is_file():
        write_shard(pickled, path)
    return items


def _metadata(
    reader: DatasetReader, splits: Mapping[str, Split], skipped: Sequence[SkippedSample]
) -> dict[str, Any]:
    """Return the content of the archive's JSON."""
    layout, default = reader.layout, reader.default_split
    pairs = {} if layout.given_pairs is None else {"pairs": layout.given_pairs}
    return pairs | {
        "name": reader.name,
        "title": reader.title,
        "class_names": reader.class_names,
        "layout": layout.name,
        "joint_names": layout.joints,
        "bones": layout.bones,
        "root_joint": layout.center,
        "default_split": default if default in splits else next(iter(splits)),
        "split": {name: {"train": s.train, "val": s.test} for name, s in splits.items()},
        "left_out": {item.sample: item.reason for item in skipped},
    }
