"""Baselines: what they are given, what they predict, and what they refuse."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.small_run import CLASSES, samples

from skeletonagent.agents.evidence.motion_features import compute_motion_features
from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments import baseline
from skeletonagent.experiments.baseline import (
    BASELINE_METHODS,
    fitting_methods,
    predict_baseline,
)
from skeletonagent.experiments.sample_features import motion_features_of_bodies, resampled_series

methods = pytest.mark.parametrize("method", BASELINE_METHODS)


def store_of(sequences: list[SkeletonSequence], classes: tuple[str, ...] = CLASSES) -> ClipStore:
    return ClipStore.from_sequences(sequences, COCO_17, classes)


@pytest.fixture(scope="module")
def prepared() -> ClipStore:
    return Preprocessor()(store_of(samples(30)))


TRAIN, TEST = torch.arange(18), torch.arange(18, 30)


def interpolated(values: dict[int, float], time: float) -> float:
    """Return a value between the nearest frames that have one, held at the ends."""
    before = [frame for frame in values if frame <= time]
    after = [frame for frame in values if frame >= time]
    if not before or not after:
        return values[max(before) if before else min(after)]
    low, high = max(before), min(after)
    share = (time - low) / (high - low) if high > low else 0.0
    return (1 - share) * values[low] + share * values[high]


def with_holes() -> ClipStore:
    """Return samples with joints that are absent in some frames or in all."""
    rng = np.random.default_rng(0)
    sequences = samples(8)
    for sequence in sequences:
        sequence.joints[rng.random(sequence.joints.shape[:3]) < 0.4] = 0
        sequence.joints[:, :, 5] = 0
    return store_of(sequences)


def test_series_are_those_of_loops() -> None:
    store, frames = with_holes(), 11
    series, seen = resampled_series(store, frames)
    m, v, c = store.max_persons, 17, 2
    for index in range(len(store)):
        joints = store.sequence(index).joints
        for body in range(m):
            for joint in range(v):
                for channel in range(c):
                    column = (body * v + joint) * c + channel
                    values = {
                        frame: float(joints[body, frame, joint, channel])
                        for frame in range(joints.shape[1])
                        if body < len(joints) and joints[body, frame, joint].any()
                    }
                    assert seen[index, column] == bool(values)
                    for frame in range(frames):
                        time = frame * (joints.shape[1] - 1) / (frames - 1)
                        expected = interpolated(values, time) if values else 0.0
                        assert series[index, column, frame] == pytest.approx(expected, abs=1e-5)
    assert not seen.all() and seen.any()


def test_an_absent_joint_is_no_place_at_zero() -> None:
    """Of a joint on a straight way, frames without it change nothing."""
    joints = np.linspace(1, 2, 30, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 17, 2))
    whole = SkeletonSequence(joints.astype(np.float32), 0, "whole")
    holes = SkeletonSequence(joints.astype(np.float32), 0, "holes")
    holes.joints[0, 7:15, 3] = 0
    one, other = resampled_series(store_of([whole, holes]))[0]
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_confidence_is_no_coordinate() -> None:
    store = store_of(samples(6))
    confident = replace(
        store,
        frames=torch.cat([store.frames, torch.rand(*store.frames.shape[:2], 1)], dim=2),
        has_confidence=True,
    )
    for one, other in zip(resampled_series(store), resampled_series(confident), strict=True):
        np.testing.assert_array_equal(one, other)


def test_motion_features_are_those_of_each_body_alone(prepared: ClipStore) -> None:
    features, known = motion_features_of_bodies(prepared)
    width = features.shape[1] // 2
    for index in (0, 3, 7):  # the last two have two bodies
        sequence = prepared.sequence(index)
        for body in range(2):
            columns = features[index, body * width : (body + 1) * width]
            if body >= len(sequence.joints):
                assert not columns.any()
                assert not known[index, body * width : (body + 1) * width].any()
                continue
            alone = ClipStore.from_sequences(
                [replace(sequence, joints=sequence.joints[body : body + 1])],
                prepared.layout, CLASSES,
            )  # fmt: skip
            expected = compute_motion_features(alone, torch.tensor([0])).flatten()
            np.testing.assert_allclose(columns, expected, atol=1e-4)
            assert columns.any()


@methods
def test_classes_that_move_otherwise_are_distinguished(method: str, prepared: ClipStore) -> None:
    result = predict_baseline(method, prepared, TRAIN, TEST)
    predictions = result.predictions
    assert predictions.sample_ids == tuple(prepared.sample_ids[18:])
    np.testing.assert_array_equal(predictions.labels, prepared.labels[18:])
    np.testing.assert_allclose(predictions.probs.sum(axis=1), 1)
    assert predictions.topk_accuracy(1) > 0.8
    assert result.method == method and result.processor_seconds > 0


@methods
def test_labels_of_the_test_set_are_not_used(method: str, prepared: ClipStore) -> None:
    labels = prepared.labels.clone()
    labels[TEST] = 0
    one, other = (
        predict_baseline(method, store, TRAIN, TEST).predictions.probs
        for store in (prepared, replace(prepared, labels=labels))
    )
    np.testing.assert_array_equal(one, other)


@methods
def test_order_and_company_of_test_samples_do_not_matter(method: str, prepared: ClipStore) -> None:
    whole = predict_baseline(method, prepared, TRAIN, TEST).predictions.probs
    part = predict_baseline(method, prepared, TRAIN, TEST.flip(0)[:5]).predictions.probs
    np.testing.assert_allclose(part, whole[::-1][:5], atol=1e-5)


@methods
def test_two_classes_and_one_without_training_samples(method: str, prepared: ClipStore) -> None:
    train = TRAIN[prepared.labels[TRAIN] != 1]
    predictions = predict_baseline(method, prepared, train, TEST).predictions
    assert predictions.probs.shape == (12, 3) and not predictions.probs[:, 1].any()
    of_both = predictions.labels != 1
    right = predictions.probs.argmax(axis=1) == predictions.labels
    assert right[of_both].mean() > 0.8


def test_one_training_sample_of_each_class(prepared: ClipStore) -> None:
    one, two = TRAIN[:3], TRAIN[:4]
    assert sorted(prepared.labels[one].tolist()) == [0, 1, 2]
    assert fitting_methods(prepared, two) == list(BASELINE_METHODS)
    left = fitting_methods(prepared, one)
    assert left == list(BASELINE_METHODS)[:2]
    for method, train in [*((method, one) for method in left), (list(BASELINE_METHODS)[2], two)]:
        probs = predict_baseline(method, prepared, train, TEST).predictions.probs
        assert np.isfinite(probs).all()


def test_a_seed_repeats(prepared: ClipStore) -> None:
    for method in list(BASELINE_METHODS)[:2]:
        first, again, other = (
            predict_baseline(method, prepared, TRAIN, TEST, seed).predictions.probs
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_what_cannot_be_used_is_refused(
    prepared: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (method, *_) = BASELINE_METHODS
    one_class = TRAIN[prepared.labels[TRAIN] == 0]
    for train, test in ((one_class, TEST), (TRAIN, TEST[:0])):
        with pytest.raises(DataError, match=r"two classes .* choose another --split"):
            predict_baseline(method, prepared, train, test)
    monkeypatch.setattr(baseline, "MOST_TRAINING_SAMPLES", 17)
    with pytest.raises(DataError, match=r"18 training samples; .* up to 17"):
        predict_baseline(method, prepared, TRAIN, TEST)


def test_without_scikit_learn_it_is_asked_for(
    prepared: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[baseline\]'"):
        predict_baseline(next(iter(BASELINE_METHODS)), prepared, TRAIN, TEST)
