from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.report.embedding import (
    align_positions,
    best_projection,
    embedding,
    neighbour_accuracy,
    normalize_positions,
    principal_components,
)
from skeletonagent.training.feature_snapshots import FeatureSnapshot

from .test_serialize import unpacked


def shot(epoch: int, apart: float, n: int = 24, seed: int = 0) -> FeatureSnapshot:
    """Return clips of three classes, so far apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = rng.normal(0, 1, (n, 8)) + apart * np.eye(8)[labels]
    return FeatureSnapshot(
        epoch, tuple(f"s{k}" for k in range(n)), labels, features.astype(np.float32), {}
    )


@given(st.integers(0, 99), st.floats(0, 6.28), st.booleans())
def test_turned_and_mirrored_places_are_brought_back(seed: int, angle: float, flip: bool) -> None:
    before = normalize_positions(np.random.default_rng(seed).normal(0, 1, (12, 2)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = 3 * (before * ([-1, 1] if flip else [1, 1])) @ turn + 5
    np.testing.assert_allclose(align_positions(moved, before), before, atol=1e-9)


def test_principal_components_are_those_of_the_covariance() -> None:
    features = np.random.default_rng(1).normal(0, 1, (40, 5)) * [5, 3, 1, 1, 1]
    flat = principal_components(features, None)
    _values, vectors = np.linalg.eigh(np.cov(features.T))
    middle = features - features.mean(axis=0)
    for axis in (0, 1):
        expected = middle @ vectors[:, -1 - axis]
        assert np.abs(flat[:, axis] @ expected) == pytest.approx(expected @ expected)
    assert principal_components(features[:, :1], None)[:, 1].tolist() == [0] * 40


def test_neighbours_vote_for_the_class_of_most() -> None:
    far = shot(1, 9.0)
    assert neighbour_accuracy(far.embeddings, far.labels) == 1.0
    turned = np.array([[np.cos(a), np.sin(a)] for a in (0.0, 0.1, 0.2, 0.3, 3.0, 3.1)])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # All others vote: of a pair of votes for one class and three for the other, three win.
    assert neighbour_accuracy(turned, labels) == pytest.approx(0.0)


def test_places_follow_the_clips_over_epochs() -> None:
    shots = [shot(1, 0.0), shot(5, 4.0), shot(9, 8.0)]
    found = embedding(shots, quick=True)
    assert found is not None
    assert found["epochs"] == [1, 5, 9] and found["method"] == "principal components"
    assert unpacked(found["positions"]).shape == (3, 24, 2)
    assert found["neighbour_accuracy"][0] < found["neighbour_accuracy"][2] == 1.0


def test_snapshots_of_other_clips_are_left_out() -> None:
    found = embedding([shot(1, 1.0, n=12), shot(2, 1.0)], quick=True)
    assert found is not None and found["epochs"] == [2]
    assert embedding([], quick=True) is None
    assert embedding([shot(1, 1.0, n=2)], quick=True) is None


def test_without_scikit_learn_principal_components_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert best_projection() == ("principal components", principal_components)


def test_t_sne_keeps_classes_together_and_places_steady() -> None:
    pytest.importorskip("sklearn.manifold", reason="scikit-learn is not installed")
    found = embedding([shot(1, 9.0), shot(2, 9.0)])
    assert found is not None and found["method"] == "t-SNE"
    first, second = unpacked(found["positions"])
    assert neighbour_accuracy(first - first.mean(axis=0), shot(1, 0).labels) == 1.0
    assert np.sqrt(((first - second) ** 2).sum(axis=1).mean()) < 0.3
