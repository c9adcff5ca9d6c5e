"""One check for all who write and read archives: contradictions are named, and never written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, UAV_17
from skeletonagent.data.archive import read_archive, write_archive
from skeletonagent.data.benchmarks import BENCHMARKS


def small(v: int = 17) -> SkeletonData:
    rng = np.random.default_rng(2)
    clips = [
        SkeletonSequence(rng.normal(size=(1, 3 + n, v, 3)).astype(np.float32), n % 2, f"s{n}", n)
        for n in range(4)
    ]
    store = ClipStore.from_sequences(clips, COCO_17, ("wave", "sit"))
    return SkeletonData("small", "S", store, {"a": Split(("s0", "s1"), ("s2", "s3"))}, "a")


def with_split(train: tuple[str, ...], test: tuple[str, ...]) -> SkeletonData:
    return replace(small(), splits={"a": Split(train, test)})


def with_store(**values: Any) -> SkeletonData:
    data = small()
    return replace(data, store=replace(data.store, **values))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        *((small(v), f"names 17 joints, .* has {v}") for v in (13, 16, 18, 33)),
        (with_store(labels=torch.tensor([0, 1, 2, 0])), "label 2 is outside"),
        (with_store(class_names=("wave", "wave")), "0 and 1 have the same class name 'wave'"),
        (with_store(class_names=("wave", " ")), "the class of label 1 has no name"),
        (with_store(sample_ids=("s0", "s1", "s2", "s2")), "names a sample twice"),
        (with_split(("s0", "s0"), ("s1",)), r"\(train\) names 1 sample\(s\) more than once"),
        (with_split(("s0", "sx"), ("s1",)), "the archive lacks"),
        (with_split(("s0",), ()), "has no sample in its part val"),
        (replace(small(), default_split="b"), "default_split 'b' is not one of a"),
        (replace(small(), splits={}, default_split=""), "has no split"),
    ],
)
def test_what_is_read_by_nobody_is_not_written(
    tmp_path: Path, data: SkeletonData, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        write_archive(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_the_usual_types_are_kept(tmp_path: Path) -> None:
    data = small()
    names = tuple(f"class {n}" for n in range(40_001))
    labels = torch.tensor([0, 40_000, 32_768, 1])
    persons = torch.ones(4, dtype=torch.long)
    data = replace(data, store=replace(data.store, labels=labels, persons=persons,
                                       class_names=names))  # fmt: skip
    store = read_archive(write_archive(data, tmp_path)).store
    assert store.labels.tolist() == [0, 40_000, 32_768, 1] and store.class_names == names


def test_the_names_of_a_benchmark_may_have_one_twice(tmp_path: Path) -> None:
    names = BENCHMARKS["finegym"].class_names
    assert len(set(names)) < len(names)
    path = write_archive(with_store(class_names=names), tmp_path)
    assert read_archive(path).store.class_names == names


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return an archive whose JSON was changed by hand."""
    path = write_archive(small(), folder)
    meta = json.loads(path.with_suffix(".json").read_text())
    change(meta)
    path.with_suffix(".json").write_text(json.dumps(meta))
    return path


def in_split(**parts: Any) -> Callable[[dict[str, Any]], object]:
    return lambda meta: meta["split"]["a"].update(parts)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (in_split(train=5), r"\(train\) must be a list of sample ids, got 5"),
        (in_split(train=[["s0"]]), r"\(train\) must be a list of sample ids, got \['s0'\] in it"),
        (in_split(train={"s0": 1}), "must be a list of sample ids"),
        (lambda meta: meta.update(split={"a": ["s0"]}), r"the parts train and val, got \['s0'\]"),
        (lambda meta: meta.update(default_split=["a"]), "default_split must be a name"),
        (lambda meta: meta.update(title={}), "title must be a name"),
        (lambda meta: meta.update(class_names=[["a"], "b"]), "class_names must hold names"),
        (lambda meta: meta.update(root_joint=float("inf"), layout="x"), "counted .* got inf"),
        (lambda meta: meta.update(bones=[[float("inf"), 0]], layout="x"), "counted .* got inf"),
        (lambda meta: meta.update(bones=[5], layout="x"), "of two joints, got 5"),
        (lambda meta: meta.update(pairs=5), "lists of two joints"),
        (lambda meta: meta.update(bones=[list(b) for b in UAV_17.bones]), "whose bones are others"),
    ],
)
def test_a_json_of_other_types_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as refused:
        read_archive(edited(tmp_path, change))
    assert len(str(refused.value)) < 400


def test_a_test_set_beside_a_validation_set_is_the_test_set(tmp_path: Path) -> None:
    path = edited(tmp_path, in_split(test=["s3"], val=["s2"]))
    with pytest.warns(UserWarning, match=r"not used: val \(1 samples\); its test set is test"):
        data = read_archive(path)
    assert data.splits["a"] == Split(("s0", "s1"), ("s3",))


def test_names_are_cleaned_alike_wherever_they_are(tmp_path: Path) -> None:
    data = small()
    ids = ("s0", "s\x1b[31m1", "s\x07 2", "s3")
    data = replace(
        data,
        title="S\x1b]0;mine\x07mall",
        store=replace(data.store, sample_ids=ids, class_names=("wa\x1b[2Jve", "sit\u2028down")),
        splits={"a\x00b": Split(ids[:2], ids[2:])},
        default_split="a\x00b",
    )
    read = read_archive(write_archive(data, tmp_path))
    assert read.store.sample_ids == ("s0", "s1", "s 2", "s3")
    assert read.store.class_names == ("wave", "sit down") and read.title == "Small"
    assert read.splits == {"ab": Split(("s0", "s1"), ("s 2", "s3"))} and read.default_split == "ab"


def test_counts_whose_product_overflows_are_refused(tmp_path: Path) -> None:
    path = write_archive(small(), tmp_path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    rows = int(arrays["total_frames"][0])
    for name in ("num_person", "total_frames"):
        arrays[name] = arrays[name].astype(np.int64)
        arrays[name][0] = 1 << 32
    arrays["keypoint"] = arrays["keypoint"][rows:]
    arrays["offset"] = np.concatenate([[0, 0], np.cumsum(arrays["total_frames"][1:])])
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="offset does not fit"):
        read_archive(path)


def test_a_json_may_have_a_mark_and_is_not_nested_without_end(tmp_path: Path) -> None:
    path = write_archive(small(), tmp_path)
    meta = path.with_suffix(".json")
    meta.write_bytes(b"\xef\xbb\xbf" + meta.read_bytes())
    assert read_archive(path).name == "small"
    meta.write_text("[" * 200_000)
    with pytest.raises(DataError, match="cannot be read as JSON: maximum recursion depth"):
        read_archive(path)


def test_files_of_a_folder_are_as_large_as_they_say(tmp_path: Path) -> None:
    path = write_archive(small(), tmp_path)
    folder = path.with_suffix("")
    folder.mkdir()
    with np.load(path) as file:
        for name in file.files:
            np.save(folder / f"{name}.npy", file[name])
    path.unlink()
    assert len(read_archive(folder).store) == 4
    keypoint = folder / "keypoint.npy"
    keypoint.write_bytes(keypoint.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"keypoint\.npy: cannot be read as NumPy arrays"):
        read_archive(folder)
    keypoint.unlink()
    os.mkfifo(keypoint)
    with pytest.raises(DataError, match=r"keypoint\.npy: is a named pipe"):
        read_archive(folder)
