"""Data sets: written as archives, opened as stored, and preprocessed for training and testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.archive import read_archive, write_archive
from skeletonagent.data.clip_measures import measure_some
from skeletonagent.data.data_remarks import one_class_remarks, preprocessing_remarks
from skeletonagent.data.layout_files import find_layout
from skeletonagent.data.placement import open_on_disk, stays_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import DataSettings, Scale
from skeletonagent.data.synthetic.generate import synthetic_dataset

SYNTHETIC = "synthetic"
"""Name of the generated data set in place of an archive's path."""


def prepare_dataset(settings: DataSettings) -> SkeletonData:
    """Return the data set of a configuration, preprocessed.

    Frames that stay on disk are preprocessed whenever they are read.

    Raises:
        DataError: If it cannot be used.
    """
    prepare = Preprocessor.from_settings(settings)
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.placement):
        data = open_on_disk(path, settings.confidence, prepare)
        stored = data.host_frames.store.input_format
        if settings.confidence:  # held apart from the coordinates
            stored = replace(stored, channels=stored.channels + 1, has_confidence=True)
        measures = measure_some(data.host_frames.store, 2 if settings.dims == 2 else None)
        return replace(data, input_format=stored, stored_measures=measures)
    return preprocess_dataset(open_dataset(settings.archive, settings.confidence), prepare)


def open_dataset(archive: str | Path, confidence: bool = False) -> SkeletonData:
    """Return a data set as it is stored, not preprocessed.

    Args:
        archive: Path of a skeleton archive, or ``synthetic`` for the generated data set.
        confidence: Whether the detector's confidence is added as last channel.

    Raises:
        DataError: If its structure is damaged.

    Examples:
        >>> import skeletonagent as sa
        >>> data = sa.open_dataset("skeletons/mine")
        >>> data.store.layout.name, len(data.store), list(data.splits)
        ('coco-17', 12, ['halves'])
    """
    if str(archive) == SYNTHETIC:
        return synthetic_dataset()
    return read_archive(Path(archive), confidence)


def prepare_named_dataset(
    settings: DataSettings, archive: str | Path | None, purpose: str
) -> SkeletonData:
    """Return a data set ready for use, of the settings or of another archive that was named.

    Args:
        settings: Settings of the training.
        archive: Archive in place of theirs, if it is given.
        purpose: What the data are needed for, in words that a message begins with.

    Raises:
        DataError: If it cannot be used; it names the option for another archive.
    """
    named = settings if archive is None else replace(settings, archive=str(archive))
    try:
        return prepare_dataset(named)
    except DataError as error:
        raise DataError(f"{purpose}; name their archive with --data: {error}") from error


def open_stored(settings: DataSettings) -> SkeletonData:
    """Return the data set of a configuration as it is stored; frames may stay on disk.

    Raises:
        DataError: If its structure is damaged.
    """
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.placement):
        data = open_on_disk(path, settings.confidence, Preprocessor())
        return replace(data, store=data.host_frames.store)
    return open_dataset(settings.archive, settings.confidence)


def absolute_archive(archive: str) -> str:
    """Return the path of an archive from the root, so that a run finds it from any folder."""
    path = Path(archive)
    names = (path, path.with_name(f"{path.name}.npz"), path.with_name(f"{path.name}.json"))
    lies_there = archive != SYNTHETIC and any(name.exists() for name in names)
    return str(path.resolve()) if lies_there else archive


def preprocess_dataset(data: SkeletonData, preprocess: Preprocessor | None = None) -> SkeletonData:
    """Return a data set in memory preprocessed; one that was preprocessed already stays as it is.

    Raises:
        DataError: If a joint is not finite, naming the sample.
    """
    if data.input_format is not None:
        return data
    preprocess = preprocess or Preprocessor()
    store = preprocess(data.store)
    if store.frames.data_ptr() == data.store.frames.data_ptr():
        # They may lie in a mapped file: the process would end where others cut it.
        store = replace(store, frames=store.frames.clone())
    remarks = preprocessing_remarks(data.store, store, preprocess.absent_rule, preprocess.scale)
    return replace(
        data,
        store=store,
        remarks=(*data.remarks, *remarks),
        input_format=data.store.input_format,
        stored_measures=measure_some(data.store, 2 if preprocess.dims == 2 else None),
    )


def remarks_on_dataset(data: SkeletonData) -> list[str]:
    """Return a line for what the preset ``default`` leaves out, and for splits of one class."""
    prepared = preprocess_dataset(data, Preprocessor(Scale.BODY))
    splits = data.splits.items()
    lines = [line for name, split in splits for line in one_class_remarks(data, name, split)]
    return [*prepared.remarks, *lines]


def write_dataset(
    clips: Sequence[SkeletonSequence],
    *,
    layout: str | SkeletonLayout,
    class_names: Sequence[str],
    splits: Mapping[str, Split | tuple[Sequence[str], Sequence[str]]],
    path: str | Path,
    title: str | None = None,
    has_confidence: bool = False,
) -> Path:
    """Write samples as a skeleton archive, NAME.npz with NAME.json beside it; return its path.

    Args:
        clips: Samples with labels; joints with NaN were not seen.
        layout: Skeleton, or the name of a known one, such as ``coco-17`` or ``kinect-25``.
        class_names: Names in the order of the labels.
        splits: For each split by name, the sample ids of its training and its test part.
        path: Path of the archive, with or without ``.npz``.
        title: Name for people; by default that of the file.
        has_confidence: Whether the last channel is the detector's confidence.

    Raises:
        ConfigError: If no layout has that name.
        DataError: If a sample has other joints, a label without a name or infinite numbers, a
            sample id repeats, or a split names samples that are not there.

    Examples:
        >>> import numpy as np
        >>> import skeletonagent as sa
        >>> rng = np.random.default_rng(0)
        >>> clips = [
        ...     sa.SkeletonSequence(rng.normal(size=(1, 20, 17, 2)), label=n % 2, sample_id=f"s{n}")
        ...     for n in range(4)
        ... ]
        >>> path = sa.write_dataset(
        ...     clips,
        ...     layout="coco-17",
        ...     class_names=["sit", "stand"],
        ...     splits={"main": (["s0", "s1"], ["s2", "s3"])},
        ...     path="skeletons/small",
        ... )
        >>> path.name, len(sa.open_dataset(path).store)
        ('small.npz', 4)
    """
    target = Path(path).expanduser()
    name = target.name.removesuffix(".npz")
    skeleton = resolve_layout(layout)
    samples = [_labelled(clip, skeleton, len(class_names), target) for clip in clips]
    ids = {sample.sample_id for sample in samples}
    if len(ids) < len(samples) or not samples:
        raise DataError("needs samples, each with a sample_id of its own", path=target)
    parts = {
        split: part if isinstance(part, Split) else Split(tuple(part[0]), tuple(part[1]))
        for split, part in splits.items()
    }
    for split, part in parts.items():
        if missing := sorted({*part.train, *part.test} - ids):
            raise DataError(f"split {split!r} names samples that are not there: {missing[:3]}",
                            path=target)  # fmt: skip
    if not parts:
        raise DataError("needs a split, a training and a test part", path=target)
    store = ClipStore.from_sequences(samples, skeleton, class_names, has_confidence)
    data = SkeletonData(name, title or name, store, parts, next(iter(parts)))
    return write_archive(data, target.parent)


def _labelled(
    clip: SkeletonSequence, layout: SkeletonLayout, classes: int, path: Path
) -> SkeletonSequence:
    """Return a sample as an archive holds it: single precision, zeros where nothing was seen."""
    joints = np.array(clip.joints, dtype=np.float32)
    joints[np.isnan(joints).any(axis=-1)] = 0
    problem = None
    if joints.ndim != 4 or joints.shape[2] != layout.num_joints or not joints.size:
        problem = f"has shape {joints.shape}; wanted is (M, T, {layout.num_joints}, C)"
    elif not np.isfinite(joints).all():
        problem = "holds infinite numbers; joints that were not seen are NaN"
    elif not 0 <= clip.label < classes:
        problem = f"has label {clip.label}, and there are {classes} class names"
    if problem:
        raise DataError(problem, path=path, sample=clip.sample_id)
    return replace(clip, joints=joints)


def resolve_layout(layout: str | SkeletonLayout) -> SkeletonLayout:
    """Return the layout of a name or of a layout file; a layout stays as it is.

    Raises:
        ConfigError: If it is neither the name of a layout nor a file.
        DataError: If the file describes no skeleton.
    """
    return find_layout(layout)
