"""HDF5 files, opened with h5py of the extra ``keypoints``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import UNREADABLE
from skeletonagent.data.keypoints.source import KeypointSource, clean_text

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_MOST_EXPANSION = 50
"""Size of a dataset, in sizes of the file, up to which it is read."""
_ALWAYS_READ = 2**30
"""Size of a dataset in bytes, up to which it is read however small the file is."""


@contextmanager
def open_hdf5(source: KeypointSource) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises:
        ConfigError: If h5py is not installed.
        DataError: If the file is damaged, or lacks what is read from it.
    """
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            f"{source.path}: HDF5 files need h5py; pip install 'skeletonagent[keypoints]'"
        ) from error
    try:
        with h5py.File(source.path, "r") as file:
            _require_moderate(file, source.path.stat().st_size)
            yield file
    except UNREADABLE as error:
        problem = clean_text(f"{type(error).__name__}: {error}")
        raise DataError(f"is a damaged HDF5 file: {problem}", path=source.path) from error


def _require_moderate(file: Any, size: int) -> None:
    """Check that no dataset is much larger than the file, as one that was never filled may be."""
    most = max(_ALWAYS_READ, _MOST_EXPANSION * size)

    def look(name: str, item: Any) -> None:
        if getattr(item, "nbytes", 0) > most:
            raise ValueError(f"the dataset {clean_text(name)} has {item.nbytes} bytes")

    file.visititems(look)


def is_hdf5(source: KeypointSource) -> bool:
    """Return whether a file is an HDF5 file."""
    return source.head.startswith(HDF5_MAGIC)


def texts(dataset: Any) -> tuple[str, ...]:
    """Return a dataset of texts, such as names, in one line each."""
    return tuple(
        clean_text(each.decode("utf-8", errors="replace") if isinstance(each, bytes) else each)
        for each in dataset[()].ravel().tolist()
    )
