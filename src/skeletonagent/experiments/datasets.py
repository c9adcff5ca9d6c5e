"""Data sets of a configuration: as they are stored, or preprocessed for training and testing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from skeletonagent.core.clips import SkeletonData
from skeletonagent.data.archive import read_archive
from skeletonagent.data.placement import open_on_disk, stays_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.synthetic.generate import synthetic_dataset

SYNTHETIC = "synthetic"
"""Name of the generated data set in place of an archive's path."""


def prepare_dataset(settings: DataSettings) -> SkeletonData:
    """Return the data set of a configuration, preprocessed.

    Frames that stay on disk are preprocessed whenever they are read.

    Raises:
        DataError: If it cannot be used.
    """
    prepare = Preprocessor(settings.scale, settings.origin)
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.placement):
        data = open_on_disk(path, settings.confidence, prepare)
        stored = data.host_frames.store.input_format
        if settings.confidence:  # held apart from the coordinates
            stored = replace(stored, channels=stored.channels + 1, has_confidence=True)
        return replace(data, input_format=stored)
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
    return replace(data, store=preprocess(data.store), input_format=data.store.input_format)
