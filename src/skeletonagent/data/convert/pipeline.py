"""Conversion of a data set into a skeleton archive, in little memory and resumable.

Samples are read in shards, by several processes; each shard is a file in ``NAME.partial``. At the
end the shards are streamed into the arrays of the archive, a folder that is renamed when whole.
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

from skeletonagent.core.clips import SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.convert.shards import Shards, ShardTask, SkippedSample, write_shard

SHARD = 1000
"""Samples in a shard: what is lost by a kill, and what a process holds in memory."""


@dataclass(frozen=True)
class DatasetReader:
    """Where the samples of a data set come from.

    Args:
        name: Short name; a benchmark's, where it is one.
        title: Name for people.
        layout: The skeleton.
        class_names: Names in the order of the labels.
        items: What ``read`` makes a sample of each; picklable, in the archive's order.
        read: Top-level and picklable. It raises a DataError for a sample that is to be left out.
        splits: The splits, made of the ids of the samples that were read.
        default_split: Name of the split that is used unless another is asked for.
        has_confidence: Whether the last channel of joints is the detector's confidence, not a coordinate.
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


@dataclass(frozen=True)
class Conversion:
    """What a conversion came to.

    Args:
        archive: Folder of the archive; its JSON lies beside it.
        samples: Number of samples in it.
        frames: Number of their frames, those of several bodies counted once.
        skipped: Samples that could not be read.
        splits: Number of samples to train and to test on; a split that lacks either is counted
            here, but is not in the archive.
    """

    archive: Path
    samples: int
    frames: int
    skipped: tuple[SkippedSample, ...]
    splits: Mapping[str, tuple[int, int]]


def convert_dataset(
    source: DatasetReader,
    out: Path,
    *,
    processes: int,
    progress: Callable[[int, int], None],
    overwrite: bool = False,
) -> Conversion:
    """Write the samples of a source as a folder archive ``out`` with ``out.json`` beside it.

    A conversion that was killed goes on where it stopped when it is started again.

    Args:
        source: The samples.
        out: Folder of the archive; its name is the archive's.
        processes: How many processes read samples; with 1, or a single shard, this one does.
        progress: Called with the number of samples done and of all.
        overwrite: Whether an archive already there may be replaced.

    Raises:
        DataError: If something is in the way, or no archive can be made of the samples.
    """
    require_free_folder(out, overwrite=overwrite)
    partial = _beside(out, ".partial")
    shards = _write_shards(source, partial, processes, progress)
    try:
        shards.check()
        splits = source.splits(shards.ids)
        usable = _usable(splits)
    except DataError:
        shutil.rmtree(partial)  # no later conversion can go on from there
        raise
    merged = partial / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    shards.write_arrays(merged, has_confidence=source.has_confidence)
    _put_in_place(merged, out, _metadata(source, usable, shards.skipped))
    shutil.rmtree(partial)
    return Conversion(
        archive=out,
        samples=len(shards.ids),
        frames=int(shards.shapes[:, 1].sum()),
        skipped=shards.skipped,
        splits={name: (len(split.train), len(split.test)) for name, split in splits.items()},
    )


def require_free_folder(out: Path, *, overwrite: bool) -> None:
    """Raise a DataError if the place of a new archive is taken by anything that must stay."""
    if out.suffix in (".npz", ".json"):
        raise DataError("the archive will be a folder; name it without a suffix", path=out)
    if out.is_file():
        raise DataError("is a file; name a folder that is not there", path=out)
    if out.is_dir() and any(out.iterdir()) and not (out / "keypoint.npy").is_file():
        raise DataError("the folder holds something else; name one that is not there", path=out)
    there = (out / "keypoint.npy", _beside(out, ".json"), _beside(out, ".npz"))
    taken = next((path for path in there if path.exists()), None)
    if taken is not None and not overwrite:
        raise DataError("there is an archive already; overwrite it or name another", path=taken)


def _usable(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return the splits that have both parts, or raise a DataError if none has."""
    usable = {name: split for name, split in splits.items() if split.train and split.test}
    if not usable:
        raise DataError(f"no split ({', '.join(splits)}) has samples to train and to test on")
    return usable


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)


def _put_in_place(merged: Path, out: Path, facts: Mapping[str, Any]) -> None:
    """Rename the folder to the archive's; its JSON, without which it is none, comes last."""
    for suffix in (".json", ".npz"):
        _beside(out, suffix).unlink(missing_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    merged.rename(out)
    write_text(_beside(out, ".json"), json.dumps(facts, indent=1))


def _write_shards(
    source: DatasetReader, partial: Path, processes: int, progress: Callable[[int, int], None]
) -> Shards:
    total, done = len(source.items), 0
    if not total:
        raise DataError(f"{source.title}: there are no samples to convert")
    partial.mkdir(parents=True, exist_ok=True)
    progress(done, total)
    paths: list[Path] = []
    for items in _run(_jobs(source, partial, paths), processes if total > SHARD else 1):
        done += items
        progress(done, total)
    return Shards(tuple(paths))


def _jobs(
    source: DatasetReader, partial: Path, paths: list[Path]
) -> Iterator[tuple[bytes, int, Path]]:
    """Yield pickled task, number of items and file of each shard; note the file in ``paths``.

    A file is named by all that its content depends on, so that one that is there is the right one.
    """
    classes, channels = len(source.class_names), _channels(source)
    for first in range(0, len(source.items), SHARD):
        items = list(source.items[first : first + SHARD])
        pickled = pickle.dumps(
            ShardTask(first, items, source.read, source.layout, classes, channels)
        )
        digest = sha256(pickled)
        digest.update(
            repr((source.name, source.has_confidence, [_state(item) for item in items])).encode()
        )
        name = f"{first}-{first + len(items) - 1}-{digest.hexdigest()[:32]}.npz"
        paths.append(partial / name)
        yield pickled, len(items), paths[-1]


def _channels(source: DatasetReader) -> int:
    """Return C as the first sample has it that can be read, so that all shards agree."""
    for item in source.items[:SHARD]:
        with suppress(DataError):
            return int(source.read(item).joints.shape[-1])
    return 3 + source.has_confidence


def _state(item: Any) -> tuple[int, int] | None:
    """Return what changes when a file does; None for what is no file."""
    if not (isinstance(item, Path) and item.is_file()):
        return None
    facts = item.stat()
    return facts.st_size, facts.st_mtime_ns


def _run(jobs: Iterator[tuple[bytes, int, Path]], processes: int) -> Iterator[int]:
    """Yield the number of items of each shard once it is written, whichever is first.

    No more shards are under way than there are processes and one, so that memory stays constant.
    """
    if processes <= 1:
        yield from (_write_unless_there(*job) for job in jobs)
        return
    pending: set[Future[int]] = set()
    # A fork would copy threads' locks, and PyTorch has threads.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            for job in jobs:
                pending.add(pool.submit(_write_unless_there, *job))
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


def _write_unless_there(pickled: bytes, items: int, path: Path) -> int:
    if not path.is_file():
        write_shard(pickled, path)
    return items


def _metadata(
    source: DatasetReader, splits: Mapping[str, Split], left_out: Sequence[SkippedSample]
) -> dict[str, Any]:
    """Return the archive's JSON."""
    layout, default = source.layout, source.default_split
    return {
        "name": source.name,
        "title": source.title,
        "class_names": source.class_names,
        "layout": layout.name,
        "joint_names": layout.joints,
        "bones": layout.bones,
        "root_joint": layout.center,
        "default_split": default if default in splits else next(iter(splits)),
        "split": {name: {"train": s.train, "val": s.test} for name, s in splits.items()},
        "left_out": {item.sample: item.reason for item in left_out},
    }
