"""Reading and naming the files that text encoders are made of."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

from skeletonagent.core.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def digest(paths: Sequence[Path], remedy: str) -> str:
    """Return 12 hexadecimal digits that stand for what is in some files.

    Args:
        paths: The files; their order counts, their names do not.
        remedy: What to do where one cannot be read.

    Raises:
        DataError: If one cannot be read.
    """
    digests = [_digest(path, remedy) for path in paths]
    return (digests[0] if len(digests) == 1 else sha256(b"".join(digests)).digest()).hex()[:12]


def _digest(path: Path, remedy: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}; {remedy}", path=path) from error


def read_tokenizer(path: Path, remedy: str) -> Tokenizer:
    """Return the tokenizer of a ``tokenizer.json``, which neither pads nor cuts.

    Args:
        path: The file, under whatever name.
        remedy: What to do where it cannot be read.

    Raises:
        DataError: If it cannot be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises nothing more specific
        raise DataError(f"cannot be read as a tokenizer: {error}; {remedy}", path=path) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
