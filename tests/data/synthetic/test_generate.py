"""The generated data set: anatomy, people, splits, and the truth it states about itself."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch

from skeletonagent.core.clips import SkeletonData, SkeletonSequence
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.synthetic.generate import (
    SYNTHETIC_PAIRS,
    ConfusablePair,
    synthetic_dataset,
    true_joints,
)


@pytest.fixture(scope="module")
def plain() -> SkeletonData:
    return synthetic_dataset(clips_per_class=8, difficulty=0.0)


@pytest.fixture(scope="module")
def hard() -> SkeletonData:
    return synthetic_dataset(clips_per_class=9, subjects=4, seed=3)


def clips(data: SkeletonData) -> list[SkeletonSequence]:
    return [data.store.sequence(index) for index in range(len(data.store))]


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    child, parent = np.array(KINECT_25.bones).T
    return np.linalg.norm(joints[0, :, child] - joints[0, :, parent], axis=-1)  # bones, frames


def test_without_difficulty_bones_are_rigid_and_belong_to_the_subject(plain: SkeletonData) -> None:
    first: dict[int, np.ndarray] = {}
    for clip in clips(plain):
        assert clip.subject is not None
        lengths = bone_lengths(clip.joints)
        expected = first.setdefault(clip.subject, lengths[:, :1])
        np.testing.assert_allclose(lengths, np.broadcast_to(expected, lengths.shape), atol=1e-5)


def test_noise_is_small_beside_the_bones_and_larger_at_the_ends(hard: SkeletonData) -> None:
    children = [child for child, _ in KINECT_25.bones]
    deviation = np.mean([bone_lengths(clip.joints).std(axis=1) for clip in clips(hard)], axis=0)
    assert (deviation > 1e-3).all() and (deviation < 0.03).all()
    spread = dict(zip(children, deviation, strict=True))
    assert min(spread[joint] for joint in (7, 11, 15, 19)) > max(spread[1], spread[4], spread[12])


def test_subjects_differ_in_size_and_proportion(plain: SkeletonData) -> None:
    lengths = {clip.subject: bone_lengths(clip.joints)[:, 0] for clip in clips(plain)}
    size = np.array([row.sum() for row in lengths.values()])
    shape = np.array([row / row.sum() for row in lengths.values()])
    assert len(size) == 8
    assert size.max() / size.min() > 1.05
    assert np.ptp(shape, axis=0).max() > 0.002


def test_people_stand_upright_in_metres_in_front_of_the_sensor(plain: SkeletonData) -> None:
    standing = [c for c in clips(plain) if plain.store.class_names[c.label] in ("nod", "kick")]
    for clip in standing:
        height = clip.joints[0, 0, :, 1]
        assert height[[14, 15, 18, 19]].max() < height[[13, 17]].min() < height[[12, 16]].min()
        assert height[0] < height[1] < height[20] < height[2] < height[3]
        assert 1.3 < height[3] - height[[15, 19]].min() < 1.9  # up to the middle of the head
        left_hip, right_hip = clip.joints[0, 0, 12], clip.joints[0, 0, 16]
        assert left_hip[0] < right_hip[0]  # who faces the sensor has the left side at lower x


def test_shapes_names_and_durations(hard: SkeletonData) -> None:
    store = hard.store
    assert (
        hard.name == "synthetic" and hard.default_split == "xsub" and set(hard.splits) == {"xsub"}
    )
    assert store.layout is KINECT_25 and store.frames.dtype == torch.float32
    assert store.frames.isfinite().all()
    assert 40 <= int(store.lengths.min()) < 50 and 80 < int(store.lengths.max()) <= 90
    assert "write_s03_r01" in store.sample_ids and "type_on_a_keyboard_s00_r02" in store.sample_ids
    assert torch.bincount(store.labels).tolist() == [9] * store.num_classes


@pytest.mark.parametrize("subjects", [2, 3, 8])
def test_splits_share_no_subject_and_both_know_every_class(subjects: int) -> None:
    data = synthetic_dataset(clips_per_class=subjects, subjects=subjects, difficulty=0.0)
    split, store = data.splits["xsub"], data.store
    assert store.subjects is not None
    assert sorted(split.train + split.test) == sorted(store.sample_ids)
    subjects_of = [
        {store.subjects[i] for i in store.indices(part)} for part in (split.train, split.test)
    ]
    assert (
        subjects_of[0].isdisjoint(subjects_of[1])
        and len(subjects_of[0] | subjects_of[1]) == subjects
    )
    for part in (split.train, split.test):
        assert set(store.labels[store.indices(part)].tolist()) == set(range(store.num_classes))


def test_synthetic_dataset_depends_on_the_seed_alone(hard: SkeletonData) -> None:
    again = synthetic_dataset(clips_per_class=9, subjects=4, seed=3)
    assert torch.equal(hard.store.frames, again.store.frames)
    assert hard.splits == again.splits
    other = synthetic_dataset(clips_per_class=9, subjects=4, seed=4)
    assert other.store.frames.shape != hard.store.frames.shape


def test_with_more_clips_the_first_ones_stay_the_same(hard: SkeletonData) -> None:
    few = synthetic_dataset(clips_per_class=4, subjects=4, seed=3)
    more = {clip.sample_id: clip.joints for clip in clips(hard)}
    for clip in clips(few):
        np.testing.assert_array_equal(clip.joints, more[clip.sample_id])


@pytest.mark.parametrize(
    "wrong", [{"subjects": 1}, {"clips_per_class": 7}, {"difficulty": -0.1}], ids=str
)
def test_impossible_arguments_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        synthetic_dataset(**wrong)  # type: ignore[arg-type]


def test_every_class_is_in_one_pair(plain: SkeletonData) -> None:
    named = [action for pair in SYNTHETIC_PAIRS for action in pair.actions]
    assert sorted(named) == sorted(plain.store.class_names)
    for pair in SYNTHETIC_PAIRS:
        mirrored = {KINECT_25.mirror[joint] for joint in pair.joints}
        assert mirrored == set(pair.joints) and 0 < len(pair.joints) < KINECT_25.num_joints // 2


def test_true_joints_are_those_of_the_pair() -> None:
    for pair in SYNTHETIC_PAIRS:
        (one, other), joints = astuple(pair)
        assert true_joints(one, [other]) == true_joints(other, ["jump", one]) == frozenset(joints)
        assert true_joints(one, [one]) == frozenset()
    assert true_joints("nod", ["write"]) == frozenset()


def features(clip: SkeletonSequence) -> np.ndarray:
    """Mean and spread of height and distance from the spine, and speed: blind to facing, side."""
    centred = clip.joints[0] - clip.joints[0, :, 1:2]
    height, away = centred[..., 1], np.linalg.norm(centred[..., [0, 2]], axis=-1)
    speed = np.linalg.norm(np.diff(centred, axis=0), axis=-1).mean(axis=0)
    measures = np.stack([height.mean(0), away.mean(0), height.std(0), away.std(0), speed])
    return measures + measures[:, KINECT_25.mirror]


@pytest.fixture(scope="module")
def measured() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    data = synthetic_dataset(clips_per_class=40, difficulty=0.3)
    return (
        data.store.class_names,
        data.store.labels.numpy(),
        np.stack([features(clip) for clip in clips(data)]),
    )


@pytest.mark.parametrize("pair", SYNTHETIC_PAIRS, ids=lambda pair: " / ".join(pair.actions))
def test_stated_joints_are_those_that_differ(
    pair: ConfusablePair, measured: tuple[tuple[str, ...], np.ndarray, np.ndarray]
) -> None:
    names, labels, values = measured
    one, other = (values[labels == names.index(action)] for action in pair.actions)
    pooled = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 2) + 1e-6
    effect = (np.abs(one.mean(axis=0) - other.mean(axis=0)) / pooled).mean(axis=0)
    stated = np.isin(np.arange(25), pair.joints)
    assert effect[stated].mean() > 1.5 * effect[~stated].mean()
    assert stated[effect.argmax()]
