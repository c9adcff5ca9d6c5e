"""Where frames are kept: on the device, in the host's memory, or on disk until they are needed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import DataError
from skeletonagent.data.archive import Archive, read_arrays
from skeletonagent.data.preprocessing import (
    Preprocessor,
)
from skeletonagent.data.settings import Placement
from skeletonagent.data.validation import locate_archive

DEVICE_MEMORY_SHARE = 0.6
"""Share of a device's free memory that frames may take; the recognizer needs the rest."""

PREPROCESSING_FACTOR = 3
"""How many times their size frames take in memory while they are prepared all at once."""


@dataclass(frozen=True)
class HostFrames:
    """Samples whose frames are elsewhere than on the device.

    Args:
        store: The samples as they are held.
        preprocess: What is to be done to samples that were brought to the device.
        confidence: The last channel of the frames, where it is held apart.
    """

    store: ClipStore
    preprocess: Callable[[ClipStore], ClipStore]
    confidence: Float[Tensor, "f v 1"] | None = None

    def fetch(
        self,
        samples: Int[Tensor, " n"],
        device: torch.device,
        room: Callable[[Tensor, int], Tensor],
    ) -> ClipStore:
        """Return samples by themselves on a device, prepared there.

        Args:
            samples: Which, ascending if they are to be read fast.
            device: The device.
            room: Gives memory on the host for as many rows of a tensor.
        """
        rows = self.store.rows(samples)

        def gathered(held: Tensor) -> Tensor:
            return torch.index_select(held, 0, rows, out=room(held, len(rows)))

        joints = gathered(self.store.frames)
        part = self.store.subset(samples, joints).to(device, joints.dtype)
        if self.confidence is not None:
            scores = gathered(self.confidence).to(device)
            part = replace(
                part, frames=torch.cat([part.frames, scores], dim=-1), has_confidence=True
            )
        return self.preprocess(part)

    def without_frames(self) -> ClipStore:
        """Return what is known of all samples as prepared, without a single frame.

        Lengths are as held, for which frames are left out on centring is not known before.
        """
        one = self.store.subset(torch.zeros(1, dtype=torch.long))
        rows, v, c = one.frames.shape
        blank = torch.zeros(rows, v, c + (self.confidence is not None))
        like = self.preprocess(
            replace(one, frames=blank, has_confidence=self.confidence is not None)
        )
        return replace(
            self.store,
            frames=like.frames[:0],
            layout=like.layout,
            has_confidence=like.has_confidence,
            image_sizes=None,
            person_slots=self.store.max_persons,
        )


@dataclass(frozen=True)
class OnDiskData(SkeletonData):
    """A data set that is too large for memory.

    Its store is without frames (:meth:`HostFrames.without_frames`).

    Args:
        host_frames: Where they are.
    """

    host_frames: HostFrames


def open_on_disk(path: Path, score: bool, prepare: Preprocessor) -> OnDiskData:
    """Return the data set of a folder archive whose frames stay on disk.

    Its structure is checked now, its joints whenever they are read.

    Args:
        path: As for :func:`skeletonagent.data.archive.read_archive`; it must be a folder.
        score: Whether to add the detector's confidence as last channel.
        prepare: What is to be done to samples that were read.

    Raises:
        DataError: As of a whole archive, or if it is one npz file.
    """
    meta_path, arrays_path = locate_archive(path)
    if not arrays_path.is_dir():
        raise DataError(
            "is one file and cannot be read in parts, as data.placement 'disk' does; unpack it "
            f"into a folder with 'python -m zipfile -e {arrays_path} "
            f"{arrays_path.with_suffix('')}', or make one with 'skeletonagent data convert'",
            path=arrays_path,
        )
    found = Archive.open(meta_path, mode="r")
    data = found.data(_unread(found.arrays["keypoint"], arrays_path), has_confidence=False)
    confidence = _unread(found.confidence[..., None], arrays_path) if score else None
    held = HostFrames(data.store, prepare, confidence)
    return OnDiskData(
        name=data.name,
        title=data.title,
        store=held.without_frames(),
        splits=data.splits,
        default_split=data.default_split,
        host_frames=held,
    )


def _unread(array: np.ndarray, path: Path) -> Tensor:
    """Return a tensor over a file that is mapped for reading alone, and must not be written to.

    A mapping that could be written to is refused where it is larger than the memory.
    """
    if array.dtype not in (np.float16, np.float32):
        raise DataError(
            f"holds joints as {array.dtype}, which cannot be read in parts; float16 and float32 "
            "can. Make it anew with 'skeletonagent data convert', or set data.placement to host",
            path=path,
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def stays_on_disk(path: Path, residence: Placement) -> bool:
    """Return whether an archive's frames are to be left on disk: as told, or for want of memory.

    Raises:
        DataError: If there is no archive, or it is damaged.
    """
    if residence is not Placement.AUTO:
        return residence is Placement.DISK
    _, arrays_path = locate_archive(path)
    if not arrays_path.is_dir():
        return False
    frames = read_arrays(arrays_path, mode="r")["keypoint"]
    return PREPROCESSING_FACTOR * 4 * frames.size > free_memory(torch.device("cpu"))


def stays_on_host(store: ClipStore, residence: Placement, device: torch.device, size: int) -> bool:
    """Return whether frames in memory are to be left there: as told, or for want of room.

    Args:
        store: The frames.
        residence: Where they are wanted.
        device: Where else they could be.
        size: Bytes of a number there.
    """
    if residence is not Placement.AUTO:
        return residence is not Placement.DEVICE
    if device == store.device:
        return False
    return store.frames.numel() * size > DEVICE_MEMORY_SHARE * free_memory(device)


def free_memory(device: torch.device) -> int:
    """Return the bytes of memory that can still be had on a device or, of the CPU, the machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What was freed by this process, it keeps for itself.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    limits = [_machine_memory(Path("/proc/meminfo"))]
    group = Path("/sys/fs/cgroup/memory.max")
    if group.is_file() and (limit := group.read_text().strip()).isdigit():
        limits.append(int(limit))
    return min(limits)


def _machine_memory(facts: Path) -> int:
    """Return the bytes that are available, or where that is not told all there are."""
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
