"""Archive that is read a few samples at a time, so that memory does not grow with its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy
from numpy.lib.format import open_memmap

from skeletonagent.core.errors import DataError
from skeletonagent.core.npz_files import read_npy_header, read_npz
from skeletonagent.core.outside_files import UNREADABLE, problem_line, require_file
from skeletonagent.data.archive import Archive, read_archive_metadata, with_archive_labels
from skeletonagent.data.validation import (
    ARRAYS,
    FRAMEWISE,
    OPTIONAL_ARRAYS,
    check_arrays,
    check_content,
    check_metadata,
    locate_archive,
)

_SKIPPED_BYTES = 1 << 20
"""Bytes that are unpacked at once on the way to later rows."""


@dataclass(frozen=True)
class ArchiveStream:
    """Samples of a skeleton archive, whose joints are read when they are asked for.

    A folder's arrays are mapped into memory for as long as a few samples are read; those of an npz
    file are unpacked from the beginning on, which is the quicker the more samples are asked for in
    their order.

    Args:
        archive: The archive; its arrays of joints have their shape alone.
    """

    archive: Archive

    @classmethod
    def open(cls, path: Path) -> ArchiveStream:
        """Return an archive, which needs no labels and no splits, after checking it.

        Args:
            path: As for :func:`~skeletonagent.data.archive.read_archive`.

        Raises:
            DataError: As :func:`~skeletonagent.data.archive.read_archive` does.
        """
        meta_path, arrays_path = locate_archive(path)
        if arrays_path.is_dir():
            archive = Archive.open(path, mode="r", require_labels=False)
            arrays = archive.arrays
            shapes = {name: _shape_of(arrays[name]) for name in FRAMEWISE if name in arrays}
            archive = replace(archive, arrays={**arrays, **shapes})
        else:
            archive = _packed_archive(meta_path, arrays_path)
        # Neither labels nor splits are of use; of a million samples they are large.
        return cls(replace(archive, content=replace(archive.content, splits={})))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.archive.content.sample_ids)

    def reader(self) -> SampleReader:
        """Return a reader of its samples."""
        if self.archive.path.is_dir():
            return SampleReader(self.archive, _MappedRows(self.archive.path))
        return SampleReader(self.archive, _PackedRows(self.archive.path))


class _MappedRows:
    """Rows of arrays in npy files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, name: str, start: int, end: int) -> Shaped[np.ndarray, "r ..."]:
        """Return some rows; pages of the file are let go with the map."""
        file = self.folder / f"{name}.npy"
        try:
            return np.array(open_memmap(file, mode="r")[start:end])
        except UNREADABLE as error:
            raise DataError(f"cannot be read: {problem_line(error)}", path=file) from error


class _PackedRows:
    """Rows of arrays in an npz file, unpacked from the beginning on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zip: ZipFile | None = None
        self.open: dict[str, tuple[IO[bytes], int]] = {}

    def rows(self, name: str, start: int, end: int) -> Shaped[np.ndarray, "r ..."]:
        """Return some rows; earlier ones than the last are found by beginning anew."""
        try:
            return self._rows(name, start, end)
        except UNREADABLE as error:
            self.open.clear()
            raise DataError(
                f"cannot be read as NumPy arrays: {problem_line(error)}", path=self.path
            ) from error

    def _rows(self, name: str, start: int, end: int) -> Shaped[np.ndarray, "r ..."]:
        if self.zip is None:
            self.zip = ZipFile(self.path)
        with self.zip.open(f"{name}.npy") as head:
            shape, dtype = read_npy_header(head)
            first = head.tell()
        row = prod(shape[1:]) * dtype.itemsize
        file, place = self.open.pop(name, (None, 0))
        wanted = first + start * row
        if file is None or place > wanted:
            file, place = self.zip.open(f"{name}.npy"), 0
        while place < wanted:
            skipped = len(file.read(min(_SKIPPED_BYTES, wanted - place)))
            if not skipped:
                raise EOFError("it is cut off")
            place += skipped
        content = file.read((end - start) * row)
        self.open[name] = file, place + len(content)
        if len(content) < (end - start) * row:
            raise EOFError("it is cut off")
        return np.frombuffer(content, dtype).reshape(end - start, *shape[1:])


@dataclass(frozen=True)
class SampleReader:
    """Reader of the samples of an archive.

    Args:
        archive: The archive; its arrays of joints have their shape alone.
        source: Where rows of the arrays of joints come from.
    """

    archive: Archive
    source: _MappedRows | _PackedRows

    def part(self, start: int, end: int) -> Archive:
        """Return an archive of the samples from ``start`` to before ``end``.

        Raises:
            DataError: If they cannot be read.
        """
        arrays, content = self.archive.arrays, self.archive.content
        offset = arrays["offset"][start : end + 1].astype(np.int64)
        first, last = int(offset[0]), int(offset[-1])
        part: dict[str, np.ndarray] = {}
        for name, array in arrays.items():
            if name == "offset":
                part[name] = offset - first
            elif name in FRAMEWISE:
                part[name] = self.source.rows(name, first, last)
            else:
                part[name] = array[start:end]
        ids = content.sample_ids[start:end]
        return Archive(replace(content, sample_ids=ids), part, self.archive.path)


def _packed_archive(meta_path: Path, path: Path) -> Archive:
    """Return the archive in an npz file, after checking all of it but its joints."""
    meta = check_metadata(read_archive_metadata(meta_path), meta_path, require_labels=False)
    small = [name for name in (*ARRAYS, *OPTIONAL_ARRAYS) if name not in FRAMEWISE]
    arrays = {**read_npz(path, small), **_packed_shapes(path)}
    check_arrays(arrays, path, require_labels=False)
    arrays = dict(with_archive_labels(arrays, meta))
    content = check_content(meta, arrays, meta_path, path, require_labels=False)
    return Archive(content, arrays, path)


def _shape_of(array: np.ndarray) -> np.ndarray:
    """Return an array of the same shape and type that takes no memory."""
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def _packed_shapes(path: Path) -> Mapping[str, np.ndarray]:
    """Return the arrays of joints in an npz file by name, of which there is the shape alone.

    Raises:
        DataError: If they cannot be read, or are not stored row by row.
    """
    require_file(path)
    found: dict[str, np.ndarray] = {}
    try:
        with ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            for name in FRAMEWISE:
                member = members.get(f"{name}.npy")
                if member is None:
                    continue
                with archive.open(member) as content:
                    shape, dtype = read_npy_header(content)
                    size = content.tell() + prod(shape) * dtype.itemsize
                if size != member.file_size:
                    raise ValueError(f"{name} says {size} bytes and has {member.file_size}")
                with archive.open(member) as content:
                    _require_row_by_row(content, name)
                found[name] = np.broadcast_to(np.zeros((), dtype), shape)
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read as NumPy arrays: {problem_line(error)}", path=path
        ) from error
    return found


def _require_row_by_row(content: IO[bytes] | BufferedIOBase, name: str) -> None:
    version = npy.read_magic(content)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, column_by_column, _ = read(content)
    if column_by_column and sum(length > 1 for length in shape) > 1:
        raise ValueError(
            f"{name} is stored column by column; save it anew with numpy.ascontiguousarray"
        )
