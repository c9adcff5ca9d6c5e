"""Checks of a skeleton archive before it is used; each error says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.clips import Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout

ARRAYS = ("keypoint", "offset", "num_person", "total_frames", "label", "frame_dir")
"""Names of the arrays that an archive must have."""

OPTIONAL_ARRAYS = ("subject", "keypoint_score", "image_size")
"""Names of the arrays that it may have: subjects, keypoint confidence, width and height."""

FRAMEWISE = ("keypoint", "keypoint_score")
"""Names of the arrays with a row for each frame of each body, which are the large ones."""

METADATA_KEYS = {"class_names": list, "joint_names": list, "bones": list, "split": dict}
"""Keys that an archive's JSON must have, and their types."""

LABEL_ARRAYS = ("label",)
LABEL_KEYS = ("class_names", "split")
"""Arrays and keys that an archive of unlabelled samples may lack."""

UNLABELLED = -1
"""Label of a sample whose class is not known."""


def locate_archive(path: Path) -> tuple[Path, Path]:
    """Return the paths of an archive's JSON and of its npz file or folder of npy files.

    Raises:
        DataError: If there is no archive, or a folder has more than one.
    """
    if path.is_dir() and not (path / "keypoint.npy").exists():
        metas = sorted(path.glob("*.json"))
        if len(metas) != 1:
            names = ", ".join(file.name for file in metas) or "none"
            raise DataError(
                f"a folder with exactly one NAME.json is needed, found {names}", path=path
            )
        path = metas[0]
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


def check_metadata(meta: Any, path: Path, require_labels: bool = True) -> Mapping[str, Any]:
    """Return the content of an archive's JSON, which has all of :data:`METADATA_KEYS`.

    Args:
        meta: The content.
        path: The file, for the message.
        require_labels: Whether :data:`LABEL_KEYS` are required; if not, they may be missing.

    Raises:
        DataError: If a key is missing or has another type.
    """
    if not isinstance(meta, dict):
        raise DataError(f"lacks {', '.join(METADATA_KEYS)}: it holds no object", path=path)
    optional = () if require_labels else LABEL_KEYS
    missing = [key for key in METADATA_KEYS if key not in meta and key not in optional]
    if missing:
        raise DataError(f"lacks {', '.join(missing)}", path=path)
    for key, kind in METADATA_KEYS.items():
        if key in meta and not isinstance(meta[key], kind):
            raise DataError(f"{key} must be a {kind.__name__}, got {meta[key]!r}", path=path)
    return meta


def check_arrays(arrays: Mapping[str, np.ndarray], path: Path, require_labels: bool = True) -> None:
    """Check that an archive has all of :data:`ARRAYS`, of the right types.

    Args:
        arrays: The arrays by name.
        path: Their file or folder, for the message.
        require_labels: Whether :data:`LABEL_ARRAYS` are required; if not, they may be missing.

    Raises:
        DataError: If an array is missing or has another type.
    """
    optional = () if require_labels else LABEL_ARRAYS
    missing = [name for name in ARRAYS if name not in arrays and name not in optional]
    if missing:
        raise DataError(
            f"lacks the array(s) {', '.join(missing)}; an archive has {', '.join(ARRAYS)}",
            path=path,
        )
    for name in ("offset", "num_person", "total_frames", "label", "subject"):
        if name in arrays and arrays[name].dtype.kind not in "iu":
            raise DataError(f"{name} must hold whole numbers, got {arrays[name].dtype}", path=path)
    for name in ("keypoint", "keypoint_score", "image_size"):
        if name in arrays and arrays[name].dtype.kind not in "fiu":
            raise DataError(f"{name} must hold numbers, got {arrays[name].dtype}", path=path)


def read_layout(meta: Mapping[str, Any], path: Path, keypoint: np.ndarray) -> SkeletonLayout:
    """Return the layout that an archive's JSON describes; a built-in one by its name.

    Raises:
        DataError: If the JSON does not describe a skeleton, or ``keypoint`` has other joints.
    """
    names = tuple(str(name) for name in meta["joint_names"])
    builtin = LAYOUTS.get(str(meta.get("layout")))
    if builtin is not None and builtin.joints == names:
        return builtin
    if keypoint.ndim == 3 and keypoint.shape[1] != len(names):
        raise DataError(
            f"names {len(names)} joints, but the archive's keypoint has {keypoint.shape[1]}",
            path=path,
        )
    try:
        return SkeletonLayout(
            name=str(meta.get("layout", meta.get("name", path.stem))),
            joints=names,
            bones=tuple((int(child), int(parent)) for child, parent in meta["bones"]),
            center=int(meta.get("root_joint", 0)),
            given_pairs=_index_pairs(meta.get("pairs")),
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"does not describe a skeleton: {error}", path=path) from error


def _index_pairs(value: Any) -> tuple[tuple[int, int], ...] | None:
    return None if value is None else tuple((int(left), int(right)) for left, right in value)


def read_fps(meta: Mapping[str, Any], path: Path) -> float | None:
    """Return the frame rate that an archive's JSON says, None if it says none.

    Raises:
        DataError: If it is no number above 0.
    """
    fps = meta.get("fps")
    if fps is None:
        return None
    if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0 < fps < float("inf"):
        raise DataError(f"fps must be a number of frames a second above 0, got {fps!r}", path=path)
    return float(fps)


def check_shapes(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Check that arrays fit each other and every sample has frames, or raise a DataError."""
    keypoint, offset = arrays["keypoint"], arrays["offset"]
    if arrays["label"].ndim != 1:
        raise DataError(f"label has shape {arrays['label'].shape}, not (samples,)", path=path)
    samples = len(arrays["label"])
    if keypoint.ndim != 3 or keypoint.shape[2] not in (2, 3):
        raise DataError(f"keypoint must be (frames, V, 2 or 3), got {keypoint.shape}", path=path)
    for name in ("num_person", "total_frames", "frame_dir"):
        if arrays[name].shape != (samples,):
            raise DataError(
                f"{name} has shape {arrays[name].shape}, label has {samples} samples", path=path
            )
    _check_optional_arrays(arrays, path)
    frames = arrays["num_person"].astype(np.int64) * arrays["total_frames"]
    expected = np.concatenate([[0], np.cumsum(frames)])
    if (
        offset.shape != expected.shape
        or (offset != expected).any()
        or len(keypoint) != expected[-1]
    ):
        raise DataError("offset does not fit num_person x total_frames and keypoint", path=path)
    counts = np.stack([arrays["num_person"], arrays["total_frames"]])
    if samples == 0 or (counts < 1).any():
        raise DataError("is empty or has a sample without frames or persons", path=path)


def _check_optional_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Check that those of :data:`OPTIONAL_ARRAYS` fit the others, or raise a DataError."""
    samples, bodies = len(arrays["label"]), arrays["keypoint"].shape[:2]
    expected = {"subject": (samples,), "keypoint_score": bodies, "image_size": (samples, 2)}
    for name in OPTIONAL_ARRAYS:
        if name in arrays and arrays[name].shape != expected[name]:
            raise DataError(
                f"{name} has shape {arrays[name].shape}, it must be {expected[name]} to fit "
                f"{samples} samples and keypoint",
                path=path,
            )
    if "image_size" in arrays and not (arrays["image_size"] > 0).all():
        raise DataError("image_size must be width and height in pixels, above 0", path=path)


def check_labels(
    labels: np.ndarray,
    sample_ids: tuple[str, ...],
    class_names: tuple[str, ...],
    path: Path,
    require_labels: bool = True,
) -> None:
    """Check that labels are classes and sample ids are unique.

    Args:
        labels: Class index of each sample.
        sample_ids: Name of each sample.
        class_names: Names in the order of the labels.
        path: The archive, for the message.
        require_labels: Whether each sample must have a label; if not, it may be
            :data:`UNLABELLED`.

    Raises:
        DataError: If a label is outside the classes or two samples have the same id.
    """
    lowest = 0 if require_labels else UNLABELLED
    outside = np.flatnonzero((labels < lowest) | (labels >= len(class_names)))
    if len(outside):
        raise DataError(
            f"label {labels[outside[0]]} is outside the JSON's classes 0..{len(class_names) - 1}",
            path=path,
            sample=sample_ids[outside[0]],
        )
    if len(set(sample_ids)) != len(sample_ids):
        raise DataError("frame_dir names a sample twice", path=path)


def read_splits(
    meta: Mapping[str, Any], sample_ids: tuple[str, ...], path: Path, require_split: bool = True
) -> dict[str, Split]:
    """Return the splits of an archive by name.

    Args:
        meta: The archive's JSON.
        sample_ids: Names of the samples in the archive.
        path: The JSON's path, for the message.
        require_split: Whether there must be at least one split, and none may have an empty part.

    Raises:
        DataError: If a split has an empty part or names a sample that the archive lacks.
    """
    archived = set(sample_ids)
    splits = {}
    for name, parts in meta.get("split", {}).items():
        if not isinstance(parts, dict) or not {"train", "val"} <= parts.keys():
            raise DataError(f"split {name!r} must have the parts train and val", path=path)
        for part in ("train", "val"):
            unknown = [sample for sample in parts[part] if sample not in archived]
            if unknown:
                raise DataError(
                    f"split {name!r} ({part}) names {len(unknown)} sample(s) the archive lacks",
                    path=path,
                    sample=unknown[0],
                )
        empty = [part for part in ("train", "val") if not parts[part]]
        if empty and require_split:
            raise DataError(f"split {name!r} has no sample in its part {empty[0]}", path=path)
        splits[str(name)] = Split(train=tuple(parts["train"]), test=tuple(parts["val"]))
    if not splits and not require_split:
        return {}
    if not splits:
        raise DataError("has no split", path=path)
    if meta.get("default_split", next(iter(splits))) not in splits:
        raise DataError(
            f"default_split {meta['default_split']!r} is not one of {', '.join(splits)}", path=path
        )
    return splits
