"""Unlabelled motions that a base is trained on: every clip is told from all others.

A clip is a class of its own, and its crops, rotations and sizes are what is seen of the class
(Dosovitskiy et al., 2014, arXiv 1406.6909). Nothing has to be known of what people do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.importing.build import origin_shift
from skeletonagent.data.importing.joint_mapping import map_joints
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.data.validation import is_archive
from skeletonagent.experiments.datasets import open_dataset

CLIP_SECONDS = 2.0
"""Duration of the clips that recordings are cut into."""

USUAL_RATE = 30.0
"""Frames a second of recordings that do not say it."""

SEEN_SHARE = 0.5
"""Smallest share of the frames of a clip in which its body is seen."""

MOST_CLIPS = 2000
"""Clips of a source that are taken at most, evenly spread: each is a row of the class head."""


def unlabelled_stores(path: Path) -> list[ClipStore]:
    """Return unlabelled clips of an archive or of recordings, a store for each layout.

    The label of a sample is its number among all. Labels of an archive are left out. Each body of
    a recording by itself is cut into clips of two seconds.

    Args:
        path: Skeleton archive, or a keypoint file or a folder of them.

    Raises:
        DataError: If nothing can be read, or nobody is seen.
    """
    if is_archive(path):
        stores = [open_dataset(path).store]
    else:
        stores = [
            ClipStore.from_sequences(clips, layout, ("",))
            for layout, clips in _cut_recordings(read_keypoints(path))
        ]
    total = sum(len(store) for store in stores)
    if not total:
        raise DataError("nobody is seen in any recording", path=path)
    taken = torch.linspace(0, total - 1, min(total, MOST_CLIPS)).round().long().unique()
    if len(taken) < total:
        warnings.warn(
            f"{path.name}: {len(taken)} of {total} unlabelled clips are taken, evenly spread",
            stacklevel=2,
        )
    names = tuple(f"clip {number}" for number in range(len(taken)))
    drawn, first, label = [], 0, 0
    for store in stores:
        inside = taken[(taken >= first) & (taken < first + len(store))] - first
        labels = torch.arange(label, label + len(inside))
        drawn.append(replace(store.subset(inside), labels=labels, class_names=names, subjects=None))
        first, label = first + len(store), label + len(inside)
    return [store for store in drawn if len(store)]


def _cut_recordings(
    recordings: Sequence[KeypointRecording],
) -> Iterator[tuple[SkeletonLayout, list[SkeletonSequence]]]:
    """Yield the clips of recordings, those of the same joints and coordinates together."""
    for _, group in groupby(sorted(recordings, key=_kind), key=_kind):
        alike = list(group)
        layout = map_joints(alike).layout
        shift = origin_shift(alike)
        clips = [clip for one in alike for clip in _clips(one, shift[1] if shift else 0.0)]
        if clips:
            yield layout, clips


def _kind(recording: KeypointRecording) -> str:
    """Return what recordings of one store have in common, as text that sorts."""
    layout = recording.layout and (recording.layout.joints, recording.layout.bones)
    return str((recording.coordinates, recording.num_joints, recording.joint_names, layout))


def _clips(recording: KeypointRecording, shift: float) -> Iterator[SkeletonSequence]:
    """Yield the parts of a recording in which a body is seen, zeros where it is not."""
    frames = max(2, round(CLIP_SECONDS * (recording.fps or USUAL_RATE)))
    parts = max(1, recording.num_frames // frames)
    for body, joints in enumerate(recording.joints):
        for part, clip in enumerate(np.array_split(joints, parts)):
            if _seen_share(clip) >= SEEN_SHARE:
                name = f"{recording.name} body {body} part {part}"
                stored = np.where(np.isnan(clip).any(axis=-1, keepdims=True), 0, clip + shift)
                yield SkeletonSequence(stored[None].astype(np.float32), 0, name)


def _seen_share(joints: Float[np.ndarray, "t v c"]) -> float:
    """Return the share of the frames in which any joint is seen."""
    return float((~np.isnan(joints).any(axis=-1)).any(axis=-1).mean()) if len(joints) else 0.0
