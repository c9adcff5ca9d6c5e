"""Accuracies of class probabilities, and the file they are kept in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities


def make_predictions(n: int, y: int, seed: int) -> ClassProbabilities:
    """Return predictions with many ties."""
    rng = np.random.default_rng(seed)
    return ClassProbabilities(
        tuple(f"s{i}" for i in range(n)),
        rng.integers(0, y, size=n),
        rng.integers(0, 4, size=(n, y)) / 4,
    )


@given(n=st.integers(1, 12), y=st.integers(1, 6), k=st.integers(1, 7), seed=st.integers(0, 99))
def test_top_k_equals_a_sort_that_puts_the_true_class_last(
    n: int, y: int, k: int, seed: int
) -> None:
    predictions = make_predictions(n, y, seed)
    hits = 0
    for row, label in zip(predictions.probs, predictions.labels, strict=True):
        order = sorted(range(y), key=lambda c, row=row, label=label: (-row[c], c == label))
        hits += label in order[:k]
    assert predictions.topk_accuracy(k) == pytest.approx(hits / n)


@given(n=st.integers(1, 12), y=st.integers(1, 6), seed=st.integers(0, 99))
def test_accuracy_and_confusions_agree(n: int, y: int, seed: int) -> None:
    predictions = make_predictions(n, y, seed)
    counts = predictions.confusions()
    expected = np.zeros((y, y), dtype=np.int64)
    for row, label in zip(predictions.probs, predictions.labels, strict=True):
        expected[label, row.argmax()] += 1
    np.testing.assert_array_equal(counts, expected)
    for m, accuracy in enumerate(predictions.per_class_accuracy()):
        if expected[m].sum():
            assert accuracy == pytest.approx(expected[m, m] / expected[m].sum())
        else:
            assert np.isnan(accuracy)


def test_by_hand() -> None:
    predictions = ClassProbabilities(
        ("a", "b", "c"),
        np.array([0, 1, 1]),
        np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]),
    )
    assert [predictions.topk_accuracy(k) for k in (1, 2, 3)] == [pytest.approx(1 / 3), 1, 1]
    np.testing.assert_array_equal(predictions.per_class_accuracy(), [1, 0, np.nan])


def test_equal_scores_earn_nothing() -> None:
    blind = ClassProbabilities(("a", "b"), np.array([0, 1]), np.full((2, 4), 0.25))
    assert [blind.topk_accuracy(k) for k in (1, 3, 4)] == [0, 0, 1]


def test_scores_that_are_no_numbers_earn_nothing() -> None:
    diverged = ClassProbabilities(("a", "b"), np.array([0, 1]), np.full((2, 4), np.nan))
    assert diverged.topk_accuracy(1) == 0


def test_a_subset_keeps_the_order() -> None:
    predictions = make_predictions(5, 3, seed=1)
    part = predictions.subset({"s4", "s1", "elsewhere"})
    assert part.sample_ids == ("s1", "s4")
    np.testing.assert_array_equal(part.labels, predictions.labels[[1, 4]])
    np.testing.assert_array_equal(part.probs, predictions.probs[[1, 4]])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    predictions = make_predictions(4, 3, seed=2)
    predictions.save(tmp_path / "predictions.npz")
    again = ClassProbabilities.load(tmp_path / "predictions.npz")
    assert again.sample_ids == predictions.sample_ids
    np.testing.assert_array_equal(again.labels, predictions.labels)
    np.testing.assert_array_equal(again.probs, predictions.probs)


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "predictions.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"predictions\.npz: cannot be read"):
        ClassProbabilities.load(path)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", labels=np.array([0]), probs=np.ones((1, 1)))
    with pytest.raises(DataError, match="sample_ids"):
        ClassProbabilities.load(tmp_path / "predictions.npz")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    make_predictions(4, 3, seed=2).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        ClassProbabilities.load(path)


def test_cross_entropies_are_those_of_the_true_classes() -> None:
    probs = np.array([[0.25, 0.75], [0.25, 0.75], [1.0, 0.0]])
    predictions = ClassProbabilities(("a", "b", "c"), np.array([0, 1, 1]), probs)
    expected = [-np.log(0.25), -np.log(0.75), 6 * np.log(10)]  # the last one is limited
    np.testing.assert_allclose(predictions.cross_entropies(), expected)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": np.array([0, 99])}, "labels are 0 to 99, and there are 3 classes"),
        ({"labels": np.array([-1, 0])}, "labels are -1 to 0"),
        ({"labels": np.array([0.0, 1.0])}, "labels has"),
        ({"labels": np.array([0])}, "labels has"),
        ({"probs": np.ones(2)}, "probs has"),
        ({"probs": np.ones((3, 3))}, "probs has"),
        ({"probs": np.array([["a", "b"], ["c", "d"]])}, "probs has"),
        ({"sample_ids": np.array([1, 2])}, "sample_ids has"),
        ({"sample_ids": np.array([["a"], ["b"]])}, "sample_ids has"),
    ],
)
def test_arrays_that_are_no_predictions_are_named(
    tmp_path: Path, changes: dict[str, np.ndarray], problem: str
) -> None:
    path = tmp_path / "predictions.npz"
    arrays = {
        "sample_ids": np.array(["a", "b"]),
        "labels": np.array([0, 1]),
        "probs": np.eye(3)[:2],
    }
    np.savez(path, **{**arrays, **changes})
    with pytest.raises(DataError, match=f"holds no predictions: {problem}"):
        ClassProbabilities.load(path)


def test_entropies_are_the_networks_where_something_stood_beside_it(tmp_path: Path) -> None:
    probs = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    alone = ClassProbabilities(("a", "b", "c"), np.array([0, 1, 2]), probs)
    wanted = [np.log(2), 0.0, -0.2 * np.log(0.2) - 0.3 * np.log(0.3) - 0.5 * np.log(0.5)]
    assert alone.entropies.tolist() == pytest.approx(wanted)
    joined = replace(alone, network_entropies=np.array([0.1, 0.2, 0.3]))
    assert joined.entropies.tolist() == [0.1, 0.2, 0.3]
    assert joined.recognized().sample_ids == ("a", "c")
    assert joined.recognized().entropies.tolist() == [0.1, 0.3]
    turns = ClassProbabilities.interleave([joined.subset({"a", "c"}), joined.subset({"b"})])
    assert turns.sample_ids == ("a", "b", "c") and turns.entropies.tolist() == [0.1, 0.2, 0.3]
    for number, written in enumerate((alone, joined)):
        written.save(tmp_path / f"{number}.npz")
        read = ClassProbabilities.load(tmp_path / f"{number}.npz")
        assert (read.network_entropies is None) == (written is alone)
        np.testing.assert_array_equal(read.entropies, written.entropies)
    replace(joined, network_entropies=np.array([0.1, np.nan, 0.3])).save(tmp_path / "2.npz")
    with pytest.raises(DataError, match="network_entropies has shape"):
        ClassProbabilities.load(tmp_path / "2.npz")
