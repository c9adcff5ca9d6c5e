"""Skeleton archives: the native file format, read and written.

An archive is ``NAME.npz`` with ``NAME.json`` beside it, or a folder of ``.npy`` files of the same
names for sets too large for memory. Sample ``i`` is
``keypoint[offset[i]:offset[i+1]].reshape(num_person[i], total_frames[i], V, C)``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.lib.format import open_memmap

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically, write_text
from skeletonagent.core.npz_files import read_npy_header, read_npz, require_text
from skeletonagent.core.outside_files import (
    UNREADABLE,
    problem_line,
    read_outside_bytes,
    require_file,
)
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.validation import (
    ARRAYS,
    FRAMEWISE,
    OPTIONAL_ARRAYS,
    UNLABELLED,
    ArchiveContent,
    check_arrays,
    check_content,
    check_metadata,
    locate_archive,
)

if TYPE_CHECKING:
    from torch import Tensor

    from skeletonagent.core.clips import ClipStore, SkeletonData

_LARGEST_JSON = 2**28
"""Size of an archive's JSON in bytes; the splits of half a million samples have a tenth of it."""


def read_archive(path: Path, confidence: bool = False, require_labels: bool = True) -> SkeletonData:
    """Return the data set of a skeleton archive on the host, after checking it.

    Args:
        path: ``NAME.npz``, ``NAME.json``, ``NAME`` without either, or the folder that holds them.
        confidence: Whether to add the keypoint confidence as last channel.
        require_labels: Whether the archive must have labels, class names and splits. If not,
            samples without a label get :data:`UNLABELLED`, and the data set may have no split.

    Raises:
        DataError: If a file or an array is missing or damaged, arrays do not fit each other, a
            label is outside the classes, a split names a sample that the archive lacks, or
            keypoint confidence is asked for and there is none. Joints that are not finite are
            left to :func:`require_finite`, so that they can be inspected.
    """
    import torch

    archive = Archive.open(path, mode="c", require_labels=require_labels)
    joints = archive.arrays["keypoint"]
    if confidence:
        channels = [joints, archive.confidence[..., None]]
        joints = np.concatenate(channels, axis=2, dtype=np.float32)
    return archive.data(torch.from_numpy(_as_float32(joints)), has_confidence=confidence)


@dataclass(frozen=True)
class Archive:
    """Checked content of a skeleton archive.

    Args:
        content: What it says of its samples.
        arrays: Its arrays by name.
        path: File or folder of the arrays.
    """

    content: ArchiveContent
    arrays: Mapping[str, np.ndarray]
    path: Path

    @classmethod
    def open(cls, path: Path, mode: Literal["c", "r"], require_labels: bool = True) -> Archive:
        """Return an archive after checking it.

        Args:
            path: See :func:`read_archive`.
            mode: How a folder's :data:`FRAMEWISE` arrays are mapped into memory: ``"c"`` for
                copy on write, ``"r"`` for reading only.
            require_labels: See :func:`read_archive`.

        Raises:
            DataError: See :func:`read_archive`.
        """
        meta_path, arrays_path = locate_archive(path)
        meta = check_metadata(read_archive_metadata(meta_path), meta_path, require_labels)
        arrays = read_arrays(arrays_path, mode, require_labels)
        if not require_labels:
            arrays = with_archive_labels(arrays, meta)
        content = check_content(meta, arrays, meta_path, arrays_path, require_labels)
        return cls(content, arrays, arrays_path)

    @property
    def confidence(self) -> np.ndarray:
        """The keypoint confidence: the detector's confidence in each joint."""
        if "keypoint_score" not in self.arrays:
            raise DataError(
                "has no keypoint_score, the detector's confidence; use its coordinates alone",
                path=self.path,
            )
        return self.arrays["keypoint_score"]

    def data(self, frames: Tensor, has_confidence: bool) -> SkeletonData:
        """Return the data set of the archive with the given frames."""
        import torch

        from skeletonagent.core.clips import ClipStore, SkeletonData

        arrays, content = self.arrays, self.content
        subject, image_size = arrays.get("subject"), arrays.get("image_size")
        store = ClipStore(
            frames=frames,
            starts=torch.from_numpy(arrays["offset"][:-1].astype(np.int64)),
            lengths=torch.from_numpy(arrays["total_frames"].astype(np.int64)),
            persons=torch.from_numpy(arrays["num_person"].astype(np.int64)),
            labels=torch.from_numpy(arrays["label"].astype(np.int64)),
            sample_ids=content.sample_ids,
            subjects=None if subject is None else tuple(int(number) for number in subject),
            layout=content.layout,
            class_names=content.class_names,
            has_confidence=has_confidence,
            image_sizes=None if image_size is None else torch.from_numpy(_as_float32(image_size)),
        )
        return SkeletonData(
            name=content.name,
            title=content.title,
            store=store,
            splits=content.splits,
            default_split=content.default_split,
            fps=content.fps,
        )

    def sequences(self, *, confidence: bool) -> Iterator[SkeletonSequence]:
        """Yield the samples one by one, without torch.

        Args:
            confidence: Whether to add the keypoint confidence as last channel.
        """
        arrays, sizes = self.arrays, self.arrays.get("image_size")
        for number, name in enumerate(self.content.sample_ids):
            rows = slice(*map(int, arrays["offset"][number : number + 2]))
            joints = _as_float32(arrays["keypoint"][rows])
            if confidence:
                scores = _as_float32(self.confidence[rows])[..., None]
                joints = np.concatenate([joints, scores], axis=-1)
            shape = (int(arrays["num_person"][number]), int(arrays["total_frames"][number]))
            yield SkeletonSequence(
                joints.reshape(*shape, *joints.shape[1:]),
                int(arrays["label"][number]),
                name,
                image_size=None
                if sizes is None
                else (float(sizes[number][0]), float(sizes[number][1])),
                fps=self.content.fps,
            )


def write_archive(
    data: SkeletonData,
    folder: Path,
    *,
    metadata: Mapping[str, Any] | None = None,
    extra_arrays: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a data set as ``folder/NAME.npz`` and ``folder/NAME.json``; return the npz's path.

    Args:
        data: Data set, on the host.
        folder: Folder of the archive, which is made if it does not exist.
        metadata: Further keys of the JSON.
        extra_arrays: Further arrays, with a number for each sample.

    Raises:
        DataError: If it would be no archive that :func:`read_archive` accepts.
    """
    store = data.store
    rows = (store.persons * store.lengths).cumsum(0)
    arrays: dict[str, Any] = {
        "keypoint": store.frames[..., : store.coordinates].float().numpy(),
        "offset": np.concatenate([[0], rows.numpy()]),
        "num_person": in_least_type(store.persons.numpy(), np.int16),
        "total_frames": in_least_type(store.lengths.numpy(), np.int32),
        "label": in_least_type(store.labels.numpy(), np.int16),
        "frame_dir": np.array(store.sample_ids),
    }
    if store.subjects is not None:
        arrays["subject"] = in_least_type(np.array(store.subjects), np.int32)
    if store.has_confidence:
        arrays["keypoint_score"] = store.frames[..., -1].float().numpy()
    if store.image_sizes is not None:
        arrays["image_size"] = store.image_sizes.numpy()
    meta: dict[str, Any] = {
        "name": data.name,
        "title": data.title,
        "class_names": store.class_names,
        "layout": store.layout.name,
        "joint_names": store.layout.joints,
        "bones": store.layout.bones,
        "root_joint": store.layout.center,
        "default_split": data.default_split,
        "split": {n: {"train": s.train, "val": s.test} for n, s in data.splits.items()},
    }
    if store.layout.given_pairs is not None:
        meta["pairs"] = store.layout.given_pairs
    if data.fps is not None:
        meta["fps"] = data.fps
    path = folder / f"{data.name}.npz"
    text = json.dumps({**(metadata or {}), **meta}, indent=1)
    check_content(json.loads(text), arrays, path.with_suffix(".json"), path)
    stored: dict[str, Any] = {**(extra_arrays or {}), **arrays}
    with write_atomically(path) as file:
        np.savez_compressed(file, **stored)
        path.with_suffix(".json").unlink(missing_ok=True)  # an old one never describes new arrays
    write_text(path.with_suffix(".json"), text)
    return path


def require_finite(store: ClipStore) -> None:
    """Check that all joints are finite numbers.

    Raises:
        DataError: If not, naming the first such sample.
    """
    not_finite = ~store.frames.isfinite().flatten(1).all(dim=1)
    if not_finite.any():
        ends = store.starts + store.persons * store.lengths
        first = int((ends > int(not_finite.nonzero()[0])).nonzero()[0])
        raise DataError(
            f"{int(not_finite.sum())} frame(s) hold NaN or infinite joints; repair or leave it out "
            "('skeletonagent data check' lists all of them)",
            sample=store.sample_ids[first],
        )


def in_least_type(numbers: np.ndarray, least: type[np.signedinteger[Any]]) -> np.ndarray:
    """Return whole numbers in the type that archives have them in, or in int64 if they are larger.

    Args:
        numbers: Numbers.
        least: Usual type.
    """
    limits = np.iinfo(least)
    fits = not numbers.size or (numbers.min() >= limits.min and numbers.max() <= limits.max)
    return numbers.astype(least if fits else np.int64)


def read_archive_metadata(path: Path) -> Any:
    """Return the content of an archive's JSON, as it is there.

    Raises:
        DataError: If it cannot be read.
    """
    content = read_outside_bytes(path, _LARGEST_JSON)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UNREADABLE as error:
        raise DataError(f"cannot be read as JSON: {problem_line(error)}", path=path) from error


def with_archive_labels(
    arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> Mapping[str, np.ndarray]:
    """Return the arrays with labels; without any, or without class names, all are unlabelled."""
    if "label" in arrays and "class_names" in meta:
        return arrays
    return {**arrays, "label": np.full(arrays["frame_dir"].size, UNLABELLED, dtype=np.int16)}


def read_arrays(
    path: Path, mode: Literal["c", "r"], require_labels: bool = True
) -> Mapping[str, np.ndarray]:
    """Return all arrays of an archive's file or folder by name.

    Args:
        path: The npz file, or the folder of npy files, which are mapped into memory.
        mode: See :meth:`Archive.open`.
        require_labels: See :func:`read_archive`.

    Raises:
        DataError: If they cannot be read, one is missing or one has another type.
    """
    names = (*ARRAYS, *OPTIONAL_ARRAYS)
    if path.is_dir():
        files = {name: path / f"{name}.npy" for name in names}
        arrays = {
            name: _map_array(file, mode if name in FRAMEWISE else "c")
            for name, file in files.items()
            if os.path.lexists(file)
        }
    else:
        arrays = read_npz(path, names)
    check_arrays(arrays, path, require_labels)
    return arrays


def _map_array(path: Path, mode: Literal["c", "r"]) -> np.ndarray:
    """Return the array of an npy file, mapped into memory; the file is as large as its header says.

    Raises:
        DataError: If it is not, or is damaged.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            read_npy_header(file)
        array = require_text(open_memmap(path, mode=mode))
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read as NumPy arrays: {problem_line(error)}", path=path
        ) from error
    return array


def _as_float32(array: np.ndarray) -> Float[np.ndarray, "..."]:
    return np.ascontiguousarray(array, dtype=np.float32)


def find_archives(folder: Path) -> list[Path]:
    """Return the paths of the archives in a folder and two levels below, without a suffix."""
    metas = sorted(
        path for depth in ("*.json", "*/*.json", "*/*/*.json") for path in folder.glob(depth)
    )
    bases = (meta.with_suffix("") for meta in metas)
    return [
        base
        for base in bases
        if base.with_name(f"{base.name}.npz").is_file() or (base / "keypoint.npy").is_file()
    ]
