"""Conversion of a data set into a skeleton archive, in little memory and resumable.

Samples are read in parts, by several processes or machines; each part is a file in
``NAME.partial``. At the end the parts are joined to the arrays of the archive, a folder that is
renamed when complete.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import SkeletonSequence, Split
from skeletonagent.core.shard import Shard
from skeletonagent.data.archive import read_arrays
from skeletonagent.data.convert.parts import ConvertedParts, PartJob, PartTask, SkippedSample
from skeletonagent.data.part_folder import PartFolder, ShareOfParts
from skeletonagent.data.part_running import RunParts, one_after_another
from skeletonagent.data.validation import check_content

SAMPLES_OF_A_PART = 1000
"""Samples of a part, which a process has in memory and which are read again after a kill."""


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
    progress: Callable[[int, int], None],
    run: RunParts = one_after_another,
    overwrite: bool = False,
    part_size: int | None = None,
) -> Conversion:
    """Write the samples of a data set as a folder archive ``out`` with ``out.json`` beside it.

    Parts that are there, of a conversion that was stopped or by :func:`convert_share`, are kept.

    Args:
        reader: Reader of the samples.
        out: Folder of the archive, whose name becomes the archive's.
        progress: Function called with the number of samples done and in all.
        run: Function that has parts written; by default, and where there is but one, this
            process does.
        overwrite: Whether an existing archive may be replaced.
        part_size: Number of samples in a part; by default that of the parts that are there.

    Raises:
        DataError: If ``out`` must not be replaced, or no archive can be made of the samples.
        ConfigError: If parts of another size are there.
        RunInUseError: If another process writes parts or the archive.
    """
    require_free_folder(out, overwrite=overwrite)
    plan = _Plan.open(reader, out, part_size)
    partial = plan.folder
    with partial.locked(None):
        paths, _ = plan.write(range(plan.count), run, progress)
        parts = ConvertedParts(paths)
        try:
            parts.check()
            splits = reader.splits(parts.ids)
            complete = _complete_splits(splits)
        except DataError:
            partial.remove()  # no later conversion can be resumed from there
            raise
        merged = partial.path / "merged"
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir()
        parts.write_arrays(merged, has_confidence=reader.has_confidence)
        metadata = json.dumps(_metadata(reader, complete, parts.skipped), indent=1)
        arrays = read_arrays(merged, "r")
        try:
            check_content(json.loads(metadata), arrays, _beside(out, ".json"), out)
        except DataError:
            partial.remove()
            raise
        _put_in_place(merged, out, metadata)
        partial.remove()
    return Conversion(
        archive=out,
        samples=len(parts.ids),
        frames=int(parts.shapes[:, 1].sum()),
        skipped=parts.skipped,
        splits={name: (len(split.train), len(split.test)) for name, split in splits.items()},
    )


def convert_share(
    reader: DatasetReader,
    out: Path,
    shard: Shard,
    *,
    progress: Callable[[int, int], None],
    run: RunParts = one_after_another,
    overwrite: bool = False,
    part_size: int | None = None,
) -> ShareOfParts:
    """Write a share of the parts of an archive, which :func:`convert_dataset` then makes.

    Args:
        reader: Reader of the samples.
        out: Folder of the archive.
        shard: The share; each is of one process at a time, and all may be at work at once.
        progress: Function called with the number of samples done and in all of the share.
        run: Function that has parts written.
        overwrite: Whether an existing archive may be replaced in the end.
        part_size: Number of samples in a part; by default that of the parts that are there.

    Raises:
        DataError: If ``out`` must not be replaced.
        ConfigError: If parts of another size are there.
        RunInUseError: If another process writes the same share.
    """
    require_free_folder(out, overwrite=overwrite)
    plan = _Plan.open(reader, out, part_size)
    numbers = shard.parts(plan.count)
    with plan.folder.locked(shard):
        _, there = plan.write(numbers, run, progress)
    return ShareOfParts(plan.folder.path, len(numbers) - there, there, plan.count)


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


@dataclass(frozen=True)
class _Plan:
    """Parts of a conversion.

    Args:
        reader: Reader of the samples.
        folder: Folder of the parts.
        size: Number of items of a part.
    """

    reader: DatasetReader
    folder: PartFolder
    size: int

    @classmethod
    def open(cls, reader: DatasetReader, out: Path, part_size: int | None) -> _Plan:
        if not reader.items:
            raise DataError(f"{reader.title}: there are no samples to convert")
        folder = PartFolder.beside(out)
        return cls(reader, folder, folder.part_size(part_size, SAMPLES_OF_A_PART))

    @property
    def count(self) -> int:
        """Number of parts."""
        return -(-len(self.reader.items) // self.size)

    def jobs(self, numbers: range) -> Iterator[PartJob]:
        """Yield parts, each with its file.

        The name of a file is a digest of all that its content depends on, so that an existing file
        has the right content.
        """
        reader = self.reader
        classes, channels = len(reader.class_names), _channels(reader)
        for number in numbers:
            first = number * self.size
            items = list(reader.items[first : first + self.size])
            pickled = pickle.dumps(
                PartTask(first, items, reader.read, reader.layout, classes, channels)
            )
            digest = sha256(pickled)
            states = [_file_state(item) for item in items]
            digest.update(repr((reader.name, reader.has_confidence, states)).encode())
            name = f"{first}-{first + len(items) - 1}-{digest.hexdigest()[:32]}.npz"
            yield PartJob(number, pickled, len(items), self.folder.path / name)

    def write(
        self, numbers: range, run: RunParts, progress: Callable[[int, int], None]
    ) -> tuple[tuple[Path, ...], int]:
        """Have parts written; return their files, and how many were there."""
        paths: list[Path] = []
        done = there = 0
        total = sum(min(self.size, len(self.reader.items) - n * self.size) for n in numbers)

        def noted() -> Iterator[PartJob]:
            nonlocal there
            for job in self.jobs(numbers):
                paths.append(job.path)
                there += job.path.is_file()
                yield job

        progress(done, total)
        for items in (run if len(numbers) > 1 else one_after_another)(noted()):
            done += items
            progress(done, total)
        return tuple(paths), there


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


def _channels(reader: DatasetReader) -> int:
    """Return the number of channels of the first readable sample, which all must have."""
    for item in reader.items[:SAMPLES_OF_A_PART]:
        with suppress(DataError):
            return int(reader.read(item).joints.shape[-1])
    return 3 + reader.has_confidence


def _file_state(item: Any) -> tuple[int, int] | None:
    """Return size and modification time of a file, None for an item that is not a file."""
    if not (isinstance(item, Path) and item.is_file()):
        return None
    status = item.stat()
    return status.st_size, status.st_mtime_ns


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
