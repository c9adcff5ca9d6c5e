"""Skeleton archives: the native on-disk form, read and written.

An archive is ``NAME.npz`` with ``NAME.json`` beside it, or a folder of ``.npy`` files of the same
names for sets too large for memory. Sample ``i`` is
``keypoint[offset[i]:offset[i+1]].reshape(num_person[i], total_frames[i], V, C)``.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.lib.format import open_memmap

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically, write_text
from skeletonagent.data.archive_checks import (
    check_arrays,
    check_facts,
    check_labels,
    check_shapes,
    layout_of,
    splits_of,
)

UNREADABLE = (
    OSError, ValueError, TypeError, EOFError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and the modules below it raise where a file is not what its name says."""


def read_archive(path: Path, score: bool = False) -> SkeletonData:
    """Return the data set of a skeleton archive, checked once and for all, on the host.

    Args:
        path: ``NAME.npz``, ``NAME.json``, ``NAME`` without either, or the folder they lie in.
        score: Whether to add the detector's confidence as last channel.

    Raises:
        DataError: If a file or an array is missing or damaged, arrays do not fit each other, a
            label is outside the classes, a split names a sample that is not there, or scores are
            asked for and there are none. Joints that are not finite are left to
            :func:`require_finite`, so that they can be inspected.
    """
    meta_path, arrays_path = _locate(path)
    meta = _read_facts(meta_path)
    arrays = _read_arrays(arrays_path)
    keypoint, offset = arrays["keypoint"], arrays["offset"].astype(np.int64)
    sample_ids = tuple(str(sample) for sample in arrays["frame_dir"].tolist())
    class_names = tuple(str(name) for name in meta["class_names"])
    layout = layout_of(meta, meta_path, keypoint)
    check_shapes(arrays, arrays_path)
    check_labels(arrays["label"], sample_ids, class_names, arrays_path)
    subject, image_size = arrays.get("subject"), arrays.get("image_size")
    store = ClipStore(
        frames=torch.from_numpy(_with_score(arrays, arrays_path) if score else _plain(keypoint)),
        starts=torch.from_numpy(offset[:-1].copy()),
        lengths=torch.from_numpy(arrays["total_frames"].astype(np.int64)),
        persons=torch.from_numpy(arrays["num_person"].astype(np.int64)),
        labels=torch.from_numpy(arrays["label"].astype(np.int64)),
        sample_ids=sample_ids,
        groups=None if subject is None else tuple(int(group) for group in subject),
        layout=layout,
        class_names=class_names,
        scored=score,
        image_sizes=None if image_size is None else torch.from_numpy(_plain(image_size)),
    )
    splits = splits_of(meta, sample_ids, meta_path)
    name = str(meta.get("name", arrays_path.stem))
    return SkeletonData(
        name=name,
        title=str(meta.get("title", name)),
        store=store,
        splits=splits,
        default_split=str(meta.get("default_split", next(iter(splits)))),
    )


def write_archive(data: SkeletonData, folder: Path) -> Path:
    """Write a data set as ``folder/NAME.npz`` and ``folder/NAME.json``; return the npz's path."""
    store = data.store
    rows = (store.persons * store.lengths).cumsum(0)
    arrays: dict[str, Any] = {
        "keypoint": store.frames[..., : store.coordinates].float().numpy(),
        "offset": np.concatenate([[0], rows.numpy()]),
        "num_person": store.persons.numpy().astype(np.int16),
        "total_frames": store.lengths.numpy().astype(np.int32),
        "label": store.labels.numpy().astype(np.int16),
        "frame_dir": np.array(store.sample_ids),
    }
    if store.groups is not None:
        arrays["subject"] = np.array(store.groups, dtype=np.int32)
    if store.scored:
        arrays["keypoint_score"] = store.frames[..., -1].float().numpy()
    if store.image_sizes is not None:
        arrays["image_size"] = store.image_sizes.numpy()
    meta = {
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
    path = folder / f"{data.name}.npz"
    with write_atomically(path) as file:
        np.savez_compressed(file, **arrays)
    write_text(path.with_suffix(".json"), json.dumps(meta, indent=1))
    return path


def require_finite(store: ClipStore) -> None:
    """Refuse data whose joints are not all finite numbers.

    Raises:
        DataError: Naming the first such sample.
    """
    bad = ~torch.isfinite(store.frames).flatten(1).all(dim=1)
    if bad.any():
        ends = store.starts + store.persons * store.lengths
        first = int((ends > int(bad.nonzero()[0])).nonzero()[0])
        raise DataError(
            f"{int(bad.sum())} frame(s) hold NaN or infinite joints; repair or leave it out "
            "('skeletonagent data check' lists all of them)",
            sample=store.sample_ids[first],
        )


def _locate(path: Path) -> tuple[Path, Path]:
    """Return the paths of an archive's JSON and of its npz file or folder of npy files."""
    if path.is_dir() and not (path / "keypoint.npy").exists():
        inside = sorted(path.glob("*.json"))
        if len(inside) != 1:
            found = ", ".join(file.name for file in inside) or "none"
            raise DataError(
                f"a folder with exactly one NAME.json is needed, found {found}", path=path
            )
        path = inside[0]
    base = path.with_suffix("") if path.suffix in (".npz", ".json") else path
    meta = base.with_name(f"{base.name}.json")
    if not meta.is_file():
        raise DataError("no such file; an archive is NAME.npz with NAME.json beside it", path=meta)
    if base.is_dir():
        return meta, base
    arrays = base.with_name(f"{base.name}.npz")
    if not arrays.is_file():
        raise DataError(
            "no such file; an archive is NAME.npz with NAME.json beside it", path=arrays
        )
    return meta, arrays


def _read_facts(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read as JSON: {error}", path=path) from error
    return check_facts(facts, path)


def _read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        if path.is_dir():
            arrays = {file.stem: open_memmap(file, mode="c") for file in sorted(path.glob("*.npy"))}
        else:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise DataError(f"cannot be read as NumPy arrays: {error}", path=path) from error
    check_arrays(arrays, path)
    return arrays


def _plain(array: np.ndarray) -> Float[np.ndarray, "..."]:
    return np.ascontiguousarray(array, dtype=np.float32)


def _with_score(arrays: Mapping[str, np.ndarray], path: Path) -> Float[np.ndarray, "f v c"]:
    """Return the joints with their scores as last channel."""
    if "keypoint_score" not in arrays:
        raise DataError(
            "has no keypoint_score, the detector's confidence; use its coordinates alone", path=path
        )
    score = arrays["keypoint_score"][..., None]
    return np.concatenate([arrays["keypoint"], score], axis=2, dtype=np.float32)


def find_archives(folder: Path) -> list[Path]:
    """Return the archives in a folder, down to two levels below it."""
    metas = sorted(
        path for depth in ("*.json", "*/*.json", "*/*/*.json") for path in folder.glob(depth)
    )
    bases = (meta.with_suffix("") for meta in metas)
    return [
        base
        for base in bases
        if base.with_name(f"{base.name}.npz").is_file() or (base / "keypoint.npy").is_file()
    ]
