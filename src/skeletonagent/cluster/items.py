"""Sources of many samples or recordings, of which any part can be read by itself."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.archive_stream import ArchiveStream, SampleReader
from skeletonagent.data.keypoints.formats import detect_keypoint_format
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.data.keypoints.source import KeypointSource, clean_text
from skeletonagent.data.validation import is_archive


@dataclass(frozen=True)
class SourceItem:
    """Sample or recording of a source, or why there is none.

    Args:
        position: Position in the source of the sample, or of the file that it comes from.
        file: Path of the file below the source; of an archive, its name.
        name: Name of the sample or recording.
        content: The joints; None if they cannot be read.
        problem: Why they cannot be read.
        remarks: What was said while they were read.
    """

    position: int
    file: str
    name: str
    content: SkeletonSequence | KeypointRecording | None
    problem: str = ""
    remarks: tuple[str, ...] = ()


@runtime_checkable
class ItemSource(Protocol):
    """Source whose samples or files are numbered in an order that never changes."""

    @property
    def is_archive(self) -> bool:
        """Whether its samples are clips unless something else is asked for."""

    def __len__(self) -> int:
        """Return the number of samples or files."""

    def fingerprint(self) -> str:
        """Return a checksum of names and sizes, which tells whether it has changed."""

    def read(self, start: int, end: int, *, confidence: bool) -> Iterator[SourceItem]:
        """Yield what is from position ``start`` to before ``end``.

        Args:
            start: First position.
            end: Position after the last one.
            confidence: Whether samples of an archive are wanted with the keypoint confidence.
        """


@dataclass(frozen=True)
class ArchiveItems:
    """Samples of a skeleton archive.

    Args:
        stream: The archive.
    """

    stream: ArchiveStream
    is_archive: bool = True

    @cached_property
    def _reader(self) -> SampleReader:
        return self.stream.reader()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.stream)

    def fingerprint(self) -> str:
        """Return a checksum of the names and lengths of all samples."""
        archive = self.stream.archive
        digest = hashlib.sha256()
        for sample_id in archive.content.sample_ids:
            digest.update(f"{sample_id}\n".encode())
        for name in ("num_person", "total_frames"):
            digest.update(archive.arrays[name].astype("<i8").tobytes())
        digest.update(repr((archive.content.layout.joints, archive.content.fps)).encode())
        return digest.hexdigest()

    def read(self, start: int, end: int, *, confidence: bool) -> Iterator[SourceItem]:
        """Yield samples.

        Raises:
            DataError: If the archive is damaged.
        """
        part = self._reader.part(start, end)
        file = clean_text(part.path.name)
        for position, sequence in enumerate(part.sequences(confidence=confidence), start):
            yield SourceItem(position, file, sequence.sample_id, sequence)


@dataclass(frozen=True)
class FileItems:
    """Keypoint files of a folder and those below it, or a single one.

    Args:
        root: The folder, or the file.
        files: Files, and folders of files that are one frame each, in order.
    """

    root: Path
    files: tuple[Path, ...]
    is_archive: bool = False

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def fingerprint(self) -> str:
        """Return a checksum of the names and sizes of all files."""
        digest = hashlib.sha256()
        for file in self.files:
            size = 0 if file.is_dir() else file.stat().st_size
            digest.update(f"{self._name(file)}\t{size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def read(self, start: int, end: int, *, confidence: bool) -> Iterator[SourceItem]:
        """Yield the recordings of files; a file that cannot be read is an item with its problem."""
        del confidence  # recordings have theirs beside the joints
        for position in range(start, end):
            yield from self._items(position, self.files[position])

    def _items(self, position: int, file: Path) -> Iterator[SourceItem]:
        name = clean_text(self._name(file))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                recordings = read_keypoints(file)
            except DataError as error:
                yield SourceItem(position, name, clean_text(file.stem), None, str(error))
                return
        remarks = tuple(dict.fromkeys(str(warning.message) for warning in caught))
        for recording in recordings:
            yield SourceItem(position, name, recording.name, recording, remarks=remarks)

    def _name(self, file: Path) -> str:
        if file == self.root:
            return file.name
        return file.relative_to(self.root).as_posix()


def open_items(path: Path) -> ItemSource:
    """Return the source of samples or recordings at a path.

    Args:
        path: A skeleton archive, a keypoint file, or a folder of these files.

    Raises:
        DataError: If there is nothing, or an archive is damaged.
    """
    root = path.expanduser().resolve()
    if not root.exists() and not root.with_suffix(".npz").exists():
        raise DataError("no such file or folder", path=path)
    if is_archive(root):
        return ArchiveItems(ArchiveStream.open(root))
    if root.is_file() and root.suffix.lower() in (".npy", ".npz", ".pkl", ".pickle"):
        raise DataError(
            "is read as a whole, so it is predicted without --out; an archive or a folder of "
            "keypoint files is read in parts ('skeletonagent data import' makes archives)",
            path=path,
        )
    files = (root,) if root.is_file() else tuple(_files_below(root, set()))
    if not files:
        raise DataError("holds no file", path=path)
    return FileItems(root, files)


def _files_below(folder: Path, entered: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder and those below; a folder of one file a frame is one of them."""
    real = folder.resolve()
    if real in entered:
        return
    entered.add(real)
    source = KeypointSource(folder)
    detected = detect_keypoint_format(source) if source.files else None
    if detected is not None and detected.frame_suffix is not None:
        yield folder
        return
    yield from source.files
    for below in source.folders:
        yield from _files_below(below, entered)


def part_bounds(number: int, size: int, count: int) -> tuple[int, int]:
    """Return the first position of a part, and the one after its last.

    Args:
        number: Number of the part.
        size: Positions of a part.
        count: Positions in all.
    """
    return number * size, min((number + 1) * size, count)
