"""Oddities of data sets: put in by hand and found, and found in real sets where known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.archive import read_archive
from skeletonagent.data.summary import summarize_dataset

STICK = SkeletonLayout("stick", ("top", "bottom"), ((0, 1),))


def some_joints(seed: int, m: int = 1, t: int = 4, c: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(m, t, 2, c)).astype(np.float32)


def make_data(
    joints: dict[str, np.ndarray],
    train: str,
    test: str,
    labels: dict[str, int] | None = None,
    subjects: dict[str, int] | None = None,
) -> SkeletonData:
    """Return data whose samples have names of one letter."""
    sequences = [
        SkeletonSequence(
            values,
            (labels or {}).get(name, 0),
            name,
            None if subjects is None else subjects[name],
        )
        for name, values in joints.items()
    ]
    store = ClipStore.from_sequences(sequences, STICK, ("wave", "sit", "jump"))
    return SkeletonData("toy", "Toy", store, {"only": Split(tuple(train), tuple(test))}, "only")


def test_counts() -> None:
    joints = {
        "a": some_joints(0, m=1, t=4),
        "b": some_joints(1, m=2, t=9),
        "c": some_joints(2, m=1, t=5),
        "d": some_joints(3, m=1, t=6),
        "e": some_joints(4, m=2, t=7),
    }
    summary = summarize_dataset(make_data(joints, "abc", "de", labels={"b": 2, "c": 2}))
    assert (summary.name, summary.samples, summary.classes) == ("toy", 5, 3)
    assert (summary.joints, summary.channels) == (2, 3)
    assert summary.persons == {1: 3, 2: 2}
    assert summary.frames == (4, 6, 9)
    assert summary.samples_per_class == {"wave": 3, "sit": 0, "jump": 2}
    assert summary.empty_classes == ("sit",)
    split = summary.splits["only"]
    assert (split.train, split.test) == (3, 2)
    assert split.missing_classes == ("sit",)


def test_a_clean_data_set_has_no_problems() -> None:
    joints = {name: some_joints(seed) for seed, name in enumerate("abc")}
    labels, subjects = {"b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}
    summary = summarize_dataset(make_data(joints, "ab", "c", labels, subjects))
    assert summary.usable
    assert not (
        summary.not_finite or summary.single_frame or summary.empty_frames or summary.empty_classes
    )
    split = summary.splits["only"]
    assert not (split.shared_samples or split.duplicates)
    assert split.missing_classes == ("jump",)
    assert split.shared_subjects == 0


def test_joints_that_are_not_finite_make_data_unusable() -> None:
    joints = {name: some_joints(seed) for seed, name in enumerate("abcd")}
    joints["b"][0, 3, 1, 2] = np.nan
    joints["d"][0, 0, 0, 0] = -np.inf
    summary = summarize_dataset(make_data(joints, "ab", "cd"))
    assert summary.not_finite == ("b", "d")
    assert not summary.usable


def test_samples_of_a_single_frame_are_listed() -> None:
    joints = {"a": some_joints(0, t=1), "b": some_joints(1, t=2), "c": some_joints(2, m=2, t=1)}
    assert summarize_dataset(make_data(joints, "a", "bc")).single_frame == ("a", "c")


def test_frames_of_nobody_are_counted() -> None:
    joints = {"a": some_joints(0, m=2), "b": some_joints(1, m=2), "c": some_joints(2)}
    joints["a"][:, 1:3] = 0
    joints["b"][0, 0] = 0
    joints["b"][1, 1] = 0
    joints["c"][0, 3] = 0
    assert summarize_dataset(make_data(joints, "a", "bc")).empty_frames == {"a": 2, "c": 1}


def test_identical_joints_in_both_parts_are_duplicates_whatever_they_are_called() -> None:
    joints = {name: some_joints(seed) for seed, name in enumerate("abcdef")}
    joints["d"] = joints["a"].copy()
    joints["e"] = joints["b"].copy()
    joints["e"][0, 0, 0, 0] += 1e-6
    joints["f"] = joints["c"].copy()
    summary = summarize_dataset(make_data(joints, "ab", "cdef"))
    assert summary.splits["only"].duplicates == (("a", "d"),)
    assert summary.splits["only"].shared_samples == ()


def test_a_sample_in_both_parts_is_shared_and_no_duplicate_of_itself() -> None:
    joints = {name: some_joints(seed) for seed, name in enumerate("abc")}
    split = summarize_dataset(make_data(joints, "cab", "cb")).splits["only"]
    assert split.shared_samples == ("b", "c")
    assert split.duplicates == ()


def test_subjects_in_both_parts_are_counted_where_they_are_known() -> None:
    joints = {name: some_joints(seed) for seed, name in enumerate("abcd")}
    subjects = {"a": 1, "b": 2, "c": 2, "d": 3}
    with_subjects = make_data(joints, "ab", "cd", subjects=subjects)
    assert summarize_dataset(with_subjects).splits["only"].shared_subjects == 1
    unknown = replace(with_subjects, store=replace(with_subjects.store, subjects=None))
    assert summarize_dataset(unknown).splits["only"].shared_subjects is None


def real(shared: Path, name: str) -> SkeletonData:
    path = shared / "data" / name / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    return read_archive(path)


def test_problems_of_nw_ucla(shared: Path) -> None:
    summary = summarize_dataset(real(shared, "nw_ucla"))
    assert (summary.samples, summary.classes, summary.joints, summary.channels) == (1484, 10, 20, 3)
    assert summary.frames == (1, 31, 201)
    assert summary.usable
    duplicates = summary.splits["xview_v12_v3"].duplicates
    assert len(duplicates) == 95
    assert {test[:3] for _, test in duplicates} == {"a02", "a03"}
    assert summary.single_frame in duplicates  # one sample of a single frame, and its copy
    assert summary.splits["xview_v12_v3_nodup"].duplicates == ()
    assert summary.splits["xview_v12_v3_nodup"].test == 369


def test_jhmdb_has_two_coordinates(shared: Path) -> None:
    summary = summarize_dataset(real(shared, "jhmdb"))
    assert (summary.samples, summary.classes, summary.joints, summary.channels) == (804, 21, 15, 2)
    assert summary.frames == (15, 40, 40)
    assert {"split1", "split2", "split3"} <= summary.splits.keys()
    assert not any(split.shared_samples or split.duplicates for split in summary.splits.values())


def test_utd_mhad_is_clean(shared: Path) -> None:
    summary = summarize_dataset(real(shared, "utd_mhad"))
    assert (summary.samples, summary.classes, summary.joints, summary.channels) == (861, 27, 20, 3)
    assert summary.frames == (41, 67, 125)
    assert summary.persons == {1: 861}
    assert summary.usable
    assert not (summary.single_frame or summary.empty_frames or summary.empty_classes)
    split = summary.splits["xsub_odd_even"]
    assert (split.train, split.test, split.shared_subjects) == (431, 430, 0)
    assert not (split.shared_samples or split.duplicates or split.missing_classes)
