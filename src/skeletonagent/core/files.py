"""Atomic writing of files, which a kill leaves as the old file or the new one, and lock files."""

from __future__ import annotations

import errno
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from skeletonagent.core.errors import RunInUseError

_DRAFT = ".draft"
"""End of the names of temporary files."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing that replaces ``path`` once it is complete.

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
        os.chmod(name, user_mode(0o666))
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


def write_from(path: Path, position: int, content: bytes) -> None:
    """Write what follows a position of a file, perhaps missing, in place of all that does.

    A kill may leave the file cut within the content; what is before it is untouched.

    Raises:
        OSError: If it cannot be written; the file ends at the position then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with os.fdopen(handle, "r+b") as file:
            file.truncate(position)
            file.seek(position)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.truncate(path, position)
        raise


def user_mode(mode: int) -> int:
    """Return the permissions that the user's umask leaves of some.

    Temporary files are made for their owner alone, whatever the umask.
    """
    try:
        status = Path("/proc/self/status").read_text()  # changes nothing, unlike the call below
        mask = int(status.partition("\nUmask:")[2].split(maxsplit=1)[0], 8)
    except (OSError, ValueError, IndexError):
        mask = os.umask(0o077)
        os.umask(mask)
    return mode & ~mask


def remove_temporary_files(folder: Path) -> None:
    """Remove temporary files of killed processes below a directory that nobody writes to."""
    for draft in folder.rglob(f".*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make the names in a directory outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a directory
            raise
    finally:
        os.close(handle)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold a lock file, which names the process and its host, and remove it at the end.

    The system frees the lock however its holder ends, so a file that a killed process left behind
    is no obstacle, neither here nor on another host of a shared file system. A file system without
    locks is warned about and used.

    Raises:
        RunInUseError: If it is held by another process, or elsewhere in this one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunInUseError(
            f"{_holder(path)} is writing to {path.parent}; wait for its end, or choose another "
            "--out"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"{path.parent} cannot be locked ({error.strerror}): start nothing else that writes "
            "there",
            RuntimeWarning,
            stacklevel=3,
        )
    try:
        path.write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        path.unlink(missing_ok=True)  # while the lock is held, lest another one's file is removed
        lock.release()


def _holder(path: Path) -> str:
    """Return who holds a lock, in words."""
    try:
        return path.read_text(errors="replace") or "another process"
    except FileNotFoundError:  # its holder has just ended
        return "another process"
