"""Counting confusions, and which classes are similar."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.confusion import Confusions, similar_classes


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_counts_equal_a_loop(pairs: list[tuple[int, int]]) -> None:
    confusions = Confusions.empty(4)
    expected = torch.zeros(4, 4, dtype=torch.long)
    for label, prediction in pairs:
        expected[label, prediction] += 1
    for part in (pairs[:11], pairs[11:]):  # two batches add up
        both = torch.tensor(part, dtype=torch.long).reshape(-1, 2)
        confusions.add(both[:, 0], both[:, 1])
    assert torch.equal(confusions.counts, expected)
    right = sum(label == prediction for label, prediction in pairs)
    assert confusions.accuracy == pytest.approx(right / max(len(pairs), 1))


def test_nothing_counted_is_no_accuracy() -> None:
    assert Confusions.empty(2).accuracy == 0


@given(
    st.integers(1, 6).flatmap(
        lambda y: st.lists(
            st.lists(st.integers(0, 3), min_size=y, max_size=y), min_size=y, max_size=y
        )
    ),
    st.integers(1, 8),
)
def test_similar_classes_equal_a_sort_by_count_then_index(rows: list[list[int]], k: int) -> None:
    expected = [
        tuple(
            sorted(
                (n for n, count in enumerate(row) if count and n != m),
                key=lambda n, row=row: (-row[n], n),
            )[:k]
        )
        for m, row in enumerate(rows)
    ]
    assert similar_classes(torch.tensor(rows), k) == expected


def test_similar_classes_by_hand() -> None:
    counts = torch.tensor(
        [
            [9, 1, 2, 1],  # most confused first, ties by index
            [0, 5, 0, 0],  # no error, no rival, whatever the others do
            [3, 3, 0, 3],
            [0, 0, 1, 0],
        ]
    )
    assert similar_classes(counts, 2) == [(2, 1), (), (0, 1), (2,)]
    assert similar_classes(counts, 99) == [(2, 1, 3), (), (0, 1, 3), (2,)]
    assert counts[0, 0] == 9, "the counts are left alone"


@given(
    st.integers(1, 6).flatmap(
        lambda y: st.lists(
            st.lists(st.integers(0, 3), min_size=y, max_size=y), min_size=y, max_size=y
        )
    ),
    st.integers(1, 8),
)
def test_padded_sets_are_full_and_hold_all_similar_classes(rows: list[list[int]], k: int) -> None:
    counts = torch.tensor(rows)
    padded = similar_classes(counts, k, padded=True)
    for own, (full, similar) in enumerate(zip(padded, similar_classes(counts, k), strict=True)):
        mistakes = [0 if n == own else count for n, count in enumerate(rows[own])]
        left = sorted(n for n, count in enumerate(mistakes) if not count)
        missing = min(k, len(rows)) - len(similar)
        assert full == tuple(sorted([*similar, *left[:missing]]))


def test_padded_sets_by_hand() -> None:
    counts = torch.zeros(12, 12, dtype=torch.long)
    assert similar_classes(counts, 10, padded=True) == [tuple(range(10))] * 12
    counts[11, 5], counts[11, 10] = 1, 2
    assert similar_classes(counts, 3, padded=True)[11] == (0, 5, 10)
    assert similar_classes(counts, 3, padded=True)[1] == (0, 1, 2)


@pytest.mark.parametrize("k", [0, -1])
def test_no_similar_classes_can_be_asked_for(k: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {k}"):
        similar_classes(torch.zeros(2, 2, dtype=torch.long), k)
