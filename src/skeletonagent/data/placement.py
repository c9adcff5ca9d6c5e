"""Placement of frames: on the device, in the memory of the host, or on disk until they are used."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import DataError
from skeletonagent.data.archive import Archive, read_arrays
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Placement
from skeletonagent.data.validation import FRAMEWISE, locate_archive

DEVICE_MEMORY_SHARE = 0.6
"""Share of a device's free memory that frames may take; the recognizer needs the rest."""

PREPROCESSING_FACTOR = 3
"""Memory needed to preprocess all frames at once, as a multiple of their size in float32."""


@dataclass(frozen=True)
class HostFrames:
    """Samples whose frames are in the memory of the host or on disk, not on the device.

    Args:
        store: Samples as stored, before preprocessing.
        preprocess: Preprocessing of samples, applied on the device after they were copied there.
        confidence: Keypoint confidence of each frame, where it is not a channel of the frames.
        files: Size in bytes of each file that is mapped into memory.
    """

    store: ClipStore
    preprocess: Callable[[ClipStore], ClipStore]
    confidence: Float[Tensor, "f v 1"] | None = None
    files: Mapping[Path, int] = field(default_factory=dict)

    def fetch(
        self,
        samples: Int[Tensor, " n"],
        device: torch.device,
        allocate: Callable[[Tensor, int], Tensor],
    ) -> ClipStore:
        """Return a store of the samples alone, copied to a device and preprocessed there.

        Args:
            samples: Positions of the samples; reading is fastest in ascending order.
            device: Device to copy to.
            allocate: Function that returns memory on the host for a number of rows of a tensor.

        Raises:
            DataError: If a file was cut, which would end the process once its rows are read.
        """
        for path, size in self.files.items():
            if not path.is_file() or path.stat().st_size < size:
                raise DataError(
                    f"was changed while it was in use: it had {size} bytes; copy it back, and "
                    "leave it until the end",
                    path=path,
                )
        rows = self.store.rows(samples)

        def gather(tensor: Tensor) -> Tensor:
            return torch.index_select(tensor, 0, rows, out=allocate(tensor, len(rows)))

        joints = gather(self.store.frames)
        part = self.store.subset(samples, joints).to(device, joints.dtype)
        if self.confidence is not None:
            confidence = gather(self.confidence).to(device)
            part = replace(
                part, frames=torch.cat([part.frames, confidence], dim=-1), has_confidence=True
            )
        return self.preprocess(part)

    def without_frames(self) -> ClipStore:
        """Return the preprocessed store without any frames.

        Lengths are those before preprocessing, which may drop frames.
        """
        one = self.store.subset(torch.zeros(1, dtype=torch.long))
        rows, v, c = one.frames.shape
        zeros = torch.zeros(rows, v, c + (self.confidence is not None))
        preprocessed = self.preprocess(
            replace(one, frames=zeros, has_confidence=self.confidence is not None)
        )
        return replace(
            self.store,
            frames=preprocessed.frames[:0],
            layout=preprocessed.layout,
            has_confidence=preprocessed.has_confidence,
            drops_depth=preprocessed.drops_depth,
            image_sizes=None,
            person_slots=self.store.max_persons,
        )


@dataclass(frozen=True)
class OnDiskData(SkeletonData):
    """Data set whose frames stay on disk; its store is :meth:`HostFrames.without_frames`.

    Args:
        host_frames: Access to the frames.
    """

    host_frames: HostFrames


def open_on_disk(path: Path, confidence: bool, preprocess: Preprocessor) -> OnDiskData:
    """Return the data set of a folder archive whose frames stay on disk.

    The structure of the archive is checked at once, its joints when they are read.

    Args:
        path: Archive as for :func:`skeletonagent.data.archive.read_archive`; it must be a folder.
        confidence: Whether to add the keypoint confidence as last channel.
        preprocess: Preprocessing of samples that were read.

    Raises:
        DataError: As :func:`skeletonagent.data.archive.read_archive`, or if the archive is a
            single npz file.
    """
    meta_path, arrays_path = locate_archive(path)
    if not arrays_path.is_dir():
        raise DataError(
            "is one file and cannot be read in parts, as data.placement 'disk' does; unpack it "
            f"into a folder with 'python -m zipfile -e {arrays_path} "
            f"{arrays_path.with_suffix('')}', or make one with 'skeletonagent data convert'",
            path=arrays_path,
        )
    archive = Archive.open(meta_path, mode="r")
    data = archive.data(_mapped(archive.arrays["keypoint"], arrays_path), has_confidence=False)
    frames = HostFrames(
        data.store,
        preprocess,
        _mapped(archive.confidence[..., None], arrays_path) if confidence else None,
        {
            file: file.stat().st_size
            for file in (arrays_path / f"{name}.npy" for name in FRAMEWISE)
            if file.is_file()
        },
    )
    return OnDiskData(
        name=data.name,
        title=data.title,
        store=frames.without_frames(),
        splits=data.splits,
        default_split=data.default_split,
        host_frames=frames,
    )


def _mapped(array: np.ndarray, path: Path) -> Tensor:
    """Return a tensor over an array that is memory-mapped read-only; it must not be written to.

    A writable mapping is refused by the system where it is larger than the memory.
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


def free_memory(device: torch.device) -> int:
    """Return the free memory of a GPU, or of the machine for the CPU, in bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # Memory that this process freed stays reserved by it and can be used again.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    limits = [_machine_memory(Path("/proc/meminfo"))]
    cgroup_limit = Path("/sys/fs/cgroup/memory.max")
    if cgroup_limit.is_file() and (limit := cgroup_limit.read_text().strip()).isdigit():
        limits.append(int(limit))
    return min(limits)


def _machine_memory(meminfo: Path) -> int:
    """Return the available memory in bytes; all memory where the system does not report it."""
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def stays_on_disk(
    path: Path, placement: Placement, available: Callable[[torch.device], int] = free_memory
) -> bool:
    """Return whether an archive's frames stay on disk, by choice or for lack of memory.

    Args:
        path: Archive as for :func:`skeletonagent.data.archive.read_archive`.
        placement: Chosen placement.
        available: Function that returns the free memory of a device in bytes.

    Raises:
        DataError: If there is no archive, or it is damaged.
    """
    if placement is not Placement.AUTO:
        return placement is Placement.DISK
    _, arrays_path = locate_archive(path)
    if not arrays_path.is_dir():
        return False
    frames = read_arrays(arrays_path, mode="r")["keypoint"]
    return PREPROCESSING_FACTOR * 4 * frames.size > available(torch.device("cpu"))


def stays_on_host(
    store: ClipStore,
    placement: Placement,
    device: torch.device,
    itemsize: int,
    available: Callable[[torch.device], int] = free_memory,
) -> bool:
    """Return whether frames in the memory of the host stay there, by choice or for lack of memory.

    Args:
        store: Samples with their frames.
        placement: Chosen placement.
        device: Device on which clips are made.
        itemsize: Bytes of a number in the memory of the device.
        available: Function that returns the free memory of a device in bytes.
    """
    if placement is not Placement.AUTO:
        return placement is not Placement.DEVICE
    if device == store.device:
        return False
    return store.frames.numel() * itemsize > DEVICE_MEMORY_SHARE * available(device)
