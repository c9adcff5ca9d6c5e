"""Shards: the files in which samples lie between being read and being an archive."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.layout import SkeletonLayout


@dataclass(frozen=True)
class SkippedSample:
    """A sample that is not in the archive, and why."""

    sample: str
    reason: str


@dataclass(frozen=True)
class ShardTask:
    """A shard to be read, as it is sent to a process.

    Args:
        first: Position of its first item among all.
        items: What ``read`` makes a sample of each.
        read: Top-level and picklable.
        layout: The skeleton every sample must have.
        classes: Y, the number of classes.
        channels: C every sample must have, scores among them.
    """

    first: int
    items: Sequence[Any]
    read: Callable[[Any], SkeletonSequence]
    layout: SkeletonLayout
    classes: int
    channels: int


def write_shard(pickled: bytes, path: Path) -> None:
    """Read the samples of a pickled :class:`ShardTask` and write them and what was left out."""
    task: ShardTask = pickle.loads(pickled)
    kept: list[SkeletonSequence] = []
    left_out: list[tuple[str, str]] = []
    for number, item in enumerate(task.items, task.first):
        try:
            sequence = task.read(item)
            _check(sequence, task)
            kept.append(sequence)
        except DataError as error:
            left_out.append((_blamed(error, f"item {number}"), _reason(error)))
    flat = [_stored(s.joints).reshape(-1, *s.joints.shape[2:]) for s in kept]
    with write_atomically(path) as file:
        np.savez(
            file,
            joints=np.concatenate(flat) if flat else np.zeros((0, 0, 0), np.float16),
            shape=np.array([s.joints.shape for s in kept], dtype=np.int64).reshape(-1, 4),
            half=np.array([s.joints.dtype == np.float16 for s in kept], dtype=bool),
            label=np.array([s.label for s in kept], dtype=np.int64),
            group=np.array([-1 if s.subject is None else s.subject for s in kept], dtype=np.int64),
            image=np.array([s.image_size or (0, 0) for s in kept], np.float32).reshape(-1, 2),
            frame_dir=np.array([s.sample_id for s in kept], dtype=str),
            left_out=np.array(left_out, dtype=str).reshape(-1, 2),
        )


def _stored(joints: Float[np.ndarray, "m t v c"]) -> Float[np.ndarray, "m t v c"]:
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused as such
        return joints if joints.dtype == np.float16 else joints.astype(np.float32, copy=False)


def _check(sequence: SkeletonSequence, task: ShardTask) -> None:
    """Raise a DataError unless the sample fits into the archive."""
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
    elif not np.isfinite(_stored(sequence.joints)).all():
        problem = "has NaN or infinite joints"
    if problem:
        raise DataError(problem, sample=sequence.sample_id)


def _blamed(error: DataError, otherwise: str) -> str:
    return error.sample or (error.path.name if error.path else otherwise)


def _reason(error: DataError) -> str:
    """Return the problem without the file and the sample, so that equal ones can be counted."""
    text = str(error)
    for where in (error.path, error.sample and f"sample {error.sample!r}"):
        text = text.removeprefix(f"{where}: ")
    return text


@dataclass(frozen=True)
class Shards:
    """Shards that were written, as one data set in order.

    Args:
        paths: Their files.
    """

    paths: tuple[Path, ...]

    @cached_property
    def skipped(self) -> tuple[SkippedSample, ...]:
        """Samples that could not be read."""
        return tuple(SkippedSample(*pair) for pair in self._whole("left_out").tolist())

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the samples."""
        return tuple(self._whole("frame_dir").tolist())

    @cached_property
    def shapes(self) -> Int[np.ndarray, "s 4"]:
        """M, T, V and C of each sample."""
        return self._whole("shape")

    def check(self) -> None:
        """Raise a DataError unless the samples can be one archive."""
        if not self.ids:
            first = self.skipped[0]
            raise DataError(
                f"none of {len(self.skipped)} sample(s) can be read; {first.reason}",
                sample=first.sample,
            )
        if len(set(self.ids)) < len(self.ids):
            ((again, _),) = Counter(self.ids).most_common(1)
            raise DataError("is there more than once; remove the copies", sample=again)

    def write_arrays(self, folder: Path, *, has_confidence: bool) -> None:
        """Write the arrays of an archive, the joints shard by shard."""
        shapes, groups, images = self.shapes, self._whole("group"), self._whole("image")
        rows = shapes[:, 0] * shapes[:, 1]
        arrays = {
            "offset": np.concatenate([[0], np.cumsum(rows)]),
            "num_person": shapes[:, 0].astype(np.int16),
            "total_frames": shapes[:, 1].astype(np.int32),
            "label": self._whole("label").astype(np.int16),
            "frame_dir": np.array(self.ids),
        }
        if (groups >= 0).all():
            arrays["subject"] = groups.astype(np.int32)
        if (images > 0).all():
            arrays["image_size"] = images
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        self._write_joints(folder, has_confidence, (int(rows.sum()), *shapes[0, 2:].tolist()))

    def _write_joints(self, folder: Path, has_confidence: bool, shape: tuple[int, ...]) -> None:
        half = self._whole("half").all()
        dtype = np.dtype(np.float16 if half else np.float32)
        coordinates = shape[-1] - has_confidence
        with ExitStack() as stack:
            keypoint = stack.enter_context((folder / "keypoint.npy").open("wb"))
            _write_header(keypoint, (*shape[:2], coordinates), dtype)
            if has_confidence:
                score = stack.enter_context((folder / "keypoint_score.npy").open("wb"))
                _write_header(score, shape[:2], dtype)
            for path in self.paths:
                joints = _array(path, "joints").astype(dtype, copy=False)
                keypoint.write(joints[..., :coordinates].tobytes())
                if has_confidence:
                    score.write(joints[..., coordinates:].tobytes())

    def _whole(self, name: str) -> np.ndarray:
        return np.concatenate([_array(path, name) for path in self.paths])


def _array(shard: Path, name: str) -> np.ndarray:
    with np.load(shard, allow_pickle=False) as file:
        array: np.ndarray = file[name]
    return array


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Write the head of an npy file; a memory map instead would fill memory with its pages."""
    descr = np.lib.format.dtype_to_descr(dtype)
    facts = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, facts)
