"""Files that others published, in the user's cache: kept by their digests, never taken on trust."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeAlias

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically

PublishedContent: TypeAlias = Mapping[str, tuple[str, str]]
"""Place in a published package and SHA-256 of each file, by its name in the cache."""


def user_cache_folder() -> Path:
    """Return the program's folder in the user's cache (``XDG_CACHE_HOME``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skeletonagent"


def digest_of_file(path: Path, algorithm: str) -> bytes:
    """Return the digest of a file, such as its ``sha256``."""
    with path.open("rb") as file:
        return file_digest(file, algorithm).digest()


def missing_file(folder: Path, content: PublishedContent) -> Path | None:
    """Return the first file that is not in a folder; None if all are there."""
    return next((folder / name for name in content if not (folder / name).is_file()), None)


def altered_file(folder: Path, content: PublishedContent) -> Path | None:
    """Return the first file in a folder that is not the published one; None if all are."""
    for name, (_, digest) in content.items():
        if digest_of_file(folder / name, "sha256").hex() != digest:
            return folder / name
    return None


def take_out(
    read: Callable[[str], bytes], content: PublishedContent, folder: Path, package: Path
) -> None:
    """Write the files of a package to a folder.

    Args:
        read: Function that returns what is at a place in the package.
        content: The files.
        folder: Folder for them.
        package: The package, for messages.

    Raises:
        DataError: If one is another than was published.
    """
    for name, (member, digest) in content.items():
        found = read(member)
        if sha256(found).hexdigest() != digest:
            raise DataError(f"holds another {name} than expected", path=package)
        with write_atomically(folder / name) as target:
            target.write(found)
