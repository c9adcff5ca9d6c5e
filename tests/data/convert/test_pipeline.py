"""Conversions: an archive holds what was read, a kill costs a part, no failure leaves any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.clips import ClipStore, SkeletonSequence, Split
from skeletonagent.core.errors import ConfigError, DataError, RunInUseError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.shard import Shard
from skeletonagent.data import part_running
from skeletonagent.data.archive import find_archives, read_archive
from skeletonagent.data.convert import parts, pipeline
from skeletonagent.data.convert.pipeline import (
    Conversion,
    DatasetReader,
    convert_dataset,
    convert_share,
)
from skeletonagent.data.part_folder import PartFolder
from skeletonagent.data.part_running import parts_by_processes

CHAIN = SkeletonLayout("toy", ("head", "neck", "hip"), ((0, 1), (1, 2)), center=2)


def sample(number: int) -> SkeletonSequence:
    """Return the sample of a number, always the same."""
    rng = np.random.default_rng(number)
    shape = (1 + number % 2, 1 + number % 5, 3, 3)
    return SkeletonSequence(
        joints=rng.normal(size=shape).astype(np.float32),
        label=number % 4,
        sample_id=f"sample {number}",
        subject=number // 3,
    )


def half(number: int) -> SkeletonSequence:
    joints = sample(number).joints.astype(np.float16)
    return replace(sample(number), joints=joints)


def mixed(number: int) -> SkeletonSequence:
    return half(number) if number % 2 else sample(number)


def in_image(number: int) -> SkeletonSequence:
    return replace(sample(number), image_size=(1280.0, 720.0 + number))


def odd(number: int) -> SkeletonSequence:
    """Return the sample, unless the number is odd in some way."""
    joints = sample(number).joints.copy()
    changes: dict[int, dict[str, Any]] = {
        3: {"joints": np.where(np.arange(3) == 1, np.nan, joints)},
        4: {"joints": joints[:, :, :2]},
        5: {"joints": joints[:, :0]},
        6: {"label": 4},
        7: {"label": -1},
        8: {"joints": joints[..., :2]},
        9: {"joints": np.where(np.arange(3) == 1, 1e300, joints.astype(np.float64))},
    }
    if number == 2:
        raise DataError("breaks off", path=Path("/data/two.txt"))
    return replace(sample(number), **changes.get(number, {}))


def same_name(number: int) -> SkeletonSequence:
    return replace(sample(number), sample_id=f"sample {number % 6}")


def never(number: int) -> SkeletonSequence:
    raise DataError(f"number {number} is unreadable", sample=f"sample {number}")


def read_text(path: Path) -> SkeletonSequence:
    return sample(int(path.read_text()))


def halves(ids: Sequence[str]) -> Mapping[str, Split]:
    return {
        "even": Split(tuple(ids[::2]), tuple(ids[1::2])),
        "all": Split(tuple(ids), ()),
        "late": Split(tuple(ids[:4]), tuple(ids[4:])),
    }


def toy_reader(
    numbers: Sequence[Any] = range(12), read: Any = sample, **changes: Any
) -> DatasetReader:
    base = DatasetReader(
        "toy", "Toy data", CHAIN, ("a", "b", "c", "Grüße"), numbers, read, halves, "late"
    )
    return replace(base, **changes)


def convert(reader: DatasetReader, out: Path, processes: int = 1, **options: Any) -> Conversion:
    options = {"progress": lambda done, total: None, "part_size": 5, **options}
    return convert_dataset(reader, out, run=parts_by_processes(processes), **options)


def failing(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@given(numbers=st.lists(st.integers(0, 60), min_size=5, max_size=23, unique=True))
def test_an_archive_holds_what_was_read(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    out = tmp_path_factory.mktemp("any") / "toy"
    done = convert(toy_reader(numbers), out)
    data = read_archive(out)
    expected = ClipStore.from_sequences([sample(n) for n in numbers], CHAIN, ("a",) * 4)
    for field in ("frames", "starts", "lengths", "persons", "labels"):
        assert getattr(data.store, field).equal(getattr(expected, field)), field
    assert data.store.sample_ids == expected.sample_ids and data.store.subjects == expected.subjects
    assert data.store.layout == CHAIN and data.store.class_names[-1] == "Grüße"
    assert (data.name, data.title, data.default_split) == ("toy", "Toy data", "late")
    ids = expected.sample_ids
    assert data.splits["even"] == Split(ids[::2], ids[1::2])
    assert done == Conversion(
        archive=out,
        samples=len(numbers),
        frames=sum(1 + n % 5 for n in numbers),
        skipped=(),
        splits={
            "even": (len(ids[::2]), len(ids[1::2])),
            "all": (len(ids), 0),
            "late": (4, len(ids) - 4),
        },
    )
    assert [path.name for path in sorted(out.parent.iterdir())] == ["toy", "toy.json"]
    assert find_archives(out.parent) == [out]


@pytest.mark.parametrize(
    ("read", "dtype"), [(sample, np.float32), (half, np.float16), (mixed, np.float32)]
)
def test_joints_are_stored_in_the_precision_they_were_read_in(
    tmp_path: Path, read: Any, dtype: Any
) -> None:
    convert(toy_reader(read=read), tmp_path / "toy")
    stored = np.load(tmp_path / "toy" / "keypoint.npy", mmap_mode="r", allow_pickle=False)
    assert stored.dtype == dtype
    flat = np.concatenate([read(n).joints.reshape(-1, 3, 3) for n in range(12)])
    np.testing.assert_array_equal(stored, flat)


def test_confidence_is_no_coordinate(tmp_path: Path) -> None:
    convert(toy_reader(read=half, has_confidence=True), tmp_path / "toy")
    folder = tmp_path / "toy"
    flat = np.concatenate([half(n).joints.reshape(-1, 3, 3) for n in range(12)])
    np.testing.assert_array_equal(np.load(folder / "keypoint.npy"), flat[..., :2])
    confidence = np.load(folder / "keypoint_score.npy")
    assert confidence.dtype == np.float16 and confidence.shape == flat.shape[:2]
    np.testing.assert_array_equal(confidence, flat[..., 2])
    assert read_archive(folder).store.channels == 2
    assert read_archive(folder, confidence=True).store.channels == 3


def test_sizes_of_images_are_kept(tmp_path: Path) -> None:
    convert(toy_reader(read=in_image), tmp_path / "toy")
    sizes = np.load(tmp_path / "toy" / "image_size.npy")
    np.testing.assert_array_equal(sizes, [[1280, 720 + n] for n in range(12)])


def with_nan(number: int) -> SkeletonSequence:
    joints = sample(number).joints.copy()
    joints[0, 0, 1, 2] = np.nan
    return replace(sample(number), joints=joints)


def test_joints_with_nan_are_absent(tmp_path: Path) -> None:
    done = convert(toy_reader(read=with_nan), tmp_path / "toy")
    assert not done.skipped
    stored, given = (read_archive(tmp_path / "toy").store.sequence(0).joints, sample(0).joints)
    assert not stored[0, 0, 1].any()
    given = given.copy()
    given[0, 0, 1] = 0
    np.testing.assert_array_equal(stored, given)


def test_unusable_samples_are_skipped_and_named(tmp_path: Path) -> None:
    done = convert(toy_reader(read=odd), tmp_path / "toy")
    assert {item.sample: item.reason for item in done.skipped} == {
        "two.txt": "breaks off",
        "sample 3": "has no joint that is seen, only NaN",
        "sample 4": "has 2 joints, but toy has 3",
        "sample 5": "joints must be (M, T, V, C) and not empty, got (2, 0, 3, 3)",
        "sample 6": "label 4 is outside the classes 0..3",
        "sample 7": "label -1 is outside the classes 0..3",
        "sample 8": "has 2 channels, not 3",
        "sample 9": "has infinite joints",
    }
    data = read_archive(tmp_path / "toy")
    assert data.store.sample_ids == ("sample 0", "sample 1", "sample 10", "sample 11")
    metadata = json.loads((tmp_path / "toy.json").read_text())
    assert metadata["left_out"]["two.txt"] == "breaks off" and len(metadata["left_out"]) == 8


def test_several_processes_write_the_same_archive_as_one(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    convert(toy_reader(), tmp_path / "one")
    convert_dataset(
        toy_reader(),
        tmp_path / "two",
        run=parts_by_processes(2),
        progress=lambda done, total: steps.append((done, total)),
        part_size=5,
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert steps[0] == (0, 12) and steps[-1] == (12, 12) and steps == sorted(steps)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_shares_of_several_processes_make_the_same_archive(tmp_path: Path, count: int) -> None:
    numbers = range(23)
    steps: list[tuple[int, int]] = []
    whole = convert(toy_reader(numbers, odd), tmp_path / "one", part_size=3)
    out = tmp_path / "toy"
    for index in range(count, 0, -1):
        share = Shard(index, count)
        options = {"progress": lambda *step: steps.append(step), "part_size": 3}
        done = convert_share(toy_reader(numbers, odd), out, share, **options)
        assert (done.made, done.done_before, done.parts) == (len(share.parts(8)), 0, 8)
        again = convert_share(toy_reader(numbers, odd), out, share, **options)
        assert (again.made, again.done_before) == (0, done.made) and not out.exists()
    assert steps[-1][0] == steps[-1][1]
    with pytest.raises(ConfigError, match=r"holds parts of 3; leave --part-size out"):
        convert(toy_reader(numbers, odd), out, part_size=4)
    with PartFolder.beside(out).locked(Shard(1, 9)), pytest.raises(RunInUseError):
        convert(toy_reader(numbers, odd), out, part_size=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "write_part", failing(AssertionError("nothing is read again")))
        joined = convert(toy_reader(numbers, odd), out, part_size=None)
    assert replace(joined, archive=whole.archive) == whole
    assert contents(out) == contents(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one",
        "one.json",
        "toy",
        "toy.json",
    ]


def test_what_was_read_before_a_kill_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents((convert(toy_reader(), tmp_path / "whole")).archive)
    with monkeypatch.context() as patch:
        patch.setitem(READERS, 6, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(toy_reader(read=counted), tmp_path / "toy")
    assert not (tmp_path / "toy").exists() and not (tmp_path / "toy.json").exists()
    assert sorted(READ) == [0, 0, 1, 2, 3, 4, 5, 6]  # the first one has the number of channels
    READ.clear()
    convert(toy_reader(read=counted), tmp_path / "toy")
    assert READ == [0, 5, 6, 7, 8, 9, 10, 11]
    assert contents(tmp_path / "toy") == whole
    READ.clear()


READ: list[int] = []
READERS: dict[int, type[BaseException]] = {}


def counted(number: int) -> SkeletonSequence:
    READ.append(number)
    if number in READERS:
        raise READERS[number]
    return sample(number)


@pytest.mark.parametrize(
    "other",
    [
        toy_reader([99, *range(1, 12)], counted),
        toy_reader(range(1, 13), counted),
        toy_reader(read=counted, class_names=("a", "b", "c", "d", "e")),
        toy_reader(read=counted, name="other"),
        toy_reader(read=counted, has_confidence=True),
        toy_reader(read=counted, layout=replace(CHAIN, center=0)),
    ],
    ids=["an item", "all items", "classes", "name", "confidence", "layout"],
)
def test_parts_of_another_reader_are_not_used(
    tmp_path: Path, other: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(READERS, 6, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(toy_reader(read=counted), tmp_path / "toy")
    READ.clear()
    convert(other, tmp_path / "toy")
    assert [other.items[0], *other.items] == READ
    READ.clear()


def test_a_file_that_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{n}.txt" for n in range(12)]
    for n, file in enumerate(files):
        file.write_text(str(n))
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.ConvertedParts, "write_arrays", failing(MemoryError()))
        with pytest.raises(MemoryError):
            convert(toy_reader(files, read_text), tmp_path / "toy")
    files[3].write_text("33")
    convert(toy_reader(files, read_text), tmp_path / "toy")
    assert read_archive(tmp_path / "toy").store.sample_ids[3] == "sample 33"


@pytest.mark.parametrize(
    ("reader", "problem"),
    [
        (toy_reader([]), "no samples to convert"),
        (
            toy_reader(read=never),
            r"sample 'sample 0': none of 12 sample\(s\) can be read; number 0",
        ),
        (toy_reader(read=same_name), "sample 'sample 0': is there more than once"),
        (toy_reader(range(1)), r"no split \(even, all, late\) has samples to train and to test on"),
    ],
)
def test_a_refused_conversion_leaves_no_archive(
    tmp_path: Path, reader: DatasetReader, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        convert(reader, tmp_path / "toy")
    assert find_archives(tmp_path) == []
    assert not (tmp_path / "toy").exists()


def test_a_failure_while_merging_leaves_no_archive_and_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", failing(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            convert(toy_reader(), tmp_path / "toy")
    assert find_archives(tmp_path) == []
    convert(toy_reader(), tmp_path / "toy")
    assert len(read_archive(tmp_path / "toy").store) == 12


def test_a_process_that_ends_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_running.ProcessPoolExecutor, "submit", failing(BrokenProcessPool()))
    with pytest.raises(DataError, match="a reading process was ended"):
        convert(toy_reader(), tmp_path / "toy", processes=2)


def test_an_archive_is_replaced_only_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "toy"
    convert(toy_reader(), out)
    before = contents(tmp_path)
    with pytest.raises(DataError, match="there is an archive already"):
        convert(toy_reader(range(20)), out)
    with pytest.raises(DataError, match="none of 12"):
        convert(toy_reader(read=never), out, overwrite=True)
    assert contents(tmp_path).items() >= before.items()
    convert(toy_reader(range(20)), out, overwrite=True)
    assert len(read_archive(out).store) == 20


def test_nothing_else_is_ever_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("text")
    (tmp_path / "other.npz").write_bytes(b"")
    for name, problem in [
        ("mine", "holds something else"),
        ("file", "is a file"),
        ("toy.npz", "without a suffix"),
        ("toy.json", "without a suffix"),
    ]:
        with pytest.raises(DataError, match=problem):
            convert(toy_reader(), tmp_path / name, overwrite=True)
    with pytest.raises(DataError, match="there is an archive already"):
        convert(toy_reader(), tmp_path / "other")
    (tmp_path / "empty").mkdir()
    convert(toy_reader(), tmp_path / "empty")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
