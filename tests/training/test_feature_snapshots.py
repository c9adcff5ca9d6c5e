"""Snapshots: which epochs and clips, that they hold what was learnt, and change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.settings import AugmentSettings, ClipSettings
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training.callbacks import CallbackList
from skeletonagent.training.feature_snapshots import (
    FOLDER,
    FeatureSnapshot,
    SnapshotCallback,
    learned_graphs,
    read_snapshots,
    select_balanced,
    snapshot_epochs,
    take_snapshot,
)

from .conftest import ARM, TEXT_DIM, samples, training


@given(st.integers(1, 300), st.integers(0, 20))
def test_the_first_epoch_the_last_and_some_between(epochs: int, count: int) -> None:
    chosen = snapshot_epochs(epochs, count)
    assert len(chosen) == min(count, epochs)
    assert chosen <= set(range(epochs))
    if count:
        assert epochs - 1 in chosen
    if count > 1:
        assert 0 in chosen


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70))
def test_classes_have_as_many_clips_as_can_be(labels: list[int], most: int) -> None:
    known = torch.tensor(labels)
    whole = torch.arange(100, 100 + len(labels))
    chosen = select_balanced(whole, known, most)
    assert len(chosen) == min(most, len(labels))
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    counts = torch.bincount(known[chosen - 100], minlength=5)
    left = torch.bincount(known, minlength=5) - counts
    # A class that has clips left has at most one less than any other.
    for label in left.nonzero().flatten().tolist():
        assert counts[label] >= counts.max() - 1


def small() -> tuple[ClipSampler, torch.nn.Module]:
    torch.manual_seed(0)
    recognizer = build_recognizer(
        "stgcn++", ARM, channels=3, persons=1, num_classes=3, text_dim=TEXT_DIM, width=6
    )
    return ClipSampler(samples(7), ClipSettings(frames=8), AugmentSettings()), recognizer


def test_embeddings_are_what_the_class_scores_are_taken_from() -> None:
    sampler, recognizer = small()
    recognizer.train()
    before = {name: value.clone() for name, value in recognizer.state_dict().items()}
    state = torch.get_rng_state()
    shot = take_snapshot(recognizer, sampler, torch.tensor([1, 4, 6]), 3, batch_size=2)
    assert torch.equal(state, torch.get_rng_state()) and recognizer.training
    assert all(torch.equal(value, before[name]) for name, value in recognizer.state_dict().items())
    recognizer.eval()
    (batch,) = sampler.test_batches(torch.tensor([1, 4, 6]), 3, clips=1)
    expected = recognizer.classify(batch.clips)
    scores = recognizer.cls_head.fc(torch.from_numpy(shot.embeddings))
    torch.testing.assert_close(scores, expected)
    assert (shot.epoch, shot.sample_ids) == (3, ("clip1", "clip4", "clip6"))
    assert shot.labels.tolist() == [1, 1, 0]
    assert len(recognizer.cls_head._forward_pre_hooks) == 0


def test_graphs_come_in_the_order_of_their_blocks() -> None:
    _, recognizer = small()
    shuffled = dict(sorted(recognizer.state_dict().items()))
    names = list(learned_graphs(shuffled))
    assert names == [f"blocks.{n}.graph" for n in range(10)]


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    sampler, recognizer = small()
    shots = [take_snapshot(recognizer, sampler, torch.arange(7), epoch) for epoch in (1, 12)]
    for shot in reversed(shots):
        shot.save(tmp_path / FOLDER)
    read = read_snapshots(tmp_path)
    assert [shot.epoch for shot in read] == [1, 12]
    assert read[0].sample_ids == shots[0].sample_ids
    np.testing.assert_allclose(read[0].embeddings, shots[0].embeddings, rtol=1e-3, atol=1e-4)
    assert read[0].graphs.keys() == shots[0].graphs.keys()
    assert read_snapshots(tmp_path / "elsewhere") == []


def test_what_is_too_large_is_cut_and_what_is_damaged_refused(tmp_path: Path) -> None:
    huge = FeatureSnapshot(1, ("a",), np.array([0]), np.array([[1e9, -1e9]]), {})
    path = huge.save(tmp_path)
    assert np.isfinite(FeatureSnapshot.load(path).embeddings).all()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read"):
        FeatureSnapshot.load(path)


@pytest.mark.parametrize(("validation", "looked_at"), [(3, 3), (0, 9)])
def test_a_training_that_is_watched_learns_the_same(
    tmp_path: Path, validation: int, looked_at: int
) -> None:
    plain = training(tmp_path / "plain", validation=validation, epochs=3)
    plain.run()
    watched = training(tmp_path / "watched", validation=validation, epochs=3)
    snapshots = SnapshotCallback(tmp_path, watched.state, watched.data, 2)
    watched.run(callback=CallbackList([watched.recorder, snapshots]))
    assert all(torch.equal(value, plain.weights[name]) for name, value in watched.weights.items())
    first, last = read_snapshots(tmp_path)
    assert (first.epoch, last.epoch) == (1, 3)
    assert len(first.sample_ids) == looked_at and first.sample_ids == last.sample_ids
    assert not np.array_equal(first.embeddings, last.embeddings)
    final = learned_graphs(watched.state.recognizer.state_dict())
    np.testing.assert_allclose(last.graphs["blocks.9.graph"], final["blocks.9.graph"], atol=1e-3)
