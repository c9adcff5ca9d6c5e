"""Checks of a skeleton archive before it is used; each error says what is wrong.

Whoever writes or reads an archive checks it with :func:`check_content`, so that what one accepts,
the others do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.sequences import Split
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.recorded_layout import read_layout
from skeletonagent.data.split_table import read_splits

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

_LARGEST_SUBJECT = 2**31


@dataclass(frozen=True)
class ArchiveContent:
    """What an archive says of its samples, apart from their joints.

    Args:
        name: Short name.
        title: Display name.
        layout: Layout of the skeletons.
        sample_ids: Names of the samples.
        class_names: Class names in the order of the labels.
        splits: Splits by name.
        default_split: Name of the split that is used by default; empty without a split.
        fps: Frames a second; None if the archive does not say it.
    """

    name: str
    title: str
    layout: SkeletonLayout
    sample_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    default_split: str
    fps: float | None


def check_content(
    meta: Any,
    arrays: Mapping[str, np.ndarray],
    meta_path: Path,
    arrays_path: Path,
    require_labels: bool = True,
) -> ArchiveContent:
    """Return what an archive says of its samples, after checking all of it but its joints.

    Args:
        meta: Content of its JSON.
        arrays: Its arrays by name; they have labels, which may be :data:`UNLABELLED`.
        meta_path: Path of the JSON, for messages.
        arrays_path: Path of the arrays, for messages.
        require_labels: Whether labels, class names and splits are required.

    Raises:
        DataError: If something is missing, of another type, or contradicts the rest.
    """
    check_metadata(meta, meta_path, require_labels)
    check_arrays(arrays, arrays_path, require_labels)
    layout = read_layout(meta, meta_path, arrays["keypoint"])
    check_shapes(arrays, arrays_path)
    sample_ids = tuple(printable_line(sample) for sample in arrays["frame_dir"].tolist())
    class_names = tuple(printable_line(name).strip() for name in meta.get("class_names", ()))
    check_class_names(class_names, meta_path)
    check_labels(arrays["label"], sample_ids, class_names, arrays_path, require_labels)
    splits = read_splits(meta, sample_ids, meta_path, require_labels)
    name = printable_line(meta.get("name", arrays_path.stem))
    default = printable_line(meta.get("default_split", next(iter(splits), "")))
    return ArchiveContent(
        name=name,
        title=printable_line(meta.get("title", name)),
        layout=layout,
        sample_ids=sample_ids,
        class_names=class_names,
        splits=splits,
        default_split=default,
        fps=read_fps(meta, meta_path),
    )


def is_archive(path: Path) -> bool:
    """Return whether a path names a skeleton archive."""
    try:
        locate_archive(path)
    except DataError:
        return False
    return True


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
        raise DataError(
            "no such file; an archive is NAME.npz with NAME.json beside it, which "
            "'skeletonagent data import' makes of recordings of other formats",
            path=meta,
        )
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
            raise DataError(f"{key} must be a {kind.__name__}, got {brief(meta[key])}", path=path)
    for key in ("class_names", "joint_names"):
        odd = [value for value in meta.get(key, ()) if not _is_text(value)]
        if odd:
            raise DataError(f"{key} must hold names, got {brief(odd[0])}", path=path)
    for key in ("name", "title", "layout", "default_split"):
        if key in meta and not _is_text(meta[key]):
            raise DataError(f"{key} must be a name, got {brief(meta[key])}", path=path)
    return meta


def _is_text(value: object) -> bool:
    """Return whether a value is a name; a number may stand for one."""
    return isinstance(value, str | int) and not isinstance(value, bool)


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


def read_fps(meta: Mapping[str, Any], path: Path) -> float | None:
    """Return the frame rate that an archive's JSON says, None if it says none.

    Raises:
        DataError: If it is no number above 0.
    """
    fps = meta.get("fps")
    if fps is None:
        return None
    if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0 < fps < float("inf"):
        raise DataError(
            f"fps must be a number of frames a second above 0, got {brief(fps)}", path=path
        )
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
    counts = arrays["num_person"], arrays["total_frames"]
    if samples == 0 or any((count < 1).any() for count in counts):
        raise DataError("is empty or has a sample without frames or persons", path=path)
    fits = all((count <= len(keypoint)).all() for count in counts)  # their product cannot overflow
    frames = counts[0].astype(np.int64) * counts[1].astype(np.int64) if fits else np.zeros(0)
    expected = np.concatenate([[0], np.cumsum(frames)])
    if (
        offset.shape != expected.shape
        or (offset != expected).any()
        or len(keypoint) != expected[-1]
    ):
        raise DataError("offset does not fit num_person x total_frames and keypoint", path=path)


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
    subjects = arrays.get("subject", np.zeros(1))
    if (abs(subjects) >= _LARGEST_SUBJECT).any():
        raise DataError(f"subject must be numbers below {_LARGEST_SUBJECT}", path=path)
    if "image_size" in arrays and not (arrays["image_size"] > 0).all():
        raise DataError("image_size must be width and height in pixels, above 0", path=path)


def check_class_names(class_names: Sequence[str], path: Path | None = None) -> None:
    """Check that each class has a name of its own.

    Benchmarks may have names twice, as FineGYM has.

    Args:
        class_names: Names in the order of the labels.
        path: File that they are in, for the message.

    Raises:
        DataError: If a name is empty, or two classes have the same.
    """
    labels = defaultdict(list)
    for label, name in enumerate(class_names):
        labels[name].append(label)
    if "" in labels:
        raise DataError(f"the class of label {labels[''][0]} has no name", path=path)
    twice = next((name for name, places in labels.items() if len(places) > 1), None)
    known = (benchmark.class_names for benchmark in BENCHMARKS.values())
    if twice is not None and tuple(class_names) not in known:
        places = " and ".join(map(str, labels[twice][:2]))
        raise DataError(
            f"the labels {places} have the same class name {twice!r}; give each one of its own",
            path=path,
        )


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
