"""Imported data set: what was found out about it, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.files import write_text
from skeletonagent.data.archive import write_archive
from skeletonagent.data.importing.build import ImportCounts
from skeletonagent.data.importing.joint_mapping import JointMapping
from skeletonagent.data.importing.layout_picture import layout_yaml
from skeletonagent.data.importing.splitting import ChosenSplit


@dataclass(frozen=True)
class ImportedData:
    """Result of an import, before it is written.

    Args:
        data: Data set.
        mapping: Layout, and why it was taken.
        split: Split, and how it was made.
        labels: Where labels come from, in words.
        subjects: Number of each subject by name.
        fps: Frame rate of each clip; None where unknown.
        counts: What was done to joints and bodies.
        recordings: Number of recordings that were read.
        dropped: Names of the clips that were left out because nobody is seen in them.
        picture: Picture of a body with its bones, as SVG.
    """

    data: SkeletonData
    mapping: JointMapping
    split: ChosenSplit
    labels: str
    subjects: Mapping[str, int]
    fps: tuple[float | None, ...]
    counts: ImportCounts
    recordings: int
    dropped: tuple[str, ...]
    picture: str


def write_imported(imported: ImportedData, folder: Path, source: Path) -> Path:
    """Write an imported data set with its layout file and picture; return the archive's path.

    Args:
        imported: The data set.
        folder: Folder of the archive.
        source: What it was imported from, which the archive names.
    """
    mapping = imported.mapping
    metadata: dict[str, Any] = {
        "imported_from": str(source),
        "layout_reason": mapping.reason,
        "label_source": imported.labels,
        "split_reason": imported.split.reason,
        "left_out": dict.fromkeys(imported.dropped, "nobody is ever seen"),
    }
    if imported.subjects:
        metadata["subjects"] = dict(imported.subjects)
    arrays = {}
    if any(rate is not None for rate in imported.fps):
        known = [np.nan if rate is None else rate for rate in imported.fps]
        arrays["fps"] = np.array(known, dtype=np.float32)
    path = write_archive(imported.data, folder, metadata=metadata, extra_arrays=arrays)
    change = "Change names, bones (child, parent), center or pairs (left, right), and give it back"
    comments = [
        f"Layout of {path.name}: {mapping.source.value}; {mapping.reason}",
        f"{change} by --layout {layout_path(path).name}",
    ]
    write_text(layout_path(path), layout_yaml(mapping.layout, comments))
    write_text(picture_path(path), imported.picture)
    return path


def layout_path(archive: Path) -> Path:
    """Return the path of the layout file beside an archive."""
    return archive.with_name(f"{archive.stem}.layout.yaml")


def picture_path(archive: Path) -> Path:
    """Return the path of the picture beside an archive."""
    return archive.with_name(f"{archive.stem}.layout.svg")


def describe_import(imported: ImportedData) -> dict[str, Any]:
    """Return the result of an import as plain values."""
    store, split, check = imported.data.store, imported.split, imported.mapping.check
    counts = asdict(imported.counts)
    return {
        "name": imported.data.name,
        "recordings": imported.recordings,
        "samples": len(store),
        "classes": {
            name: int((store.labels == label).sum()) for label, name in enumerate(store.class_names)
        },
        "labels": imported.labels,
        "subjects": dict(imported.subjects),
        "coordinates": store.coordinates,
        "has_confidence": store.has_confidence,
        "fps": sorted({rate for rate in imported.fps if rate is not None}),
        "layout": imported.mapping.layout.to_json(),
        "layout_source": imported.mapping.source.value,
        "layout_reason": imported.mapping.reason,
        "layout_problems": list(imported.mapping.problems),
        "bones": None if check is None else check.summary(),
        "splits": {split.name: [len(split.split.train), len(split.split.test)]},
        "split_reason": split.reason,
        "left_out": list(imported.dropped),
        **counts,
    }
