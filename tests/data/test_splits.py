"""Training, validation and test sets: no sample is in two of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data import splits
from skeletonagent.data.archive import read_archive
from skeletonagent.data.splits import choose_split, split_validation

STICK = SkeletonLayout("stick", ("top", "bottom"), ((0, 1),))


def make_store(labels: Sequence[int], subjects: Sequence[int] | None) -> ClipStore:
    joints = np.ones((1, 1, 2, 3), dtype=np.float32)
    sequences = [
        SkeletonSequence(
            joints, label, f"sample {i}", subjects[i] if subjects is not None else None
        )
        for i, label in enumerate(labels)
    ]
    return ClipStore.from_sequences(sequences, STICK, [str(y) for y in range(max(labels) + 1)])


def make_data(**named: tuple[Sequence[str], Sequence[str]]) -> SkeletonData:
    parts = {name: Split(tuple(train), tuple(test)) for name, (train, test) in named.items()}
    return SkeletonData("toy", "Toy", make_store([0, 1], None), parts, next(iter(parts)))


def test_a_split_is_taken_by_name_or_by_default() -> None:
    data = make_data(first=("ab", "c"), second=("bc", "a"))
    assert choose_split(data, None) == ("first", data.splits["first"])
    assert choose_split(data, "second") == ("second", data.splits["second"])
    with pytest.raises(ConfigError, match="toy has no split 'third'; it has first, second"):
        choose_split(data, "third")


def data_with_subjects(subjects: Sequence[int] | None, number: int = 6) -> SkeletonData:
    store = make_store([0] * number, subjects)
    return SkeletonData("toy", "Toy", store, {"own": Split(store.sample_ids, ())}, "own")


def test_subject_folds_by_hand() -> None:
    """Subjects 3, 5 and 9 in order: the first and the third are tested together."""
    data = data_with_subjects([5, 9, 3, 5, 9, 3])
    name, split = choose_split(data, "subjects-1-of-2")
    assert name == "subjects-1-of-2"
    assert split.test == ("sample 1", "sample 2", "sample 4", "sample 5")
    assert split.train == ("sample 0", "sample 3")
    assert splits.evaluation_parts(data, name) == {name: frozenset(split.test)}


@given(subjects=st.lists(st.integers(-3, 9), min_size=2, max_size=20), data=st.data())
def test_subject_folds_test_every_sample_once_and_share_no_subject(
    subjects: list[int], data: st.DataObject
) -> None:
    people = len(set(subjects))
    assume(people > 1)
    count = data.draw(st.integers(2, people))
    whole = data_with_subjects(subjects, len(subjects))
    folds = [choose_split(whole, f"subjects-{n}-of-{count}")[1] for n in range(1, count + 1)]
    tested = [sample for fold in folds for sample in fold.test]
    assert sorted(tested) == sorted(whole.store.sample_ids)
    for fold in folds:
        assert set(fold.train) == set(whole.store.sample_ids) - set(fold.test)
        met = [
            {subjects[whole.store.index_of[s]] for s in part} for part in (fold.train, fold.test)
        ]
        assert not met[0] & met[1]


@pytest.mark.parametrize("name", ["subjects-3-of-2", "subjects-1-of-1", "subjects-1-of-4"])
def test_impossible_subject_folds_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"toy has no fold . of . by subjects; it has 3 s"):
        choose_split(data_with_subjects([1, 2, 3] * 2), name)
    with pytest.raises(ConfigError, match="it has no known subjects"):
        choose_split(data_with_subjects(None), name)


def test_odd_and_even_subjects_are_two_folds(shared: Path) -> None:
    path = shared / "data" / "utd_mhad" / "utd_mhad"
    if not path.with_suffix(".npz").is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    data = read_archive(path)
    official, fold = data.splits["xsub_odd_even"], choose_split(data, "subjects-2-of-2")[1]
    assert set(official.train) == set(fold.train) and set(official.test) == set(fold.test)


def test_splits_with_the_same_training_set_are_reported_together() -> None:
    data = make_data(
        other=("abc", "de"), full=("ab", "cd"), clean=("ba", "c"), swapped=("cd", "ab")
    )
    assert splits.reported_splits(data, "full") == ["full", "clean"]
    assert splits.reported_splits(data, "clean") == ["clean", "full"]
    assert splits.reported_splits(data, "other") == ["other"]


def test_nw_ucla_is_tested_without_its_duplicates_too(shared: Path) -> None:
    path = shared / "data" / "nw_ucla" / "nw_ucla"
    if not path.with_suffix(".npz").is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    data = read_archive(path)
    tested = splits.reported_splits(data, "xview_v12_v3")
    assert tested == ["xview_v12_v3", "xview_v12_v3_nodup"]
    full, clean = (set(data.splits[name].test) for name in tested)
    assert clean < full and (len(full), len(clean)) == (464, 369)


def parts(
    store: ClipStore, train: Tensor, share: float, seed: int = 0
) -> tuple[list[int], list[int]]:
    training, validation = split_validation(store, train, share, seed)
    return training.tolist(), validation.tolist()


populations = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=2, max_size=25)
"""Class and subject of some samples."""


@given(
    people=populations,
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 99),
    with_subjects=st.booleans(),
    data=st.data(),
)
def test_split_validation_divides_the_training_set(
    people: list[tuple[int, int]], share: float, seed: int, with_subjects: bool, data: st.DataObject
) -> None:
    labels, subjects = [label for label, _ in people], [subject for _, subject in people]
    store = make_store(labels, subjects if with_subjects else None)
    train = data.draw(
        st.lists(st.integers(0, len(people) - 1), min_size=1, unique=True).map(torch.tensor)
    )
    training, validation = parts(store, train, share, seed)
    assert sorted(training + validation) == sorted(train.tolist())
    assert training == [i for i in train.tolist() if i in training]
    assert validation == [i for i in train.tolist() if i in validation]
    assert training
    assert (training, validation) == parts(store, train, share, seed)


@given(people=populations, share=st.floats(0.01, 0.9), seed=st.integers(0, 99))
def test_split_validation_holds_out_subjects(
    people: list[tuple[int, int]], share: float, seed: int
) -> None:
    subjects = [subject for _, subject in people]
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))
    train = order[: 1 + len(people) // 2]
    assume(len({subjects[i] for i in train.tolist()}) > 1)
    labels = [label for label, _ in people]
    store = make_store(labels, subjects)
    training, validation = parts(store, train, share, seed)
    trained_subjects, held_out_subjects = (
        {subjects[i] for i in training},
        {subjects[i] for i in validation},
    )
    assert {labels[i] for i in training} == {labels[i] for i in train.tolist()}
    spared = [
        {labels[i] for i in train.tolist() if subjects[i] != subject}
        == {labels[i] for i in train.tolist()}
        for subject in {subjects[i] for i in train.tolist()}
    ]
    if any(spared):  # without one of them all classes can be learned
        assert trained_subjects and held_out_subjects
        assert not trained_subjects & held_out_subjects


def test_a_subject_who_alone_shows_a_class_is_not_held_out() -> None:
    """Class 1 is shown by subject 3 alone; of each of the others it is learned from three."""
    labels, subjects = [0, 0, 0, 0, 1, 1], [1, 1, 2, 2, 3, 3]
    held_out = [
        parts(make_store(labels, subjects), torch.arange(6), 0.3, seed) for seed in range(9)
    ]
    assert {tuple(validation) for _, validation in held_out} == {(0, 1), (2, 3)}


def test_where_each_subject_alone_shows_a_class_classes_give_their_share() -> None:
    labels, subjects = [0] * 4 + [1] * 4, [1] * 4 + [2] * 4
    training, validation = parts(make_store(labels, subjects), torch.arange(8), 0.25)
    assert sorted(labels[i] for i in validation) == [0, 1] and len(training) == 6


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.1, 1), (0.32, 3), (0.99, 9)])
def test_the_number_of_held_out_subjects_is_closest_to_the_share(share: float, count: int) -> None:
    store = make_store([0] * 50, [i % 10 for i in range(50)])
    _, validation = parts(store, torch.arange(50), share)
    assert len(validation) == 5 * count


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
    one_subject=st.booleans(),
)
def test_without_subjects_each_class_gives_its_share_and_keeps_one(
    sizes: list[int], share: float, seed: int, one_subject: bool
) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    store = make_store(labels, [3] * len(labels) if one_subject else None)
    _, validation = parts(store, torch.arange(len(labels)), share, seed)
    for label, size in enumerate(sizes):
        assert sum(labels[i] == label for i in validation) == min(round(share * size), size - 1)


@pytest.mark.parametrize("subjects", [None, [0, 0, 1, 1, 2, 2]])
def test_no_share_holds_out_nothing(subjects: list[int] | None) -> None:
    train = torch.tensor([5, 0, 3])
    assert parts(make_store([0, 1] * 3, subjects), train, 0.0) == ([5, 0, 3], [])


@pytest.mark.parametrize("subjects", [None, [i % 10 for i in range(50)]])
def test_another_seed_holds_out_others(subjects: list[int] | None) -> None:
    store = make_store([i % 5 for i in range(50)], subjects)
    validation = {tuple(parts(store, torch.arange(50), 0.2, seed)[1]) for seed in range(20)}
    assert len(validation) > 10
    assert set().union(*validation) == set(range(50))


@given(people=populations, folds=st.integers(2, 6), seed=st.integers(0, 9), known=st.booleans())
def test_folds_validate_every_training_sample_once(
    people: list[tuple[int, int]], folds: int, seed: int, known: bool
) -> None:
    labels, subjects = [label for label, _ in people], [subject for _, subject in people]
    store = make_store(labels, subjects if known else None)
    train = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))[1:]
    assume(len(train) > 1)
    cut = splits.leave_subjects_out(store, train, folds, seed)
    for training, validation in cut:
        assert sorted([*training.tolist(), *validation.tolist()]) == sorted(train.tolist())
        assert len(training) and len(validation)
    assert sorted(i for _, part in cut for i in part.tolist()) == sorted(train.tolist())
    present = {subjects[i] for i in train.tolist()}
    if known and len(present) > 1:
        assert len(cut) == min(folds, len(present))
        for training, validation in cut:
            met = [{subjects[i] for i in part.tolist()} for part in (training, validation)]
            assert not met[0] & met[1]
    else:
        assert len(cut) == min(folds, len(train))
        for label in set(labels):
            counts = [sum(labels[i] == label for i in part.tolist()) for _, part in cut]
            assert max(counts) - min(counts) <= 1
    again = splits.leave_subjects_out(store, train, folds, seed)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(cut, again, strict=True))


def test_few_subjects_are_a_fold_each() -> None:
    store = make_store([0, 1] * 4, [7, 7, 7, 7, 8, 8, 9, 9])
    cut = splits.leave_subjects_out(store, torch.arange(8), 5, 0)
    assert sorted(part.tolist() for _, part in cut) == [[0, 1, 2, 3], [4, 5], [6, 7]]


def test_what_is_held_out_is_said() -> None:
    store = make_store([0, 1] * 5, [1, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    train, validation = torch.arange(4), torch.arange(4, 10)
    line = splits.describe_validation(store, train, validation, 0.1, 1.0)
    assert line is not None
    assert "6 of 10 training clips (60%, wanted 10%), all of subjects 2, 3; never trained" in line
    late = splits.describe_validation(store, train, validation[:3], 0.1, 0.6)
    assert late is not None
    assert "all of subject 2; trained on after 60% of the training" in late
    unknown = splits.describe_validation(make_store([0, 1] * 5, None), train, validation, 0.1, 1.0)
    assert unknown is not None and "subject" not in unknown
    assert splits.describe_validation(store, train, validation[:0], 0.1, 1.0) is None
