"""NumPy archives from outside: members by name, each as large as its header says, never pickled."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import (
    UNREADABLE,
    decoding_problem,
    problem_line,
    require_file,
)
from skeletonagent.core.outside_text import brief

MOST_MEMBERS = 10_000
"""Members of an archive; more are no arrays that anybody saved."""
MOST_EXPANSION = 50
"""Size of the arrays, in sizes of the file, up to which an archive is unpacked.

Zeros that pad recordings to one length are compressed 10 to 30 times.
"""
ALWAYS_UNPACKED = 2**30
"""Size of the arrays in bytes, up to which an archive is unpacked however small its file is."""


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return arrays of a NumPy archive by name; what is not wanted is not unpacked.

    Args:
        path: The npz file.
        names: Names of the arrays that are wanted, as far as they are there; None for all.

    Raises:
        DataError: If it is no NumPy archive, is damaged, holds objects, or would expand to much
            more than the file.
    """
    require_file(path)
    try:
        with path.open("rb") as file, ZipFile(file) as archive:
            members = _members(archive, names)
            headers = {name: _header(archive, member) for name, member in members.items()}
            _require_moderate(sum(headers.values()), path.stat().st_size)
            return {name: _array(archive, member) for name, member in members.items()}
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read as NumPy arrays: {decoding_problem(error, path)}", path=path
        ) from error


def _members(archive: ZipFile, names: Collection[str] | None) -> Mapping[str, ZipInfo]:
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise ValueError(f"it has {len(listed)} members, at most {MOST_MEMBERS} are read")
    members = [
        (member.filename.removesuffix(".npy"), member)
        for member in listed
        if member.filename.endswith(".npy")
    ]
    wanted = [(name, member) for name, member in members if names is None or name in names]
    counts = Counter(name for name, _ in wanted)
    if counts and max(counts.values()) > 1:
        raise ValueError(f"it has the array {brief(max(counts, key=counts.__getitem__))} twice")
    if not members:
        raise ValueError("it is a ZIP archive without arrays")
    return dict(wanted)


def _header(archive: ZipFile, member: ZipInfo) -> int:
    """Return the size of an array in bytes, after comparing its header with its member."""
    with archive.open(member) as content:
        shape, dtype = read_npy_header(content)
        size = prod(shape) * dtype.itemsize
        if content.tell() + size != member.file_size:
            raise ValueError(
                f"{brief(member.filename)} says {size} bytes for {brief(shape)} of {dtype}, and "
                f"has {member.file_size - content.tell()}"
            )
    return size


def is_npy(path: Path) -> bool:
    """Return whether a file begins as one with a single array does.

    Raises:
        DataError: If it cannot be read.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            return file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
    except OSError as error:
        raise DataError(f"cannot be read: {problem_line(error)}", path=path) from error


def read_npy(path: Path) -> np.ndarray:
    """Return the array in an npy file, as large as its header says, without running anything.

    Raises:
        DataError: If it is no npy file, is damaged, or holds objects.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            shape, dtype = read_npy_header(file)
            if file.tell() + prod(shape) * dtype.itemsize > path.stat().st_size:
                raise ValueError(f"it is cut off: an array {brief(shape)} of {dtype} is larger")
            file.seek(0)
            array = require_text(npy.read_array(file, allow_pickle=False))
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read as NumPy arrays: {decoding_problem(error, path)}", path=path
        ) from error
    return array


def read_npy_header(file: IO[bytes] | BufferedIOBase) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of the array in an open npy file.

    Raises:
        ValueError: If it is no npy file, or its array is of objects or structures.
    """
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"an array in version {version} of its format; save it anew")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are not run; save arrays of numbers")
    if dtype.kind not in "biufcSU":
        raise ValueError(f"an array of {brief(dtype)}; save arrays of numbers")
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of shape {brief(shape)}")
    return shape, dtype


def _require_moderate(size: int, compressed: int) -> None:
    if size > max(ALWAYS_UNPACKED, MOST_EXPANSION * compressed):
        raise ValueError(
            f"its {compressed} bytes would expand to {size}; if you trust it, save it anew without "
            "compression"
        )


def _array(archive: ZipFile, member: ZipInfo) -> np.ndarray:
    with archive.open(member) as content:
        array: np.ndarray = npy.read_array(content, allow_pickle=False)
        content.read(1)  # at the end, the checksum is compared
    return require_text(array)


def require_text(array: np.ndarray) -> np.ndarray:
    """Return an array; one of text has characters alone, which Python's own texts are made of.

    Raises:
        ValueError: If it has numbers that stand for no character.
    """
    if array.dtype.kind == "U" and array.size:
        numbers = np.ascontiguousarray(array).reshape(-1).view(f"{array.dtype.byteorder}u4")
        if int(numbers.max(initial=0)) > sys.maxunicode:
            raise ValueError("its text has numbers that stand for no character")
    return array
