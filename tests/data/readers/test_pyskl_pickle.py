"""PYSKL's tables: structure is checked once, and parts become splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.miniature import write_pickle

from skeletonagent.core.clips import Split
from skeletonagent.core.errors import DataError
from skeletonagent.data.readers.pyskl_pickle import (
    pickle_splits,
    read_annotations,
    read_pyskl_pickle,
)
from skeletonagent.data.validation import UNLABELLED

ONE = {"frame_dir": "a", "label": 0}


def table(path: Path, split: Any, annotations: Any = (ONE,)) -> Path:
    return write_pickle(path / "t.pkl", {"split": split, "annotations": list(annotations)})


@pytest.mark.parametrize(
    ("split", "pairs"),
    [
        ({"train": "ab", "val": "c"}, {"standard": ("ab", "c")}),
        ({"train": "a", "val": "b", "test": "c"}, {"standard": ("a", "c")}),
        (
            {"xsub_train": "a", "xsub_val": "b", "xview_train": "b", "xview_val": "a"},
            {"xsub": ("a", "b"), "xview": ("b", "a")},
        ),
        (
            {"train1": "a", "test1": "b", "train2": "b", "test2": "a"},
            {"split1": ("a", "b"), "split2": ("b", "a")},
        ),
        ({"csv1_train": {"a"}, "csv1_val": ("b",), "all": "ab"}, {"csv1": ("a", "b")}),
    ],
    ids=["plain", "three parts", "two splits", "numbered", "with another"],
)
def test_parts_are_paired_by_name(tmp_path: Path, split: Any, pairs: Any) -> None:
    split = {name: list(ids) if isinstance(ids, str) else ids for name, ids in split.items()}
    parts = read_pyskl_pickle(table(tmp_path, split)).split_parts
    assert parts == {name: (frozenset(a), frozenset(b)) for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("label", [np.int64(7), 7, np.uint8(7)])
def test_labels_of_any_kind_of_number_are_counted(tmp_path: Path, label: Any) -> None:
    annotations = [ONE, {"frame_dir": np.str_("b"), "label": label}]
    assert read_pyskl_pickle(table(tmp_path, {"train": [], "val": []}, annotations)).classes == 8


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        ([], "holds no PYSKL data"),
        ({"annotations": [ONE]}, "holds no PYSKL data"),
        ({"split": ["a"], "annotations": [ONE]}, "split must list"),
        ({"split": {"train": "a"}, "annotations": [ONE]}, "split must list"),
        ({"split": {"train": [1], "val": []}, "annotations": [ONE]}, "split must list"),
        ({"split": {1: []}, "annotations": [ONE]}, "split must list"),
        ({"split": {}, "annotations": [ONE]}, "has the parts none; pairs"),
        ({"split": {"xsub_train": []}, "annotations": [ONE]}, "has the parts xsub_train; pairs"),
        ({"split": {"train": [], "val": []}, "annotations": []}, "annotations must be"),
        ({"split": {"train": [], "val": []}, "annotations": {}}, "annotations must be"),
    ],
)
def test_another_structure_is_refused(tmp_path: Path, contents: Any, problem: str) -> None:
    with pytest.raises(DataError, match=rf"t\.pkl: {problem}"):
        read_pyskl_pickle(write_pickle(tmp_path / "t.pkl", contents))


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        ("a", "annotation 1 is no dictionary"),
        ({"label": 0}, "annotation 1 has no name"),
        ({"frame_dir": 3, "label": 0}, "annotation 1 has no name"),
        ({"frame_dir": "b"}, r"annotation 1 \(b\) has the label None"),
        ({"frame_dir": "b", "label": "0"}, r"annotation 1 \(b\) has the label '0'"),
        ({"frame_dir": "b", "label": -1}, r"annotation 1 \(b\) has the label -1"),
        ({"frame_dir": "b", "label": 1 << 60}, "labels are numbers from 0 to 32767"),
        (ONE, "annotation 1 has the name of another, a"),
    ],
)
def test_an_unusable_annotation_is_named(tmp_path: Path, annotation: Any, problem: str) -> None:
    path = table(tmp_path, {"train": [], "val": []}, [ONE, annotation])
    with pytest.raises(DataError, match=problem):
        read_pyskl_pickle(path)


@given(
    ids=st.lists(st.text("abcdef", min_size=1, max_size=2), unique=True),
    train=st.frozensets(st.text("abcdef", min_size=1, max_size=2)),
    test=st.frozensets(st.text("abcdef", min_size=1, max_size=2)),
)
def test_pickle_splits_keep_the_order_of_samples(
    ids: list[str], train: frozenset[str], test: frozenset[str]
) -> None:
    (split,) = pickle_splits({"x": (train, test)}, ids).values()
    assert isinstance(split, Split)
    for part, wanted in ((split.train, train), (split.test, test)):
        assert set(part) == wanted & set(ids)
        assert list(part) == sorted(part, key=ids.index)


@pytest.mark.parametrize(
    "contents",
    [[ONE], ONE, {"annotations": [ONE]}, {"annotations": [ONE], "split": "anything"}],
    ids=["list", "one", "dictionary", "with a split"],
)
def test_annotations_need_no_splits(tmp_path: Path, contents: Any) -> None:
    assert read_annotations(write_pickle(tmp_path / "t.pkl", contents)) == [ONE]


@pytest.mark.parametrize("unlabelled", [{"frame_dir": "b"}, {"frame_dir": "b", "label": None}])
def test_annotations_without_labels_are_unlabelled_where_that_is_allowed(
    tmp_path: Path, unlabelled: Any
) -> None:
    path = write_pickle(tmp_path / "t.pkl", [ONE, unlabelled])
    assert read_annotations(path, require_labels=False) == [
        ONE, {"frame_dir": "b", "label": UNLABELLED},
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"annotation 1 \(b\) has the label None"):
        read_annotations(path)


@pytest.mark.parametrize("contents", [[], {}, {"annotations": []}, "text", None, {"split": {}}])
def test_a_pickle_without_annotations_is_refused(tmp_path: Path, contents: Any) -> None:
    path = write_pickle(tmp_path / "t.pkl", contents)
    with pytest.raises(DataError, match=r"t\.pkl: annotations must be a list of samples"):
        read_annotations(path, require_labels=False)


@pytest.mark.parametrize("annotation", ["a", {}, {"frame_dir": "b", "label": -2}, ONE])
def test_unlabelled_annotations_are_checked_as_others(tmp_path: Path, annotation: Any) -> None:
    path = write_pickle(tmp_path / "t.pkl", [ONE, annotation])
    with pytest.raises(DataError, match=r"annotation 1 "):
        read_annotations(path, require_labels=False)
