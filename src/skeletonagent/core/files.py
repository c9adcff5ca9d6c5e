"""Writing files so that a kill at any moment leaves either the old file or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from skeletonagent.core.errors import RunInUseError

_DRAFT = ".draft"
"""End of the names of files that are being written."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing that takes the place of ``path`` once written whole.

    Raises:
        OSError: Naming the file, if it cannot be written; an old one stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_DRAFT)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
        sync_directory(path.parent)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk names no file
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with write_atomically(path) as file:
        file.write(text.encode())


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed processes were writing below a directory that nobody writes to now."""
    for draft in folder.rglob(f".*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make the names in a directory outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems keep no directory back
            raise
    finally:
        os.close(handle)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold a lock file, which names the process and its host, and remove it at the end.

    The system frees the lock however its holder ends, so a file that a killed process left behind
    is no obstacle, neither here nor on another host of a shared file system.

    Raises:
        BusyError: If it is held by another process, or elsewhere in this one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        _lock(file, path)
        if _lies_at(path, file):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
    with lock_file(path):
        yield


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().decode(errors="replace") or "another process"
        raise RunInUseError(
            f"{holder} is writing to {path.parent}; wait for its end, or choose another --out"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"{path.parent} cannot be locked ({error.strerror}): start nothing else that writes "
            "there",
            RuntimeWarning,
            stacklevel=4,
        )


def _lies_at(path: Path, file: IO[bytes]) -> bool:
    """Return whether an opened file still has its name, which its last holder may have removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
