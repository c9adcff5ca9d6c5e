"""Reader of PYSKL's pickles of key points, in space or in an image with their confidence.

An annotation has ``frame_dir``, ``label``, ``keypoint`` (M, T, V, C) and, in an image,
``keypoint_score`` (M, T, V) and ``img_shape`` (height, width). Source: spec section 4.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import (
    COCO_17,
    COCO_20,
    KINECT_20,
    KINECT_25,
    LAYOUTS,
    SkeletonLayout,
)
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark
from skeletonagent.data.convert.pipeline import DatasetReader
from skeletonagent.data.identification import SampleFacts, contradiction, identify_benchmark
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
    v, c, has_confidence = _shape_of_joints(table)
    identity, is_given = "", layout is not None
    facts = SampleFacts(table.labels, table.split_parts, v, c)
    if benchmark is None:
        benchmark, identity = identify_benchmark(facts)
        if benchmark is None and identity:
            warnings.warn(f"{path}: {identity}", stacklevel=2)
    elif not is_given and (problem := contradiction(benchmark, facts)):
        raise DataError(f"is not {benchmark.title}: {problem}", path=path)
    if class_names and len(class_names) > table.classes:
        last = f"the last {len(class_names) - table.classes} of {len(class_names)} class names"
        warnings.warn(f"{path}: {last} have no sample", stacklevel=2)
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
        identity=identity if benchmark else "",
    )


def _shape_of_joints(table: PysklPickle) -> tuple[int, int, bool]:
    """Return the numbers of joints and coordinates of most samples, and whether any has scores.

    Raises:
        DataError: If no sample has key points, or they are no coordinates.
    """
    keypoints: list[Any] = [fields.get("keypoint") for fields in table.annotations]
    shapes = Counter(
        tuple(array.shape[2:]) for array in keypoints if _is_numbers(array) and array.ndim == 4
    )
    if not shapes:
        raise DataError(
            f"holds no keypoint (M, T, V, C), an array of bodies, frames, joints and 2 or 3 "
            f"coordinates, but {_looks(keypoints[0])}; {_what_to_do(keypoints[0])}",
            path=table.path,
            sample=table.annotations[0]["frame_dir"],
        )
    (v, c), _ = shapes.most_common(1)[0]
    if c not in (2, 3):
        raise DataError(
            f"has {c} numbers for each joint; x and y, or x, y and z are wanted, and the "
            "confidence in keypoint_score",
            path=table.path,
        )
    scored = any(fields.get("keypoint_score") is not None for fields in table.annotations)
    if c == 3 and not scored and all(map(_ends_in_confidence, table.annotations)):
        raise DataError(
            "keypoint looks like x, y and confidence, for it is of an image and the third number "
            "is between 0 and 1; give keypoint (M, T, V, 2) and keypoint_score (M, T, V)",
            path=table.path,
        )
    return v, c, scored


def _what_to_do(keypoint: Any) -> str:
    if keypoint is None:
        return "if it is Kinetics' table of contents, name the folder of its kpfiles too"
    if _is_numbers(keypoint) and keypoint.ndim == 3:
        return "where there is one body and no axis of bodies, store keypoint[None]"
    return "store numpy.asarray(keypoint) with these four axes"


def _looks(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def _ends_in_confidence(fields: Mapping[str, Any]) -> bool:
    """Return whether the third number of the joints of a sample in an image may be a confidence."""
    keypoint: Any = fields.get("keypoint")
    if _image_size(fields.get("img_shape")) is None:
        return False
    if not _is_numbers(keypoint) or keypoint.ndim != 4 or keypoint.shape[3] != 3:
        return True  # says nothing
    return bool(((keypoint[..., 2] >= 0) & (keypoint[..., 2] <= 1)).all())


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
        if confidence is None:
            raise DataError(
                "has no keypoint_score, which other samples have", sample=annotation.sample_id
            )
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
