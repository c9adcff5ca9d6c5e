"""Summary of a data set: counts, splits and problems, before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import torch

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.data.coordinate_summary import CoordinateSummary, summarize_coordinates


@dataclass(frozen=True)
class SplitSummary:
    """Counts and problems of one split.

    Args:
        train: Number of training samples.
        test: Number of test samples.
        shared_samples: Ids that are in both sets.
        duplicates: ``(training id, test id)`` of samples with identical joints.
        missing_classes: Names of classes without a training sample.
        shared_subjects: Number of subjects in both sets, or None where subjects are not known.
    """

    train: int
    test: int
    shared_samples: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    missing_classes: tuple[str, ...]
    shared_subjects: int | None


@dataclass(frozen=True)
class DatasetSummary:
    """Counts and problems of a data set.

    Args:
        name: Short name of the data set.
        samples: Number of samples.
        classes: Number of classes.
        joints: Number of joints V.
        channels: Number of coordinates, 2 in an image or 3 in space.
        persons: Number of samples by their number of bodies.
        frames: Smallest, median and largest number of frames of a sample.
        samples_per_class: Number of samples of each class, by name.
        empty_classes: Names of classes without any sample.
        not_finite: Ids of samples with NaN or infinite joints.
        single_frame: Ids of samples of one frame, which have no motion.
        empty_frames: Number of frames in which nobody is present, by the id of each sample that
            has such frames.
        splits: Counts and problems of each split, by name.
        coordinates: Ranges, unit and bones of the coordinates.
    """

    name: str
    samples: int
    classes: int
    joints: int
    channels: int
    persons: dict[int, int]
    frames: tuple[int, int, int]
    samples_per_class: dict[str, int]
    empty_classes: tuple[str, ...]
    not_finite: tuple[str, ...]
    single_frame: tuple[str, ...]
    empty_frames: dict[str, int]
    splits: dict[str, SplitSummary]
    coordinates: CoordinateSummary

    @property
    def usable(self) -> bool:
        """Whether the data set can be trained on as it is."""
        return not self.not_finite


def summarize_dataset(data: SkeletonData) -> DatasetSummary:
    """Return the summary of a data set as stored, before preprocessing."""
    store = data.store
    finite = torch.isfinite(store.frames).flatten(1).all(dim=1)
    visible = store.frames.ne(0).flatten(1).any(dim=1)
    not_finite, empty_frames = [], {}
    for index, sample in enumerate(store.sample_ids):
        m, t, start = int(store.persons[index]), int(store.lengths[index]), int(store.starts[index])
        rows = slice(start, start + m * t)
        if not finite[rows].all():
            not_finite.append(sample)
        empty = int((~visible[rows].view(m, t).any(dim=0)).sum())
        if empty:
            empty_frames[sample] = empty
    counts = Counter(store.labels.tolist())
    lengths = store.lengths
    return DatasetSummary(
        name=data.name,
        samples=len(store),
        classes=store.num_classes,
        joints=store.layout.num_joints,
        channels=store.coordinates,
        persons=dict(sorted(Counter(store.persons.tolist()).items())),
        frames=(int(lengths.min()), int(lengths.median()), int(lengths.max())),
        samples_per_class={name: counts[label] for label, name in enumerate(store.class_names)},
        empty_classes=tuple(n for label, n in enumerate(store.class_names) if not counts[label]),
        not_finite=tuple(not_finite),
        single_frame=tuple(
            s for s, n in zip(store.sample_ids, lengths.tolist(), strict=True) if n == 1
        ),
        empty_frames=empty_frames,
        splits=_summarize_splits(data),
        coordinates=summarize_coordinates(store),
    )


def _summarize_splits(data: SkeletonData) -> dict[str, SplitSummary]:
    store = data.store
    digests = _sample_digests(store)
    summaries = {}
    for name, split in data.splits.items():
        by_content: dict[bytes, list[str]] = defaultdict(list)
        for sample in split.train:
            by_content[digests[sample]].append(sample)
        labels = {int(store.labels[store.index_of[sample]]) for sample in split.train}
        summaries[name] = SplitSummary(
            train=len(split.train),
            test=len(split.test),
            shared_samples=tuple(sorted(set(split.train) & set(split.test))),
            duplicates=tuple(
                (by_content[digests[sample]][0], sample)
                for sample in split.test
                if digests[sample] in by_content and sample not in by_content[digests[sample]]
            ),
            missing_classes=tuple(n for i, n in enumerate(store.class_names) if i not in labels),
            shared_subjects=_shared_subjects(store, split.train, split.test),
        )
    return summaries


def _sample_digests(store: ClipStore) -> dict[str, bytes]:
    """Return a digest of each sample's joints; equal digests mean identical joints."""
    rows = zip(store.starts.tolist(), store.persons.tolist(), store.lengths.tolist(), strict=True)
    contents = (
        f"{m} {t} ".encode() + store.frames[start : start + m * t].numpy().tobytes()
        for start, m, t in rows
    )
    return {
        s: sha256(content).digest() for s, content in zip(store.sample_ids, contents, strict=True)
    }


def _shared_subjects(store: ClipStore, train: Iterable[str], test: Iterable[str]) -> int | None:
    if store.subjects is None:
        return None
    subjects = store.subjects
    sets = [{subjects[store.index_of[sample]] for sample in part} for part in (train, test)]
    return len(sets[0] & sets[1])
