"""Parts of a conversion: files of samples that were read, before they become an archive."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.archive import in_least_type


@dataclass(frozen=True)
class SkippedSample:
    """Sample that is not in the archive.

    Args:
        sample: Id of the sample, or name of its file.
        reason: Problem of the sample.
    """

    sample: str
    reason: str


@dataclass(frozen=True)
class PartTask:
    """Task of a process: the items of a part and how to read them.

    Args:
        first: Position of the part's first item among all.
        items: Arguments of ``read``, one for each sample.
        read: Top-level, picklable function that reads a sample.
        layout: Skeleton that every sample must have.
        classes: Number of classes Y.
        channels: Number of channels C that every sample must have, with keypoint confidence.
    """

    first: int
    items: Sequence[Any]
    read: Callable[[Any], SkeletonSequence]
    layout: SkeletonLayout
    classes: int
    channels: int


@dataclass(frozen=True)
class PartJob:
    """Part that is still to be written, in a form that any process can take.

    Args:
        number: Number of the part.
        task: Pickled :class:`PartTask`.
        items: Number of its items.
        path: File of the part.
    """

    number: int
    task: bytes
    items: int
    path: Path

    def write(self) -> int:
        """Write the part unless it is there; return the number of its items."""
        if not self.path.is_file():
            write_part(self.task, self.path)
        return self.items


def write_part(pickled: bytes, path: Path) -> None:
    """Read the samples of a pickled :class:`PartTask` and write them and the skipped ones."""
    task: PartTask = pickle.loads(pickled)
    kept: list[SkeletonSequence] = []
    skipped: list[tuple[str, str]] = []
    for number, item in enumerate(task.items, task.first):
        try:
            sequence = _with_absent_joints(task.read(item))
            _check(sequence, task)
            kept.append(sequence)
        except DataError as error:
            skipped.append((_sample_name(error, f"item {number}"), _reason(error)))
    flat = [_stored(s.joints).reshape(-1, *s.joints.shape[2:]) for s in kept]
    with write_atomically(path) as file:
        np.savez(
            file,
            joints=np.concatenate(flat) if flat else np.zeros((0, 0, 0), np.float16),
            shape=np.array([s.joints.shape for s in kept], dtype=np.int64).reshape(-1, 4),
            half=np.array([s.joints.dtype == np.float16 for s in kept], dtype=bool),
            label=np.array([s.label for s in kept], dtype=np.int64),
            subject=np.array(
                [-1 if s.subject is None else s.subject for s in kept], dtype=np.int64
            ),
            image=np.array([s.image_size or (0, 0) for s in kept], np.float32).reshape(-1, 2),
            frame_dir=np.array([s.sample_id for s in kept], dtype=str),
            skipped=np.array(skipped, dtype=str).reshape(-1, 2),
        )


def _stored(joints: Float[np.ndarray, "m t v c"]) -> Float[np.ndarray, "m t v c"]:
    """Return joints as float16 or float32, the formats of an archive."""
    with np.errstate(over="ignore"):  # numbers that overflow become infinite and are refused
        return joints if joints.dtype == np.float16 else joints.astype(np.float32, copy=False)


def _with_absent_joints(sequence: SkeletonSequence) -> SkeletonSequence:
    """Return a sample whose joints with NaN are zeros, as archives have absent ones.

    A sample without a joint that is seen stays as it is.
    """
    absent = np.isnan(sequence.joints).any(axis=-1, keepdims=True)
    if not absent.any() or absent.all():
        return sequence
    joints = np.where(absent, 0, sequence.joints)
    return replace(sequence, joints=joints.astype(sequence.joints.dtype, copy=False))


def _check(sequence: SkeletonSequence, task: PartTask) -> None:
    """Check that a sample fits into the archive, or raise a DataError."""
    shape, v = sequence.joints.shape, task.layout.num_joints
    problem = None
    if len(shape) != 4 or 0 in shape:
        problem = f"joints must be (M, T, V, C) and not empty, got {shape}"
    elif shape[2] != v:
        problem = f"has {shape[2]} joints, but {task.layout.name} has {v}"
    elif shape[3] != task.channels:
        problem = f"has {shape[3]} channels, not {task.channels}"
    elif not 0 <= sequence.label < task.classes:
        problem = f"label {sequence.label} is outside the classes 0..{task.classes - 1}"
    elif np.isinf(_stored(sequence.joints)).any():
        problem = "has infinite joints"
    elif np.isnan(sequence.joints).any():
        problem = "has no joint that is seen, only NaN"
    if problem:
        raise DataError(problem, sample=sequence.sample_id)


def _sample_name(error: DataError, otherwise: str) -> str:
    """Return the sample or the file that an error names."""
    return error.sample or (error.path.name if error.path else otherwise)


def _reason(error: DataError) -> str:
    """Return the problem without file and sample, so that equal problems can be counted."""
    text = str(error)
    for where in (error.path, error.sample and f"sample {error.sample!r}"):
        text = text.removeprefix(f"{where}: ")
    return text


@dataclass(frozen=True)
class ConvertedParts:
    """Written parts of a data set.

    Args:
        paths: Files of the parts, in the order of the samples.
    """

    paths: tuple[Path, ...]

    @cached_property
    def skipped(self) -> tuple[SkippedSample, ...]:
        """Samples that could not be read."""
        return tuple(SkippedSample(*pair) for pair in self._concatenated("skipped").tolist())

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the samples."""
        return tuple(self._concatenated("frame_dir").tolist())

    @cached_property
    def shapes(self) -> Int[np.ndarray, "s 4"]:
        """Shape (M, T, V, C) of each sample."""
        return self._concatenated("shape")

    def check(self) -> None:
        """Check that the samples can be one archive, or raise a DataError."""
        if not self.ids:
            first = self.skipped[0]
            raise DataError(
                f"none of {len(self.skipped)} sample(s) can be read; {first.reason}",
                sample=first.sample,
            )
        if len(set(self.ids)) < len(self.ids):
            ((repeated, _),) = Counter(self.ids).most_common(1)
            raise DataError("is there more than once; remove the copies", sample=repeated)

    def write_arrays(self, folder: Path, *, has_confidence: bool) -> None:
        """Write the arrays of an archive into a folder, the joints part by part."""
        shapes, images = self.shapes, self._concatenated("image")
        subjects = self._concatenated("subject")
        rows = shapes[:, 0] * shapes[:, 1]
        arrays = {
            "offset": np.concatenate([[0], np.cumsum(rows)]),
            "num_person": in_least_type(shapes[:, 0], np.int16),
            "total_frames": in_least_type(shapes[:, 1], np.int32),
            "label": in_least_type(self._concatenated("label"), np.int16),
            "frame_dir": np.array(self.ids),
        }
        if (subjects >= 0).all():
            arrays["subject"] = in_least_type(subjects, np.int32)
        if (images > 0).all():
            arrays["image_size"] = images
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        self._write_joints(folder, has_confidence, (int(rows.sum()), *shapes[0, 2:].tolist()))

    def _write_joints(self, folder: Path, has_confidence: bool, shape: tuple[int, ...]) -> None:
        half = self._concatenated("half").all()
        dtype = np.dtype(np.float16 if half else np.float32)
        coordinates = shape[-1] - has_confidence
        with ExitStack() as stack:
            keypoint = stack.enter_context((folder / "keypoint.npy").open("wb"))
            _write_header(keypoint, (*shape[:2], coordinates), dtype)
            if has_confidence:
                confidence = stack.enter_context((folder / "keypoint_score.npy").open("wb"))
                _write_header(confidence, shape[:2], dtype)
            for path in self.paths:
                joints = _array(path, "joints").astype(dtype, copy=False)
                keypoint.write(joints[..., :coordinates].tobytes())
                if has_confidence:
                    confidence.write(joints[..., coordinates:].tobytes())

    def _concatenated(self, name: str) -> np.ndarray:
        """Return an array of all parts."""
        return np.concatenate([_array(path, name) for path in self.paths])


def _array(part: Path, name: str) -> np.ndarray:
    with np.load(part, allow_pickle=False) as file:
        array: np.ndarray = file[name]
    return array


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Write the header of an npy file; a memory map would fill the memory with its pages."""
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
