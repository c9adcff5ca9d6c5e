"""Files from outside: regular ones only, of a bounded size; whatever is unreadable is one error."""

from __future__ import annotations

import csv
import os
import pickle
import stat
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import yaml

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_text import printable_line

UNREADABLE = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError,
    LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    csv.Error, pickle.PickleError, struct.error, tokenize.TokenError, yaml.YAMLError,
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
)  # fmt: skip
"""Exceptions of everything that decodes a file, for a file that is not what its name says.

Decoders raise whatever they meet: a number that overflows, an index that is outside, a nesting that
is too deep. Each reader turns all of them into one DataError that names the file.
"""

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"), (stat.S_ISDIR, "a folder"),
)  # fmt: skip
_PLACEHOLDERS = (
    (b"version https://git-lfs", "it is a pointer of Git LFS and not the file: run 'git lfs pull'"),
    (b"<!doctype html", "it is a web page and not the file: download it anew, as a browser does"),
    (b"<html", "it is a web page and not the file: download it anew, as a browser does"),
)
"""How files begin that are there instead of what was to be downloaded, and what to do."""
_PROBLEM = 300


def require_file(path: Path, kind: str = "") -> None:
    """Check that a path is a file that ends, and no pipe or device, which would be waited for.

    Args:
        path: The path.
        kind: What is to be read, for the message, such as ``a layout``.

    Raises:
        DataError: If it is not, or is not there.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(error, path, kind) from error
    other = next((name for is_kind, name in _KINDS if is_kind(mode)), None)
    if other:
        raise DataError(f"is {other}, a file is wanted", path=path)


def _unreadable(error: BaseException, path: Path, kind: str) -> DataError:
    where = f"cannot be read as {kind}" if kind else "cannot be read"
    return DataError(f"{where}: {problem_line(error)}", path=path)


def read_outside_bytes(path: Path, most: int | None = None, kind: str = "") -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        most: Largest size in bytes, if it is bounded.
        kind: See :func:`require_file`.

    Raises:
        DataError: If it is no file, cannot be read, or is larger.
    """
    require_file(path, kind)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if most is not None and size > most:
                limit = f"{most >> 20} MB" if most >> 20 else f"{most} bytes"
                raise DataError(f"is larger than {limit}, the most that is read", path=path)
            return file.read()
    except UNREADABLE as error:
        raise _unreadable(error, path, kind) from error


def read_outside_text(path: Path, most: int | None = None, kind: str = "") -> str:
    """Return the text in a file that people write, in UTF-8 with or without its mark.

    Args:
        path: The file.
        most: Largest size in bytes, if it is bounded.
        kind: See :func:`require_file`.

    Raises:
        DataError: If it is no file, cannot be read, is larger, or is in another encoding.
    """
    try:
        return read_outside_bytes(path, most, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"it is no UTF-8 text (byte {error.start}); save it as UTF-8"
        raise _unreadable(ValueError(place), path, kind) from error


def problem_line(error: BaseException) -> str:
    """Return what an exception says, in one line of bounded length; its kind if it says nothing."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if len(text.split()) < 2:  # a bare value, as of a KeyError
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return printable_line(text, _PROBLEM)


def placeholder_problem(path: Path) -> str:
    """Return what lies in a file's place, and what to do, if it was not downloaded; else ``""``."""
    try:
        with path.open("rb") as file:
            start = file.read(256).lstrip().lower()
    except (OSError, ValueError):
        return ""
    return next((words for first, words in _PLACEHOLDERS if start.startswith(first)), "")


def decoding_problem(error: BaseException, path: Path) -> str:
    """Return why a file is not what its name says: what it is instead, or what the decoder says.

    Args:
        error: What the decoder raised.
        path: The file.
    """
    return placeholder_problem(path) or problem_line(error)
