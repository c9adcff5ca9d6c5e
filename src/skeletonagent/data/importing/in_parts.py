"""Import of many files in parts, which several processes or machines read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.shard import Shard
from skeletonagent.data.importing.imported import ImportedData, write_imported
from skeletonagent.data.importing.kept_arrays import ArraysInFiles
from skeletonagent.data.importing.pipeline import ImportOptions, imported_data
from skeletonagent.data.keypoints.folder_walk import FolderWalk
from skeletonagent.data.keypoints.read_parts import ReadingPart, outcomes_of_parts
from skeletonagent.data.keypoints.reading import folder_walk, recordings_of_walk
from skeletonagent.data.layout_files import find_layout
from skeletonagent.data.part_folder import PartFolder, ShareOfParts
from skeletonagent.data.part_running import RunParts, one_after_another

FILES_READ_TOGETHER = 256
"""Files of a part, which a process has in memory and which are read again after a kill."""


@dataclass(frozen=True)
class ImportInParts:
    """Folder of keypoint files that is read in parts.

    Args:
        source: The folder.
        options: Options of the import.
        folder: Folder of the parts.
        progress: Function called with the number of files done and in all.
        run: Function that has parts read.
        part_size: Files of a part; by default as many as the parts that are there have.
    """

    source: Path
    options: ImportOptions
    folder: PartFolder
    progress: Callable[[int, int], None]
    run: RunParts = one_after_another
    part_size: int | None = None

    def read_share(self, shard: Shard) -> ShareOfParts:
        """Read a share of the parts.

        Raises:
            ConfigError: If the source is no folder, or parts of another size are there.
            DataError: If it cannot be read.
            RunInUseError: If another process reads the same share.
        """
        parts = self._parts
        mine = [parts[number] for number in shard.parts(len(parts))]
        there = sum(part.path.is_file() for part in mine)
        with self.folder.locked(shard):
            self._write(mine)
        return ShareOfParts(self.folder.path, len(mine) - there, there, len(parts))

    def write_archive(self, target: Path, named: Path) -> ImportedData:
        """Write the archive of all parts, which are read where they are missing.

        Memory does not grow with the files; that of names and lengths does.

        Args:
            target: Path of the archive's npz.
            named: Source as the archive names it.

        Raises:
            ConfigError: If the source is no folder, or parts of another size are there.
            DataError: As :func:`~skeletonagent.data.importing.pipeline.import_recordings`.
            RunInUseError: If another process reads parts.
        """
        parts = self._parts
        with self.folder.locked(None):
            self._write(parts)
            walk = replace(self._walk, elsewhere=outcomes_of_parts(parts))
            arrays = self._arrays()
            recordings = recordings_of_walk(walk, self.source, self._layout, arrays.keep)
            imported = imported_data(self.source, target.stem, self.options, recordings, arrays)
            write_imported(imported, target.parent, named)
            self.folder.remove()
        return imported

    def _arrays(self) -> ArraysInFiles:
        """Return files for arrays; those of an import that was stopped are removed."""
        folder = self.folder.path / "arrays"
        shutil.rmtree(folder, ignore_errors=True)
        return ArraysInFiles(folder)

    @cached_property
    def _layout(self) -> SkeletonLayout | None:
        return None if self.options.layout is None else find_layout(self.options.layout)

    @cached_property
    def _walk(self) -> FolderWalk:
        return folder_walk(self.source, self._layout, self.options.format)

    @cached_property
    def _parts(self) -> list[ReadingPart]:
        if not self.source.exists():
            raise DataError("no such file or folder", path=self.source)
        if not self.source.is_dir():
            raise ConfigError("parts are of folders; import a file without --shard and the like")
        files = self._walk.list_files(self.source)
        if not files:
            raise DataError("holds no file", path=self.source)
        size = self.folder.part_size(self.part_size, FILES_READ_TOGETHER)
        return [
            ReadingPart.of(self._walk, files[first : first + size], first, self.folder.path)
            for first in range(0, len(files), size)
        ]

    def _write(self, parts: list[ReadingPart]) -> None:
        done, total = 0, sum(len(part.files) for part in parts)
        self.progress(done, total)
        for files in (self.run if len(parts) > 1 else one_after_another)(iter(parts)):
            done += files
            self.progress(done, total)
