"""Folder of the parts of an archive that is being made, by one process or by several."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import lock_file, write_text
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.core.shard import Shard

_SIZE_NAME = "part_size"
_MOST_SIZE_BYTES = 32


@dataclass(frozen=True)
class ShareOfParts:
    """What one of several processes did for an archive.

    Args:
        folder: Folder of the parts.
        made: Parts that it made.
        done_before: Parts of its share that were there already.
        parts: Parts of the archive in all.
    """

    folder: Path
    made: int
    done_before: int
    parts: int


@dataclass(frozen=True)
class PartFolder:
    """Folder ``NAME.partial`` beside the archive ``NAME``, removed once the archive is there.

    Names of parts are digests of all that they depend on, so what is there is right, whoever wrote
    it, and a command that is repeated goes on with the parts that are missing.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def beside(cls, archive: Path) -> PartFolder:
        """Return the folder of the parts of an archive.

        Args:
            archive: Path of the archive without a suffix.
        """
        return cls(archive.with_name(f"{archive.name}.partial"))

    def part_size(self, given: int | None, usual: int) -> int:
        """Return how many samples or files are a part, and make the folder.

        Args:
            given: Number that was asked for, which the first process of several notes.
            usual: Number where none was asked for.

        Raises:
            ConfigError: If the folder holds parts of another number.
            DataError: If what is noted there is no number.
        """
        note = self.path / _SIZE_NAME
        if not note.is_file():
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(note, str(given or usual))
        text = read_outside_text(note, _MOST_SIZE_BYTES)
        if not text.isdecimal() or not int(text):
            raise DataError("is no number of samples; remove the folder", path=note)
        if given not in (None, int(text)):
            raise ConfigError(
                f"{self.path} holds parts of {int(text)}; leave --part-size out to go on with "
                "them, or remove the folder"
            )
        return int(text)

    @contextmanager
    def locked(self, shard: Shard | None) -> Iterator[None]:
        """Hold the lock of a share; without one, those of all shares that are at work.

        Raises:
            RunInUseError: If another process holds it.
        """
        with ExitStack() as stack:
            if shard is None:
                for lock in sorted(self.path.glob(".shard-*.lock")):
                    stack.enter_context(lock_file(lock))
            name = ".all.lock" if shard is None else f".shard-{shard.index}-of-{shard.count}.lock"
            stack.enter_context(lock_file(self.path / name))
            yield

    def remove(self) -> None:
        """Remove the folder with all parts."""
        shutil.rmtree(self.path)
