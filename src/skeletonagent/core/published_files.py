"""Files that others published, in the user's cache: kept by their digests, never taken on trust."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeAlias

from skeletonagent.core.errors import ConfigError, DataError
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


@dataclass(frozen=True)
class PublishedPackage:
    """Package of others, some files of which are kept in the user's cache.

    Args:
        what: What the files are, for messages.
        file: Name of the package's file.
        algorithm: Algorithm of its digest.
        digest: Its digest.
        content: The files that are kept.
        command: Command that fetches them.
        opened: Function from a package to a function that returns what is at a place in it.
    """

    what: str
    file: str
    algorithm: str
    digest: bytes
    content: PublishedContent
    command: str
    opened: Callable[[Path], AbstractContextManager[Callable[[str], bytes]]]

    def find(self, folder: Path) -> tuple[Path, ...]:
        """Return the files that were fetched, in the order of the content.

        Raises:
            ConfigError: If they were not fetched yet.
            DataError: If a file is not the published one.
        """
        found = tuple(folder / name for name in self.content)
        for path in found:
            if not path.is_file():
                raise ConfigError(f"{self.what} not fetched yet ({path}); run '{self.command}'")
        for path, (_, digest) in zip(found, self.content.values(), strict=True):
            if digest_of_file(path, "sha256").hex() != digest:
                raise DataError(
                    f"is not the published file; delete it and run '{self.command}'", path=path
                )
        return found

    def fetch(
        self,
        folder: Path,
        given: Path | None,
        download: Callable[[Path], Path],
        licence: bytes | None = None,
    ) -> tuple[Path, ...]:
        """Take the files out of the package unless they are there, and return them.

        Args:
            folder: Folder for the files.
            given: Package that was downloaded already, which stays; None to download it.
            download: Function that downloads the package to a folder, and returns its path.
            licence: Licence to write beside the files, if the package does not hold it.

        Raises:
            DataError: If the package cannot be downloaded, or is not the published one.
        """
        try:
            return self.find(folder)
        except (ConfigError, DataError):
            pass  # absent or damaged: fetched below
        try:
            if given is not None:
                self._extract(given, folder)
            else:
                with tempfile.TemporaryDirectory() as downloads:
                    self._extract(download(Path(downloads)), folder)
            if licence is not None:
                with write_atomically(folder / "LICENSE") as target:
                    target.write(licence)
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}", path=folder) from error
        return self.find(folder)

    def _extract(self, package: Path, folder: Path) -> None:
        """Write the files of a package to a folder.

        Raises:
            DataError: If the package or one of the files is another than was published.
        """
        if not package.is_file():
            raise DataError("there is no such file", path=package)
        if (found := digest_of_file(package, self.algorithm)) != self.digest:
            raise DataError(
                f"is not {self.file} as it was published: its {self.algorithm} is {found.hex()}, "
                f"expected is {self.digest.hex()}",
                path=package,
            )
        with self.opened(package) as read:
            for name, (member, digest) in self.content.items():
                content = read(member)
                if sha256(content).hexdigest() != digest:
                    raise DataError(f"holds another {name} than expected", path=package)
                with write_atomically(folder / name) as target:
                    target.write(content)
