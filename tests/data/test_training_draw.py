"""Draws of training clips: nested, balanced over classes and subjects, and repeatable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.splits import split_validation
from skeletonagent.data.training_draw import draw_training_clips, training_and_validation

STICK = SkeletonLayout("stick", ("top", "bottom"), ((0, 1),))

CLIPS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), min_size=1, max_size=40)
"""Class and subject of each clip."""


def store_of(labels: Sequence[int], subjects: Sequence[int] | None) -> ClipStore:
    joints = np.ones((1, 1, 2, 3), dtype=np.float32)
    people = [None] * len(labels) if subjects is None else subjects
    sequences = [
        SkeletonSequence(joints, label, f"clip{n}", people[n]) for n, label in enumerate(labels)
    ]
    return ClipStore.from_sequences(sequences, STICK, [str(y) for y in range(max(labels) + 1)])


def literal_draw(store: ClipStore, train: Tensor, number: int, seed: int) -> list[int]:
    """Return the draw as its description says it: round after round, a clip of each subject."""
    chosen: set[int] = set()
    for label in sorted(set(store.labels[train].tolist())):
        members = [n for n in train.tolist() if store.labels[n] == label]
        generator = np.random.default_rng((seed, label))
        order = generator.permutation(len(members)).tolist()
        keys = generator.random(len(members))
        queues: dict[int, list[int]] = {}
        for index in order:
            person = 0 if store.subjects is None else store.subjects[members[index]]
            queues.setdefault(person, []).append(index)
        taken: list[int] = []
        while any(queues.values()):
            in_round = [queue.pop(0) for queue in queues.values() if queue]
            taken += sorted(in_round, key=lambda index: keys[index])
        chosen |= {members[index] for index in taken[:number]}
    return [n for n in train.tolist() if n in chosen]


@given(clips=CLIPS, known=st.booleans(), number=st.integers(1, 12), seed=st.integers(0, 99))
def test_draw_is_the_literal_one(
    clips: list[tuple[int, int]], known: bool, number: int, seed: int
) -> None:
    labels, subjects = zip(*clips, strict=True)
    store = store_of(labels, subjects if known else None)
    train = torch.randperm(len(labels))[: max(1, 2 * len(labels) // 3)]
    drawn = draw_training_clips(store, train, number, seed)
    assert drawn.tolist() == literal_draw(store, train, number, seed)


@given(clips=CLIPS, seed=st.integers(0, 99))
def test_draws_are_nested_and_balanced(clips: list[tuple[int, int]], seed: int) -> None:
    labels, subjects = zip(*clips, strict=True)
    store, train = store_of(labels, subjects), torch.arange(len(labels))
    smaller: set[int] = set()
    for number in range(1, 11):
        drawn = draw_training_clips(store, train, number, seed).tolist()
        assert smaller <= set(drawn)
        smaller = set(drawn)
        per_class = Counter(labels[n] for n in drawn)
        assert per_class == {y: min(number, c) for y, c in Counter(labels).items()}
        of_pair, all_of_pair = Counter(clips[n] for n in drawn), Counter(clips)
        for (label, person), count in of_pair.items():
            for other in {s for y, s in clips if y == label} - {person}:
                has_more = of_pair[label, other] < all_of_pair[label, other]
                assert not has_more or count <= of_pair[label, other] + 1


def test_draws_are_repeatable_and_differ_by_seed() -> None:
    store, train = store_of([0, 1, 2] * 20, None), torch.arange(60)
    first, again, other = (
        draw_training_clips(store, train, 4, seed).tolist() for seed in (3, 3, 4)
    )
    assert first == again != other
    counted = Counter(
        n for s in range(200) for n in draw_training_clips(store, train, 5, s).tolist()
    )
    assert min(counted.values()) > 25 and max(counted.values()) < 80  # 50 are expected
    whole = draw_training_clips(store, train.flip(0), None, 3)
    assert whole.tolist() == train.flip(0).tolist()


def test_other_classes_do_not_change_the_draw_of_a_class() -> None:
    """A class that is added later leaves the clips of the others as they were drawn."""
    store = store_of([0] * 9 + [1] * 9 + [2] * 9, [0, 1, 2] * 9)
    few = draw_training_clips(store, torch.arange(9, 18), 4, 7).tolist()
    many = draw_training_clips(store, torch.arange(27), 4, 7).tolist()
    assert few == [n for n in many if 9 <= n < 18]


def test_validation_is_taken_from_within_the_draw() -> None:
    store, train = store_of([0, 1] * 20, [0, 0, 1, 1, 2, 2, 3, 3] * 5), torch.arange(40)
    settings = DataSettings(clips_per_class=8, draw_seed=2)
    drawn = draw_training_clips(store, train, 8, 2).tolist()
    training, validation = training_and_validation(store, train, settings, 0.25, 0)
    assert sorted([*training.tolist(), *validation.tolist()]) == drawn
    assert {n // 2 % 4 for n in validation.tolist()}.isdisjoint(
        n // 2 % 4 for n in training.tolist()
    )
    assert len(validation) == 4


@pytest.mark.parametrize("subjects", [None, [0, 1] * 10])
def test_no_validation_set_costs_a_class_its_clips(subjects: list[int] | None) -> None:
    store, train = store_of([0] * 10 + [1] * 10, subjects), torch.arange(20)
    settings = DataSettings(clips_per_class=1, draw_seed=1)
    for seed in range(8):
        training, validation = training_and_validation(store, train, settings, 0.5, seed)
        drawn = draw_training_clips(store, train, 1, 1)
        assert training.tolist() == drawn.tolist() and len(validation) == 0


def test_without_a_draw_the_validation_set_is_as_ever() -> None:
    """Also where it takes all clips of a class: that is how finished runs were trained."""
    store, train = store_of([0] * 8 + [1] * 2, [0, 1] * 4 + [2, 2]), torch.arange(10)
    for seed in range(6):
        wanted = split_validation(store, train, 0.3, seed)
        found = training_and_validation(store, train, DataSettings(), 0.3, seed)
        assert [part.tolist() for part in found] == [part.tolist() for part in wanted]
