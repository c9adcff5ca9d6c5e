"""Look a data set over before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import torch

from skeletonagent.core.clips import ClipStore, SkeletonData


@dataclass(frozen=True)
class SplitSummary:
    """What is to be known of one split.

    Args:
        train: Number of training samples.
        test: Number of test samples.
        shared: Ids that stand in both parts.
        duplicates: ``(training id, test id)`` of samples with identical joints.
        missing_classes: Classes without a training sample.
        shared_subjects: Subjects seen in both parts, or None where subjects are not known.
    """

    train: int
    test: int
    shared: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    missing_classes: tuple[str, ...]
    shared_subjects: int | None


@dataclass(frozen=True)
class DatasetSummary:
    """What :func:`summarize_dataset` found.

    Args:
        name: Name of the data set.
        samples: Number of samples.
        classes: Number of classes.
        joints: V.
        channels: Coordinates; 2 means the joints lie in a plane.
        persons: Number of samples with as many bodies.
        frames: Fewest, median and most frames of a sample.
        samples_per_class: Number of samples of each class, by name.
        label_holes: Classes without any sample.
        not_finite: Samples with NaN or infinite joints.
        single_frame: Samples of one frame, which have no motion.
        empty_frames: Samples with frames in which nobody is seen, and how many.
        splits: Facts of each split, by name.
    """

    name: str
    samples: int
    classes: int
    joints: int
    channels: int
    persons: dict[int, int]
    frames: tuple[int, int, int]
    samples_per_class: dict[str, int]
    label_holes: tuple[str, ...]
    not_finite: tuple[str, ...]
    single_frame: tuple[str, ...]
    empty_frames: dict[str, int]
    splits: dict[str, SplitSummary]

    @property
    def usable(self) -> bool:
        """Whether the data can be trained on as they are."""
        return not self.not_finite


def summarize_dataset(data: SkeletonData) -> DatasetSummary:
    """Return counts and oddities of a data set, before any normalising."""
    store = data.store
    finite = torch.isfinite(store.frames).flatten(1).all(dim=1)
    seen = store.frames.ne(0).flatten(1).any(dim=1)
    not_finite, empty = [], {}
    for index, sample in enumerate(store.sample_ids):
        m, t, start = int(store.persons[index]), int(store.lengths[index]), int(store.starts[index])
        rows = slice(start, start + m * t)
        if not finite[rows].all():
            not_finite.append(sample)
        unseen = int((~seen[rows].view(m, t).any(dim=0)).sum())
        if unseen:
            empty[sample] = unseen
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
        label_holes=tuple(n for label, n in enumerate(store.class_names) if not counts[label]),
        not_finite=tuple(not_finite),
        single_frame=tuple(
            s for s, n in zip(store.sample_ids, lengths.tolist(), strict=True) if n == 1
        ),
        empty_frames=empty,
        splits=_summarize_split(data),
    )


def _summarize_split(data: SkeletonData) -> dict[str, SplitSummary]:
    store = data.store
    digests = _sample_digests(store)
    facts = {}
    for name, split in data.splits.items():
        by_content: dict[bytes, list[str]] = defaultdict(list)
        for sample in split.train:
            by_content[digests[sample]].append(sample)
        labels = {int(store.labels[store.index_of[sample]]) for sample in split.train}
        facts[name] = SplitSummary(
            train=len(split.train),
            test=len(split.test),
            shared=tuple(sorted(set(split.train) & set(split.test))),
            duplicates=tuple(
                (by_content[digests[sample]][0], sample)
                for sample in split.test
                if digests[sample] in by_content and sample not in by_content[digests[sample]]
            ),
            missing_classes=tuple(n for i, n in enumerate(store.class_names) if i not in labels),
            shared_subjects=_shared_subjects(store, split.train, split.test),
        )
    return facts


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
    groups = store.subjects
    parts = [{groups[store.index_of[sample]] for sample in part} for part in (train, test)]
    return len(parts[0] & parts[1])
