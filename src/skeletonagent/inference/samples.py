"""Samples from arrays and files, checked against the format that a recognizer was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from skeletonagent.core.errors import DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.core.npz_files import is_npy, read_npy, read_npz
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.core.tensor_like import TensorLike, as_numpy
from skeletonagent.data.archive import Archive
from skeletonagent.data.keypoints.recorded import is_recorded
from skeletonagent.data.readers.pyskl import read_pyskl_sequences
from skeletonagent.data.settings import Scale
from skeletonagent.data.validation import UNLABELLED, is_archive
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.runtime.body_arrays import BodyArrays
from skeletonagent.runtime.preparation import with_middles

Joints = np.ndarray | TensorLike
"""Joints of one sample: (T, V, C) of one body or (M, T, V, C) of several."""

DEPTH_LEFT_OUT = "of its joints in 3D, x and y are taken: the recognizer was trained in 2D"
"""What is said where depth is left out."""

ImageSize = tuple[float, float]
"""Width and height of an image, in pixels."""


def read_samples(
    joints: Joints | str | Path | Sequence[Any],
    input_format: InputFormat,
    image_size: ImageSize | None = None,
    fps: float | None = None,
) -> list[SkeletonSequence]:
    """Return the samples in an array, a file, or a list of either; none has a label.

    Args:
        joints: One array, the path of an array (.npy, .npz), of an archive or of a PYSKL pickle,
            or a list of these.
        input_format: Joints and channels the recognizer was trained on.
        image_size: Width and height of the samples' images, where a file does not say them.
        fps: Frames a second of the samples, where a file does not say them.

    Raises:
        DataError: If a sample does not have the wanted joints and channels, holds infinite
            numbers or no frame, or a file cannot be read; the sample and the file are named.
    """
    if isinstance(joints, (str, Path)):
        samples = _read_file(Path(joints).expanduser(), input_format)
    elif isinstance(joints, (list, tuple)) and _are_samples(joints):
        samples = [
            sample
            for number, item in enumerate(joints)
            for sample in (
                _read_file(Path(item).expanduser(), input_format)
                if isinstance(item, (str, Path))
                else [sample_from_array(item, str(number), input_format)]
            )
        ]
    else:
        samples = [sample_from_array(joints, "0", input_format)]
    return [with_size_and_rate(sample, image_size, fps) for sample in samples]


def _are_samples(items: Sequence[Any]) -> bool:
    """Return whether a list is one of samples, and not one sample as nested lists of numbers."""
    return all(isinstance(item, (np.ndarray, TensorLike, str, Path)) for item in items)


def sample_from_array(
    joints: Any, sample_id: str, input_format: InputFormat, path: Path | None = None
) -> SkeletonSequence:
    """Return a sample of which joints that were not seen are zeros.

    Args:
        joints: Numbers of shape (T, V, C) or (M, T, V, C); a joint with NaN was not seen.
        sample_id: Name of the sample.
        input_format: Joints and channels the recognizer was trained on.
        path: File the joints come from.

    Raises:
        DataError: If shape or numbers are not as wanted.
    """
    array = _without_depth(_as_numbers(joints), input_format)
    v, c = input_format.layout.num_joints, input_format.channels
    expected = (
        f"wanted is (T, {v}, {c}) for one body or (M, T, {v}, {c}) for several: frames, joints of "
        f"{input_format.layout.name}, channels {', '.join(input_format.channel_names)}"
    )
    if array is None:
        raise DataError(f"is no array of numbers; {expected}", path=path, sample=sample_id)
    shape = tuple(array.shape)
    given_layout = _given_layout(shape, input_format)
    if given_layout is None:
        problem = _wrong_shape(shape, input_format)
        raise DataError(f"has shape {shape}{problem}; {expected}", path=path, sample=sample_id)
    if not array.size:
        raise DataError(f"has shape {shape}, so nothing to see; {expected}", path=path,
                        sample=sample_id)  # fmt: skip
    with np.errstate(over="ignore"):
        bodies = array.reshape(-1, *shape[-3:]).astype(np.float32)  # a copy, and four dimensions
    if np.isinf(bodies).any():
        raise DataError(
            "holds infinite numbers, or larger ones than single precision has; joints that were "
            "not seen are NaN",
            path=path,
            sample=sample_id,
        )
    bodies[np.isnan(bodies).any(axis=-1)] = 0
    if given_layout != input_format.layout:
        whole = BodyArrays.of(bodies, input_format.coordinates)
        bodies = with_middles(whole, of_seen_joints=False).frames
    return SkeletonSequence(bodies, UNLABELLED, sample_id)


def _without_depth(
    array: Shaped[np.ndarray, "..."] | None, input_format: InputFormat
) -> Shaped[np.ndarray, "..."] | None:
    """Return joints in 3D without depth, which is said, where the recognizer takes those in 2D."""
    if array is None or array.ndim not in (3, 4) or input_format.has_confidence:
        return array
    if (input_format.coordinates, array.shape[-1]) != (2, 3):
        return array
    warnings.warn(DEPTH_LEFT_OUT, stacklevel=4)
    return array[..., :2]


def _given_layout(shape: tuple[int, ...], input_format: InputFormat) -> SkeletonLayout | None:
    """Return the layout of joints of a shape: the wanted one, or COCO-17 that can be completed."""
    if len(shape) not in (3, 4) or shape[-1] != input_format.channels:
        return None
    accepted = (
        (input_format.layout, COCO_17)
        if _is_coco_20(input_format.layout)
        else (input_format.layout,)
    )
    return next((layout for layout in accepted if layout.num_joints == shape[-2]), None)


def _is_coco_20(layout: SkeletonLayout) -> bool:
    return layout.joints == COCO_20.joints


def _as_numbers(joints: Any) -> Shaped[np.ndarray, "..."] | None:
    """Return joints as an array, None where they are no numbers or not all of one shape."""
    try:
        array = np.asarray(as_numpy(joints))
    except ValueError:  # lists of different lengths
        return None
    return array if array.dtype.kind in "fiu" else None


def _wrong_shape(shape: tuple[int, ...], input_format: InputFormat) -> str:
    """Return in what a shape differs from the wanted one, in words."""
    if len(shape) not in (3, 4):
        return f", {len(shape)} dimension(s)"
    v, c = shape[-2:]
    wrong = [f"{v} joints in place of {input_format.layout.num_joints}"] * (
        v != input_format.layout.num_joints
    ) + [f"{c} channels in place of {input_format.channels}"] * (c != input_format.channels)
    return f": {' and '.join(wrong)}"


def with_size_and_rate(
    sample: SkeletonSequence, size: ImageSize | None, fps: float | None
) -> SkeletonSequence:
    """Return a sample with the size of its image and its frame rate, where it has none."""
    known = None if size is None else (float(size[0]), float(size[1]))
    return replace(sample, image_size=sample.image_size or known, fps=sample.fps or fps)


def _read_file(path: Path, input_format: InputFormat) -> list[SkeletonSequence]:
    """Return the samples of a file.

    Raises:
        DataError: If there is none, it is of no kind that can be read, or a sample is not wanted.
    """
    if not path.exists() and not path.with_suffix(".npz").exists():
        raise DataError("there is no such file", path=path)
    reader = _READERS.get(path.suffix.lower(), _read_archive)
    samples = list(reader(path, input_format))
    if not samples:
        raise DataError("holds no sample", path=path)
    return samples


def holds_samples(path: Path) -> bool:
    """Return whether a path is one of arrays, of a PYSKL pickle or of a skeleton archive."""
    if is_recorded(path):
        return False
    if path.suffix.lower() in _READERS:
        return True
    return is_archive(path)


def _read_array(path: Path, input_format: InputFormat) -> Iterator[SkeletonSequence]:
    yield sample_from_array(_load(path), path.stem, input_format, path)


def _read_arrays(path: Path, input_format: InputFormat) -> Iterator[SkeletonSequence]:
    """Yield the samples of an npz file: those of an archive, or else each array as one."""
    arrays = _load(path)
    if "keypoint" in arrays or path.with_suffix(".json").exists():
        yield from _read_archive(path, input_format)
        return
    for name, array in arrays.items():
        sample_id = path.stem if len(arrays) == 1 else f"{path.stem}/{name}"
        yield sample_from_array(array, sample_id, input_format, path)


def _load(path: Path) -> Any:
    """Return the array of an npy file, or the arrays of an npz file by name."""
    return read_npy(path) if is_npy(path) else read_npz(path)


def _read_archive(path: Path, input_format: InputFormat) -> Iterator[SkeletonSequence]:
    """Yield the samples of a skeleton archive, which needs no labels and no splits."""
    archive = Archive.open(path, mode="c", require_labels=False)
    require_joints(archive.content.layout, input_format, path)
    for sequence in archive.sequences(confidence=input_format.has_confidence):
        yield checked_sample(sequence, input_format, path)


def require_joints(layout: SkeletonLayout, input_format: InputFormat, path: Path) -> None:
    """Check that an archive has the joints of a recognizer, or those that can be completed.

    Args:
        layout: Skeleton of the archive.
        input_format: Joints and channels the recognizer was trained on.
        path: The archive, for the message.

    Raises:
        DataError: If it has others.
    """
    completed = _is_coco_20(input_format.layout) and layout.joints == COCO_17.joints
    if layout.joints != input_format.layout.joints and not completed:
        raise DataError(
            f"has the {layout.num_joints} joints of {layout.name}; the recognizer "
            f"was trained on the {input_format.layout.num_joints} of {input_format.layout.name}",
            path=path,
        )


def _read_pickle(path: Path, input_format: InputFormat) -> Iterator[SkeletonSequence]:
    """Yield the samples of a PYSKL pickle, which needs no labels and no splits."""
    for sequence in read_pyskl_sequences(path, input_format.has_confidence, require_labels=False):
        yield checked_sample(sequence, input_format, path)


def checked_sample(
    sequence: SkeletonSequence, input_format: InputFormat, path: Path | None = None
) -> SkeletonSequence:
    """Return a sample of a file as :func:`sample_from_array` returns one, errors as there."""
    sample = sample_from_array(sequence.joints, sequence.sample_id, input_format, path)
    return with_size_and_rate(sample, sequence.image_size, sequence.fps)


_READERS: Mapping[str, Callable[[Path, InputFormat], Iterator[SkeletonSequence]]] = {
    ".npy": _read_array,
    ".npz": _read_arrays,
    ".pkl": _read_pickle,
    ".pickle": _read_pickle,
}
"""Readers by the end of a file's name; everything else is taken for an archive."""


def most_seen_bodies(
    sample: SkeletonSequence, input_format: InputFormat, room: int
) -> SkeletonSequence:
    """Return a sample with at most ``room`` bodies: those of most joints seen, in their order.

    What is left out is said in a warning, and so is a sample in which no joint was seen.
    """
    seen = sample.joints[..., : input_format.coordinates].any(axis=-1).sum(axis=(1, 2))  # per body
    if not seen.any():
        warnings.warn(
            f"sample {sample.sample_id!r}: no joint was seen, so its prediction says nothing",
            stacklevel=2,
        )
    if len(seen) <= room:
        return sample
    if np.count_nonzero(seen) > room:
        warnings.warn(
            f"sample {sample.sample_id!r}: the recognizer has room for {room} of its {len(seen)} "
            "bodies; those seen most are taken",
            stacklevel=2,
        )
    kept = np.sort(np.argsort(-seen, kind="stable")[:room])
    joints: Float[np.ndarray, "m t v c"] = sample.joints[kept]
    return replace(sample, joints=joints)


def stored_as_in_training(
    samples: Sequence[SkeletonSequence], metadata: RecognizerMetadata
) -> list[SkeletonSequence]:
    """Return samples whose names are their positions, with the sizes of their images if needed.

    Args:
        samples: Samples in the input format of a recognizer.
        metadata: What the recognizer was trained on.

    Raises:
        DataError: If the size of a sample's image is needed and not known.
    """
    divided = metadata.config.data.scale is Scale.IMAGE and metadata.input_format.has_image_sizes
    for sample in samples:
        if divided and sample.image_size is None:
            raise DataError(
                "needs image_size=(width, height), by whose longer side coordinates were "
                "divided in training",
                sample=sample.sample_id,
            )
    return [
        SkeletonSequence(
            sample.joints,
            sample.label,
            str(number),
            image_size=sample.image_size if divided else None,
        )
        for number, sample in enumerate(samples)
    ]


def names_lengths_and_rates(
    samples: Sequence[SkeletonSequence],
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[float | None, ...]]:
    """Return name, number of frames and frame rate of each sample."""
    return (
        tuple(sample.sample_id for sample in samples),
        tuple(int(sample.joints.shape[1]) for sample in samples),
        tuple(sample.fps for sample in samples),
    )
