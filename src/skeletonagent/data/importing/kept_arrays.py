"""Arrays of an import: in memory, or in files that are mapped into it where there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped
from numpy.lib.format import open_memmap

from skeletonagent.core.recording import KeypointRecording

_FILE_BYTES = 256 << 20
"""Bytes of a file, of which as many are made as are needed."""

_ALIGNMENT = 64


class ArraysInMemory:
    """Arrays that stay where they are."""

    def keep(self, recording: KeypointRecording) -> KeypointRecording:
        """Return a recording with its joints and their confidence where they are kept."""
        return recording

    def empty(self, shape: Sequence[int]) -> Float32[np.ndarray, "..."]:
        """Return an array that is still to be filled."""
        return np.empty(tuple(shape), np.float32)


@dataclass
class ArraysInFiles(ArraysInMemory):
    """Arrays in files of a folder, so that memory does not grow with them.

    Args:
        folder: Folder, of which nothing else is.
    """

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._files, self._used = 0, 0
        self._current: Shaped[np.ndarray, " b"] = np.empty(0, np.uint8)

    def keep(self, recording: KeypointRecording) -> KeypointRecording:
        """Return a recording with its joints and their confidence where they are kept."""
        scores = recording.confidence
        return replace(
            recording,
            joints=self._kept(recording.joints),
            confidence=None if scores is None else self._kept(scores),
        )

    def empty(self, shape: Sequence[int]) -> Float32[np.ndarray, "..."]:
        """Return an array that is still to be filled."""
        return self._new(tuple(shape), np.dtype(np.float32))

    def _kept(self, array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
        size = array.nbytes + -array.nbytes % _ALIGNMENT
        if self._used + size > len(self._current):
            self._current = self._new((max(size, _FILE_BYTES),), np.dtype(np.uint8))
            self._used = 0
        place = self._current[self._used : self._used + array.nbytes]
        self._used += size
        kept: np.ndarray = place.view(array.dtype).reshape(array.shape)
        kept[...] = array
        return kept

    def _new(self, shape: tuple[int, ...], dtype: np.dtype) -> Shaped[np.ndarray, "..."]:
        self._files += 1
        path = self.folder / f"{self._files}.npy"
        return np.asarray(open_memmap(path, "w+", dtype, shape))
