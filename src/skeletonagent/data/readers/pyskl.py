"""Reader of PYSKL's pickles of key points, in space or in an image with their confidence.

An annotation has ``frame_dir``, ``label``, ``keypoint`` (M, T, V, C) and, in an image,
``keypoint_score`` (M, T, V) and ``img_shape`` (height, width). Source: spec section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import (
    COCO_17,
    COCO_20,
    KINECT_20,
    KINECT_25,
    LAYOUTS,
    SkeletonLayout,
)
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark
from skeletonagent.data.convert.pipeline import DatasetReader
from skeletonagent.data.readers.pyskl_pickle import (
    STANDARD,
    PysklPickle,
    pickle_splits,
    read_annotations,
    read_pyskl_pickle,
)


@dataclass(frozen=True)
class Annotation:
    """Sample of a pickle.

    Args:
        sample_id: Name of the sample (``frame_dir``).
        label: Class index.
        keypoint: Key points (M, T, V, C); None for a sample that only a split names.
        confidence: Keypoint confidence (M, T, V), if any (``keypoint_score``).
        img_shape: Height and width of the image in pixels, if any.
    """

    sample_id: str
    label: int = 0
    keypoint: Any = None
    confidence: Any = None
    img_shape: Any = None


def pyskl_reader(
    path: Path,
    *,
    benchmark: Benchmark | None = None,
    layout: SkeletonLayout | None = None,
    class_names: Sequence[str] | None = None,
) -> DatasetReader:
    """Return a reader of a pickle of 2D or 3D key points.

    Args:
        path: The pickle.
        benchmark: Benchmark of the samples; by default it is detected by its classes and splits.
        layout: Layout of the skeletons; by default the benchmark's, or the usual one of V joints.
        class_names: Class names in the order of the labels; by default the benchmark's, or
            numbers.

    Raises:
        DataError: If the pickle cannot be read, or does not fit the other arguments.
    """
    table = read_pyskl_pickle(path)
    first = table.annotations[0]
    if not isinstance(first.get("keypoint"), np.ndarray) or first["keypoint"].ndim != 4:
        raise DataError(
            "holds no keypoint (M, T, V, C); if it is Kinetics' table of contents, name the folder "
            "of its kpfiles too",
            path=path,
            sample=first["frame_dir"],
        )
    v, has_confidence = first["keypoint"].shape[2], "keypoint_score" in first
    is_given = layout is not None
    benchmark = benchmark or detect_benchmark(v, table.classes, table.split_parts)
    if benchmark:
        layout, class_names = layout or benchmark.layout, class_names or benchmark.class_names
    name = benchmark.name if benchmark else None
    default = benchmark.default_split if benchmark else STANDARD
    return DatasetReader(
        name=name or path.stem,
        title=benchmark.title if benchmark else path.stem,
        layout=_fitting_layout(layout, v, has_confidence, path),
        class_names=_fitting_names(class_names, table.classes, path),
        items=list(_annotations(table)),
        read=partial(read_annotation, has_confidence=has_confidence, benchmark=name),
        splits=partial(pickle_splits, table.split_parts),
        default_split=default if default in table.split_parts else next(iter(table.split_parts)),
        has_confidence=has_confidence,
        layout_assumed=layout is None,
        layout_given=is_given,
    )


def read_pyskl_sequences(
    path: Path, confidence: bool = False, require_labels: bool = True
) -> list[SkeletonSequence]:
    """Return the samples of a pickle of 2D or 3D key points, which needs no splits.

    Args:
        path: The pickle: ``{"annotations": [...]}``, a list of annotations or a single one.
        confidence: Whether to add the keypoint confidence as last channel.
        require_labels: Whether each sample must have a label; if not, those without get
            :data:`~skeletonagent.data.validation.UNLABELLED`.

    Raises:
        DataError: If it cannot be read, a sample has no key points, or confidence is asked for
            and there is none.
    """
    return [
        read_annotation(_annotation(fields), has_confidence=confidence)
        for fields in read_annotations(path, require_labels)
    ]


def read_annotation(
    annotation: Annotation, *, has_confidence: bool = False, benchmark: str | None = None
) -> SkeletonSequence:
    """Return the sample of an annotation.

    Args:
        annotation: The annotation.
        has_confidence: Whether to add the keypoint confidence as last channel.
        benchmark: Name of the benchmark that the sample's subject is known from, if any.

    Raises:
        DataError: If it has no key points, or arrays that do not fit each other.
    """
    keypoint, confidence = annotation.keypoint, annotation.confidence
    if keypoint is None:
        raise DataError("has no annotation, only a split names it", sample=annotation.sample_id)
    if not _is_numbers(keypoint) or keypoint.ndim != 4:
        raise DataError("keypoint is no array (M, T, V, C)", sample=annotation.sample_id)
    if has_confidence:
        if not _is_numbers(confidence) or confidence.shape != keypoint.shape[:3]:
            raise DataError(
                f"keypoint_score is no array of keypoint's {keypoint.shape[:3]}",
                sample=annotation.sample_id,
            )
        keypoint = np.concatenate([keypoint, confidence[..., None]], axis=-1)
    joints = np.asarray(keypoint)
    return SkeletonSequence(
        joints=joints if joints.dtype.kind == "f" else joints.astype(np.float32),
        label=annotation.label,
        sample_id=annotation.sample_id,
        subject=BENCHMARKS[benchmark].subject(annotation.sample_id) if benchmark else None,
        image_size=_image_size(annotation.img_shape),
    )


def detect_benchmark(v: int, classes: int, splits: Mapping[str, Any]) -> Benchmark | None:
    """Return the benchmark with the given joints, classes and splits, if there is one.

    The number of classes may be smaller than the benchmark's, as in a subset of it, unless the
    split has the usual name :data:`STANDARD`, which identifies no benchmark.

    Args:
        v: Number of joints V.
        classes: Number of classes.
        splits: Splits by name.
    """
    for benchmark in BENCHMARKS.values():
        y = len(benchmark.class_names)
        same_classes = classes == y or (classes < y and STANDARD not in splits)
        same_splits = set(splits) == set(benchmark.protocols)
        if same_classes and same_splits and v == benchmark.layout.num_joints:
            return benchmark
    return None


def _annotations(table: PysklPickle) -> Iterator[Annotation]:
    """Yield the samples in order, then those without annotation that only a split names."""
    annotated = set()
    for fields in table.annotations:
        annotated.add(fields["frame_dir"])
        yield _annotation(fields)
    named = frozenset[str]().union(
        *(part for parts in table.split_parts.values() for part in parts)
    )
    yield from (Annotation(sample) for sample in sorted(named - annotated))


def _annotation(fields: Mapping[str, Any]) -> Annotation:
    arrays = (fields.get(key) for key in ("keypoint", "keypoint_score", "img_shape"))
    return Annotation(fields["frame_dir"], int(fields["label"]), *arrays)


def _is_numbers(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind in "fiu"


def _image_size(img_shape: Any) -> tuple[float, float] | None:
    """Return width and height of a pickle's ``img_shape``, which is height and width."""
    try:
        height, width = map(float, img_shape)
    except (TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _fitting_layout(
    layout: SkeletonLayout | None, v: int, has_confidence: bool, path: Path
) -> SkeletonLayout:
    """Return a layout if it has V joints; if None, the usual layout of V joints."""
    usual = (KINECT_25, COCO_17, COCO_20 if has_confidence else KINECT_20, *LAYOUTS.values())
    for candidate in (layout,) if layout else usual:
        if candidate.num_joints == v:
            return candidate
    expected = (
        f"{layout.name} has {layout.num_joints}"
        if layout
        else "no known layout has that number; give a layout file by --layout, or have bones found "
        "by 'skeletonagent data import'"
    )
    raise DataError(f"has {v} joints; {expected}", path=path)


def _fitting_names(names: Sequence[str] | None, classes: int, path: Path) -> tuple[str, ...]:
    """Return class names if there is one for each label; if None, numbers."""
    if names is None:
        return tuple(f"class {label}" for label in range(classes))
    if len(names) < classes:
        raise DataError(
            f"has labels up to {classes - 1}, but {len(names)} class names are for labels 0 to "
            f"{len(names) - 1}",
            path=path,
        )
    return tuple(names)
