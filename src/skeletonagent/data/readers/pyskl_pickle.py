"""Content of PYSKL's pickles: annotations, and the sample ids of each part of a split.

A file is ``{"split": {part: [frame_dir, ...]}, "annotations": [{"frame_dir", "label", ...},
...]}``. Source: spec section 4.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.sequences import Split
from skeletonagent.data.readers.safe_pickle import load_restricted
from skeletonagent.data.validation import UNLABELLED

STANDARD = "standard"
"""Name of a split whose parts have the plain names ``train`` and ``val``."""

_MAX_LABELS = 1 << 15
"""Number of labels that an archive can store."""

_PART = re.compile(r"(?:(?P<prefix>.*?)_?)(?P<part>train|val|test)(?P<number>\d*)")


@dataclass(frozen=True)
class PysklPickle:
    """Content of a pickle, after checking its structure.

    Args:
        path: The file.
        annotations: Annotation of each sample; ``frame_dir`` is unique text, ``label`` a number.
        split_parts: Sample ids of the training and the test set of each split.
    """

    path: Path
    annotations: list[dict[str, Any]]
    split_parts: Mapping[str, tuple[frozenset[str], frozenset[str]]]

    @property
    def labels(self) -> Mapping[str, int]:
        """Label of each sample by its id."""
        return {fields["frame_dir"]: int(fields["label"]) for fields in self.annotations}

    @property
    def classes(self) -> int:
        """Number of classes up to the largest label."""
        return 1 + max(int(annotation["label"]) for annotation in self.annotations)


def read_pyskl_pickle(path: Path) -> PysklPickle:
    """Return the annotations and splits of a pickle.

    Raises:
        DataError: If it cannot be read, holds anything but plain values and arrays, or does not
            have the structure of PYSKL's pickles.
    """
    contents = load_restricted(path)
    if not isinstance(contents, dict) or not {"split", "annotations"} <= contents.keys():
        raise DataError(
            "holds no PYSKL data: 'split' and 'annotations' are expected; other pickles, such as "
            "lists of annotations, are read by 'skeletonagent data import'",
            path=path,
        )
    split = contents["split"]
    if not isinstance(split, dict) or not all(_is_part(item) for item in split.items()):
        raise DataError("split must list sample ids by the name of a part", path=path)
    annotations = _checked_annotations(contents["annotations"], path, require_labels=True)
    return PysklPickle(path, annotations, _paired(split, path))


def read_annotations(path: Path, require_labels: bool = True) -> list[dict[str, Any]]:
    """Return the annotations of a pickle, which needs no splits.

    Args:
        path: The pickle: ``{"annotations": [...]}``, a list of annotations or a single one.
        require_labels: Whether each annotation must have a label; if not, those without get
            :data:`~skeletonagent.data.validation.UNLABELLED`.

    Raises:
        DataError: If it cannot be read, holds anything but plain values and arrays, or has no
            annotations.
    """
    contents = load_restricted(path)
    if isinstance(contents, dict):
        contents = [contents] if "frame_dir" in contents else contents.get("annotations")
    return _checked_annotations(contents, path, require_labels)


def _checked_annotations(
    annotations: Any, path: Path, require_labels: bool
) -> list[dict[str, Any]]:
    if not isinstance(annotations, list) or not annotations:
        raise DataError("annotations must be a list of samples", path=path)
    checked = annotations if require_labels else [_with_label(fields) for fields in annotations]
    lowest = 0 if require_labels else UNLABELLED
    names: set[str] = set()
    for number, annotation in enumerate(checked):
        problem = _problem(annotation, names, lowest)
        if problem:
            raise DataError(f"annotation {number} {problem}", path=path)
        names.add(annotation["frame_dir"])
    return checked


def _with_label(annotation: Any) -> Any:
    """Return an annotation with a label; without one it is unlabelled."""
    if isinstance(annotation, dict) and annotation.get("label") is None:
        return {**annotation, "label": UNLABELLED}
    return annotation


def pickle_splits(
    parts: Mapping[str, tuple[frozenset[str], frozenset[str]]], sample_ids: Sequence[str]
) -> dict[str, Split]:
    """Return the splits of the samples that were read, in the order of the samples."""
    return {
        name: Split(
            train=tuple(sample for sample in sample_ids if sample in train),
            test=tuple(sample for sample in sample_ids if sample in test),
        )
        for name, (train, test) in parts.items()
    }


def _problem(annotation: Any, names: set[str], lowest: int) -> str | None:
    """Return what is wrong with an annotation, if anything.

    Args:
        annotation: The annotation.
        names: Names of the annotations before it.
        lowest: Smallest label that is allowed.
    """
    if not isinstance(annotation, dict):
        return "is no dictionary"
    sample, label = annotation.get("frame_dir"), annotation.get("label")
    if not isinstance(sample, str) or not sample:
        return f"has no name: frame_dir is {brief(sample)}"
    if not isinstance(label, int | np.integer) or not lowest <= label < _MAX_LABELS:
        return (
            f"({printable_line(sample, 100)}) has the label {brief(label)}; labels are numbers "
            f"from 0 to {_MAX_LABELS - 1}"
        )
    return f"has the name of another, {sample}" if sample in names else None


def _is_part(item: tuple[Any, Any]) -> bool:
    name, samples = item
    listed = isinstance(samples, list | tuple | set | frozenset)
    return isinstance(name, str) and listed and all(isinstance(s, str) for s in samples)


def _paired(
    split: Mapping[str, Collection[str]], path: Path
) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return splits of parts such as ``X_train`` and ``X_val``; ``X_test`` is preferred to val."""
    parts_by_split: dict[str, dict[str, frozenset[str]]] = {}
    for name, samples in split.items():
        match = _PART.fullmatch(name)
        if match:
            number = match["number"] and f"split{match['number']}"
            key = "_".join(filter(None, (match["prefix"], number))) or STANDARD
            parts_by_split.setdefault(key, {})[match["part"]] = frozenset(samples)
    for name, parts in parts_by_split.items():
        if parts.keys() == {"train", "val", "test"}:
            warnings.warn(
                f"{path}: split {printable_line(name)!r} has the parts train, val and test: test "
                f"is its test set, and the {len(parts['val'])} samples of val are in no set",
                stacklevel=4,
            )
    pairs = {
        name: (parts["train"], parts.get("test", parts.get("val", frozenset())))
        for name, parts in parts_by_split.items()
        if "train" in parts and len(parts) > 1
    }
    if not pairs:
        raise DataError(
            f"has the parts {printable_line(', '.join(split) or 'none', 200)}; pairs such as "
            "xsub_train and xsub_val are expected",
            path=path,
        )
    return pairs
