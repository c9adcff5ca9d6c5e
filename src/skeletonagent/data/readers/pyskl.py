"""PYSKL's pickles of key points in space, or in an image with the detector's confidence.

An annotation of theirs has ``frame_dir``, ``label``, ``keypoint`` (M, T, V, C) and, in an image,
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
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_20, KINECT_25, SkeletonLayout
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
    """A sample of a pickle; one that only a split names has no key points."""

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
    """Return the samples of a pickle of 2D or 3D key points.

    Args:
        path: The pickle.
        benchmark: What it is; by default it is recognised if it is one of :data:`BENCHMARKS`.
        layout: The skeleton; by default the benchmark's, or the usual one of V joints.
        class_names: Names in the order of the labels; by default the benchmark's, or numbers.

    Raises:
        DataError: If it cannot be read or does not fit what is said of it.
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
    """Return the joints of an annotation, followed by their scores if the others have some.

    Raises:
        DataError: If it has no key points, or arrays that do not fit each other.
    """
    keypoint, score = annotation.keypoint, annotation.confidence
    if keypoint is None:
        raise DataError("has no annotation, only a split names it", sample=annotation.sample_id)
    if not _is_numbers(keypoint) or keypoint.ndim != 4:
        raise DataError("keypoint is no array (M, T, V, C)", sample=annotation.sample_id)
    if has_confidence:
        if not _is_numbers(score) or score.shape != keypoint.shape[:3]:
            raise DataError(
                f"keypoint_score is no array of keypoint's {keypoint.shape[:3]}",
                sample=annotation.sample_id,
            )
        keypoint = np.concatenate([keypoint, score[..., None]], axis=-1)
    joints = np.asarray(keypoint)
    return SkeletonSequence(
        joints=joints if joints.dtype.kind == "f" else joints.astype(np.float32),
        label=annotation.label,
        sample_id=annotation.sample_id,
        subject=BENCHMARKS[benchmark].subject(annotation.sample_id) if benchmark else None,
        image_size=_image_size(annotation.img_shape),
    )


def detect_benchmark(v: int, classes: int, splits: Mapping[str, Any]) -> Benchmark | None:
    """Return the benchmark that has V joints, these splits and so many classes.

    Splits of the usual names tell nothing, so that the number of classes must be right then;
    a part of a benchmark that is known by its splits may lack some classes.
    """
    for benchmark in BENCHMARKS.values():
        y = len(benchmark.class_names)
        enough = classes == y or (classes < y and STANDARD not in splits)
        named = set(splits) == set(benchmark.protocols)
        if enough and named and v == benchmark.layout.num_joints:
            return benchmark
    return None


def _annotations(table: PysklPickle) -> Iterator[Annotation]:
    """Yield the samples in order, then those that only a split names."""
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
    """Return width and height of what a pickle has as height and width, if it has them."""
    try:
        height, width = map(float, img_shape)
    except (TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _fitting_layout(
    layout: SkeletonLayout | None, v: int, has_confidence: bool, path: Path
) -> SkeletonLayout:
    """Return the layout if it has V joints; without one, the usual one of V joints."""
    usual = (KINECT_25, COCO_17, COCO_20 if has_confidence else KINECT_20)
    for candidate in (layout,) if layout else usual:
        if candidate.num_joints == v:
            return candidate
    known = f"{layout.name} has {layout.num_joints}" if layout else "no layout of so many is known"
    raise DataError(f"has {v} joints; {known}", path=path)


def _fitting_names(names: Sequence[str] | None, classes: int, path: Path) -> tuple[str, ...]:
    """Return the names if they do for all labels; without any, numbers."""
    if names is None:
        return tuple(f"class {label}" for label in range(classes))
    if len(names) < classes:
        raise DataError(
            f"has labels up to {classes - 1}, but {len(names)} class names do for labels 0 to "
            f"{len(names) - 1}",
            path=path,
        )
    return tuple(names)
