from pathlib import Path

import numpy as np
import pytest
from tests.small_run import CLASSES, samples, small_archive

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.training_clips import TrainingClips


def store_of(sequences: list[SkeletonSequence]) -> ClipStore:
    return ClipStore.from_sequences(sequences, COCO_17, CLASSES)


def test_lengths_are_those_of_the_named_clips(tmp_path: Path) -> None:
    data = open_dataset(small_archive(tmp_path / "mine"))
    split = data.splits["halves"]
    clips = TrainingClips.of(data.store, split.train)
    lengths = [14 + n for n in range(6)]
    assert clips.median == round(float(np.median(lengths)))
    assert 14 <= clips.shortest < clips.median < clips.longest <= 19
    assert TrainingClips.of(data.store, ()).longest > clips.longest
    assert TrainingClips.from_json(clips.to_json()) == clips
    with pytest.raises(KeyError):
        TrainingClips.from_json({})


def test_a_class_is_of_two_persons_where_both_are_seen() -> None:
    def clip(number: int, label: int, others: int, seen: bool = True) -> SkeletonSequence:
        joints = np.ones((1 + others, 5, 17, 2), dtype=np.float32)
        joints[1:] *= seen
        return SkeletonSequence(joints, label, str(number))

    pairs = [clip(n, 0, others=1) for n in range(9)] + [clip(9, 0, others=0)]
    absent = [clip(10 + n, 1, others=1, seen=False) for n in range(3)]
    sometimes = [clip(20 + n, 2, others=n % 2) for n in range(4)]
    store = store_of([*pairs, *absent, *sometimes])
    assert TrainingClips.of(store, ()).pair_classes == (CLASSES[0],)
    without_frames = store_of([*pairs, *absent])
    assert TrainingClips.of(without_frames, [str(n) for n in range(10, 13)]).pair_classes == ()


def test_frames_that_are_away_leave_the_stored_persons() -> None:
    store = store_of(samples(4))
    away = ClipStore(**{**vars(store), "frames": store.frames[:0]})
    assert TrainingClips.of(away, ()).pair_classes == TrainingClips.of(store, ()).pair_classes
