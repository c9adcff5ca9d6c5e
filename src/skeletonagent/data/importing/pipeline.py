"""Import of recordings of any format into a skeleton archive."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import LAYOUTS
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.importing.build import (
    ClipOptions,
    ImportCounts,
    archived_joints,
    clip_of_recording,
    number_subjects,
    origin_shift,
    require_own_names,
)
from skeletonagent.data.importing.imported import ImportedData
from skeletonagent.data.importing.joint_mapping import JointMapping, map_joints
from skeletonagent.data.importing.kept_arrays import ArraysInMemory
from skeletonagent.data.importing.labels import (
    LabelledRecording,
    label_by_folder,
    label_by_pattern,
)
from skeletonagent.data.importing.layout_picture import pose_svg
from skeletonagent.data.importing.segments import label_by_table, read_label_table
from skeletonagent.data.importing.split_lists import parts_from_lists
from skeletonagent.data.importing.splitting import (
    ChosenSplit,
    SplitClip,
    split_by_parts,
    split_clips,
)
from skeletonagent.data.keypoints.reading import read_keypoints

_SHOWN = 5


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import.

    Args:
        pattern: Pattern of the recordings' names, such as ``{label}_{subject}_{take}``.
        labels: Table of labels.
        unit: Unit of the times in the table, ``seconds`` or ``frames``.
        rest: Name of the class of what is between the labelled segments.
        layout: Name of a layout, or a layout file.
        accept_layout: Whether the given layout is taken even where it contradicts the data.
        format: Format of the files.
        fps: Frame rate of recordings whose files do not say it.
        train_list: File with the names of the training clips, one a line.
        test_list: File with the names of the test clips, one a line.
        test_share: Share of the test set, where it is drawn.
        seed: Seed of the split.
        clips: What becomes of the joints.
        drop_empty: Whether clips in which nobody is ever seen are left out.
        processes: Processes that read the files of a folder.
    """

    pattern: str | None = None
    labels: Path | None = None
    unit: str | None = None
    rest: str | None = None
    layout: str | None = None
    accept_layout: bool = False
    format: str | None = None
    fps: float | None = None
    train_list: Path | None = None
    test_list: Path | None = None
    test_share: float = 0.3
    seed: int = 0
    clips: ClipOptions = field(default_factory=ClipOptions)
    drop_empty: bool = False
    processes: int = 1


def import_recordings(source: Path, name: str, options: ImportOptions) -> ImportedData:
    """Return the data set of the recordings in a file or a folder.

    Remarks on what was left out or may be wrong are warnings.

    Args:
        source: A keypoint file, or a folder of them.
        name: Name of the data set.
        options: Options.

    Raises:
        ConfigError: If options do not go together.
        DataError: If nothing can be read, labels are not known, or the layout contradicts the
            data.
    """
    check_import_options(options)
    recordings = read_keypoints(source, options.layout, options.format, options.processes)
    return imported_data(source, name, options, recordings, ArraysInMemory())


def imported_data(
    source: Path,
    name: str,
    options: ImportOptions,
    recordings: Sequence[KeypointRecording],
    arrays: ArraysInMemory,
) -> ImportedData:
    """Return the data set of recordings that were read; see :func:`import_recordings`.

    Args:
        source: What they were read from.
        name: Name of the data set.
        options: Options.
        recordings: The recordings.
        arrays: Where joints are kept.

    Raises:
        DataError: If labels are not known, or the layout contradicts the data.
    """
    recordings = [_with_rate(recording, options.fps) for recording in recordings]
    given = None if options.layout is None else f"--layout {options.layout}"
    mapping = map_joints(recordings, given, name=_free_name(name), accept=options.accept_layout)
    _warn_of_layout(mapping)
    items, labels = _labelled(source, recordings, options)
    counts = ImportCounts()
    clips = [
        replace(
            item, recording=arrays.keep(clip_of_recording(item.recording, options.clips, counts))
        )
        for item in items
    ]
    _warn_of_counts(counts, options)
    dropped = tuple(counts.empty) if options.drop_empty else ()
    clips = [item for item in clips if item.recording.name not in set(dropped)]
    if not clips:
        raise DataError("nobody is ever seen in any clip", path=source)
    require_own_names(clips)
    split = _split(clips, options)
    subjects = number_subjects([item.subject for item in clips])
    store = _store(clips, mapping, subjects, arrays)
    rates = tuple(item.recording.fps for item in clips)
    fps = rates[0] if len(set(rates)) == 1 else None
    return ImportedData(
        data=SkeletonData(name, name, store, {split.name: split.split}, split.name, fps=fps),
        mapping=mapping,
        split=split,
        labels=labels,
        subjects=subjects,
        fps=rates,
        counts=counts,
        recordings=len(recordings),
        dropped=dropped,
        picture=pose_svg([r.joints for r in recordings], mapping.layout),
    )


def check_import_options(options: ImportOptions) -> None:
    """Check that options go together.

    Raises:
        ConfigError: If they do not.
    """
    problems = []
    if options.pattern is not None and options.labels is not None:
        problems.append("labels come from --pattern or from --labels, not from both")
    if options.labels is None and (options.rest is not None or options.unit is not None):
        problems.append("--rest and --unit are about the segments of a table; give it by --labels")
    if not 0 < options.test_share < 1:
        problems.append(f"--test-share {options.test_share}: give a share between 0 and 1")
    if options.fps is not None and not 0 < options.fps < 1e5:
        problems.append(f"--fps {options.fps}: give a number of frames a second above 0")
    if problems:
        raise ConfigError("; ".join(problems))


def _free_name(name: str) -> str:
    """Return a name for a derived layout that no known layout has."""
    return f"{name}-joints" if name in LAYOUTS else name


def _with_rate(recording: KeypointRecording, fps: float | None) -> KeypointRecording:
    return recording if fps is None or recording.fps is not None else replace(recording, fps=fps)


def _labelled(
    source: Path, recordings: Sequence[KeypointRecording], options: ImportOptions
) -> tuple[list[LabelledRecording], str]:
    items = [LabelledRecording(recording, recording.name) for recording in recordings]
    if options.labels is not None:
        rows = read_label_table(options.labels, options.unit)
        items, line, remarks = label_by_table(items, rows, options.labels, options.rest)
        for remark in remarks:
            warnings.warn(remark, stacklevel=4)
        if not items:
            raise DataError("has no rows", path=options.labels)
        return items, line
    if options.pattern is not None:
        return label_by_pattern(items, options.pattern)
    return label_by_folder(items, source)


def _split(clips: Sequence[LabelledRecording], options: ImportOptions) -> ChosenSplit:
    chosen = [SplitClip(item.recording.name, item.label, item.subject, item.path) for item in clips]
    if options.train_list is not None or options.test_list is not None:
        parts = parts_from_lists(chosen, options.train_list, options.test_list)
        split = split_by_parts(chosen, parts, "by the given lists")
    elif {"train", "test"} <= {item.part for item in clips}:
        parts = [item.part for item in clips]
        said = (
            "as the table says" if options.labels is not None else "as folders or files are named"
        )
        split = split_by_parts(chosen, parts, said)
    else:
        split = split_clips(chosen, options.test_share, options.seed)
    if not split.split.train or not split.split.test:
        raise DataError(
            f"split {split.reason}: {len(split.split.train)} clip(s) to train on and "
            f"{len(split.split.test)} to test on; both need some. A recording by itself can be "
            "looked at by 'skeletonagent data view'"
        )
    if split.missing:
        names = ", ".join(split.missing[:_SHOWN])
        warnings.warn(
            f"{len(split.missing)} class(es) are not in both sets of the split: {names}",
            stacklevel=4,
        )
    return split


def _store(
    clips: Sequence[LabelledRecording],
    mapping: JointMapping,
    subjects: Mapping[str, int],
    arrays: ArraysInMemory,
) -> ClipStore:
    """Return the clips as an archive holds them."""
    recordings = [item.recording for item in clips]
    classes = tuple(sorted({item.label for item in clips}, key=_natural))
    origin = origin_shift(recordings)
    if origin is not None:
        warnings.warn(
            f"coordinates are relative to {mapping.layout.display_name(origin[0])}, which is at "
            f"zero in all frames; {origin[1]:.3g} is added to all of them, since zero means not "
            "seen in an archive",
            stacklevel=4,
        )
    scored = any(recording.confidence is not None for recording in recordings)
    known = all(item.subject for item in clips)
    sizes = [recording.image_size for recording in recordings]
    shapes = np.array([recording.joints.shape[:2] for recording in recordings], dtype=np.int64)
    ends = shapes.prod(axis=1).cumsum()
    starts = ends - shapes.prod(axis=1)
    frames = arrays.empty(
        (int(ends[-1]), recordings[0].num_joints, recordings[0].coordinates + scored)
    )
    for item, start, end in zip(clips, starts, ends, strict=True):
        joints = archived_joints(item.recording, scored, origin[1] if origin else 0.0)
        frames[start:end] = joints.reshape(-1, *joints.shape[2:])
    return ClipStore(
        frames=torch.from_numpy(frames),
        starts=torch.from_numpy(starts),
        lengths=torch.from_numpy(shapes[:, 1].copy()),
        persons=torch.from_numpy(shapes[:, 0].copy()),
        labels=torch.tensor([classes.index(item.label) for item in clips]),
        sample_ids=tuple(recording.name for recording in recordings),
        subjects=tuple(subjects[item.subject] for item in clips) if known else None,
        layout=mapping.layout,
        class_names=classes,
        has_confidence=scored,
        image_sizes=None if None in sizes else torch.tensor(sizes, dtype=torch.float32),
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names by the values of numbers in them."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _warn_of_layout(mapping: JointMapping) -> None:
    for problem in mapping.problems:
        warnings.warn(f"layout {mapping.layout.name}: {problem}", stacklevel=4)


def _warn_of_counts(counts: ImportCounts, options: ImportOptions) -> None:
    if counts.empty:
        done = "left out" if options.drop_empty else "kept; leave them out by --drop-empty"
        warnings.warn(
            f"{len(counts.empty)} clip(s) in which nobody is ever seen {done}: "
            f"{_listed(counts.empty)}",
            stacklevel=4,
        )
    if counts.joined:
        warnings.warn(
            f"{len(counts.joined)} clip(s) in which persons whom a tracker numbered anew in the "
            f"same place are joined: {_listed(counts.joined)}",
            stacklevel=4,
        )
    if counts.crowded:
        warnings.warn(
            f"{counts.bodies_left_out} bodies left out of {counts.crowded} clip(s) with more than "
            f"{options.clips.persons}; those seen most are kept (--persons)",
            stacklevel=4,
        )


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
