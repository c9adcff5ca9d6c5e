"""Archives whose frames stay on disk, and the choice of the placement of frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_20, SkeletonLayout
from skeletonagent.data import placement
from skeletonagent.data.archive import read_archive, write_archive
from skeletonagent.data.placement import (
    OnDiskData,
    free_memory,
    open_on_disk,
    stays_on_disk,
    stays_on_host,
)
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import (
    Gaps,
    Orientation,
    OrientationPer,
    Origin,
    Placement,
    Scale,
)
from skeletonagent.experiments.datasets import preprocess_dataset

CPU = torch.device("cpu")


def make_data(
    layout: SkeletonLayout = KINECT_20, has_confidence: bool = False, persons: int = 2
) -> SkeletonData:
    rng = np.random.default_rng(0)
    sequences = [
        SkeletonSequence(
            rng.normal(3, 1, (1 + i % persons, 3 + i, layout.num_joints, 3)).astype(np.float32),
            i % 2,
            f"s{i}",
            subject=i,
            image_size=(640.0, 480.0 + i),
        )
        for i in range(5)
    ]
    store = ClipStore.from_sequences(sequences, layout, ("one", "two"), has_confidence)
    split = Split(store.sample_ids[:4], store.sample_ids[4:])
    return SkeletonData("toy", "Toy", store, {"main": split}, "main")


def as_folder(npz: Path) -> Path:
    folder = npz.with_suffix("")
    folder.mkdir()
    with np.load(npz) as arrays:
        for name in arrays.files:
            np.save(folder / f"{name}.npy", arrays[name])
    npz.unlink()
    return folder


def fetched(stored: OnDiskData, samples: list[int]) -> ClipStore:
    """Return samples as they are fetched to the CPU."""
    numbers = torch.tensor(samples, dtype=torch.long)
    return stored.host_frames.fetch(
        numbers, CPU, lambda like, rows: like.new_empty(rows, *like.shape[1:])
    )


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize(
    ("layout", "has_confidence"), [(KINECT_20, False), (COCO_17, True), (COCO_17, False)]
)
def test_samples_fetched_from_disk_equal_those_in_memory(
    tmp_path: Path, scale: Scale, origin: Origin, layout: SkeletonLayout, has_confidence: bool
) -> None:
    folder = as_folder(write_archive(make_data(layout, has_confidence), tmp_path))
    preprocess = Preprocessor(scale, origin)
    if not (has_confidence or scale is Scale.IMAGE):
        preprocess = replace(preprocess, orientation=Orientation.BODY, gaps=Gaps.INTERPOLATE)
    whole = preprocess(read_archive(folder, has_confidence).store)
    part = fetched(open_on_disk(folder, has_confidence, preprocess), [3, 0])
    for ours, theirs in ((0, 3), (1, 0)):
        one, other = part.sequence(ours), whole.sequence(theirs)
        np.testing.assert_array_equal(one.joints, other.joints)
        assert replace(one, joints=other.joints) == other
    assert (part.layout, part.has_confidence, part.max_persons) == (whole.layout, has_confidence, 2)


@pytest.mark.parametrize("has_confidence", [False, True])
def test_a_store_without_frames_equals_the_preprocessed_store(
    tmp_path: Path, has_confidence: bool
) -> None:
    folder = as_folder(write_archive(make_data(COCO_17, has_confidence), tmp_path))
    stored, whole = (
        open_on_disk(folder, has_confidence, Preprocessor()),
        read_archive(folder, has_confidence),
    )
    prepared = Preprocessor()(whole.store)
    assert (stored.name, stored.title, stored.splits) == (whole.name, whole.title, whole.splits)
    assert stored.default_split == whole.default_split
    store = stored.store
    assert len(store.frames) == 0 and store.device == CPU
    assert store.layout is COCO_20
    for name in (
        "channels", "coordinates", "has_confidence", "max_persons", "num_classes", "sample_ids",
        "subjects", "class_names", "index_of",
    ):  # fmt: skip
        assert getattr(store, name) == getattr(prepared, name)
    for name in ("labels", "persons"):
        assert torch.equal(getattr(store, name), getattr(prepared, name))


def test_frames_are_read_when_they_are_fetched(tmp_path: Path) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    stored = open_on_disk(folder, False, Preprocessor(origin=Origin.NONE))
    joints = np.lib.format.open_memmap(folder / "keypoint.npy", mode="r+")
    joints[:] = 7
    joints.flush()
    assert fetched(stored, [1]).frames.unique().tolist() == [7]


def test_frames_in_memory_are_not_those_of_the_file_any_more(tmp_path: Path) -> None:
    folder = as_folder(write_archive(make_data(persons=1), tmp_path))
    data = preprocess_dataset(read_archive(folder), Preprocessor(origin=Origin.NONE))
    before = data.store.frames.clone()
    joints = np.lib.format.open_memmap(folder / "keypoint.npy", mode="r+")
    joints[:] = 7
    joints.flush()
    assert torch.equal(data.store.frames, before)  # nor would a file that is cut end the process


def test_an_unusable_sample_is_named_when_it_is_fetched(tmp_path: Path) -> None:
    data = make_data()
    data.store.frames[int(data.store.starts[2])] = torch.inf
    stored = open_on_disk(as_folder(write_archive(data, tmp_path)), False, Preprocessor())
    fetched(stored, [0, 1, 3, 4])
    with pytest.raises(DataError, match="infinite joints") as raised:
        fetched(stored, [1, 2])
    assert raised.value.sample == "s2"


def test_one_file_is_refused_and_its_unpacking_explained(tmp_path: Path) -> None:
    npz = write_archive(make_data(), tmp_path)
    with pytest.raises(DataError, match=r"python -m zipfile -e \S*toy.npz \S*toy'.*data convert"):
        open_on_disk(npz, False, Preprocessor())


def test_missing_confidence_is_an_error(tmp_path: Path) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    with pytest.raises(DataError, match="has no keypoint_score"):
        open_on_disk(folder, True, Preprocessor())


@pytest.mark.parametrize(
    ("dtype", "usable"), [("<f2", True), ("<f4", True), ("<i2", False), (">f4", False)]
)
def test_joints_of_other_numbers_are_refused(tmp_path: Path, dtype: str, usable: bool) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    np.save(folder / "keypoint.npy", np.load(folder / "keypoint.npy").astype(dtype))
    if usable:
        whole = Preprocessor()(read_archive(folder).store)
        part = fetched(open_on_disk(folder, False, Preprocessor()), list(range(5)))
        assert torch.equal(part.frames, whole.frames)
    else:
        with pytest.raises(DataError, match="cannot be read in parts; float16 and float32"):
            open_on_disk(folder, False, Preprocessor())


def test_a_damaged_structure_is_reported_at_once(tmp_path: Path) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    np.save(folder / "total_frames.npy", np.full(5, 3))
    with pytest.raises(DataError, match="offset does not fit"):
        open_on_disk(folder, False, Preprocessor())


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocessor(Scale.IMAGE, Origin.GROUP),
        *(
            Preprocessor(Scale.BODY, origin, orientation, per, Gaps.INTERPOLATE)
            for origin, orientation, per in (
                (Origin.PERSON, Orientation.BODY, OrientationPer.FRAME),
                (Origin.GROUP, Orientation.HEADING, OrientationPer.FRAME),
                (Origin.GROUP, Orientation.BODY, OrientationPer.CLIP),
            )
        ),
    ],
)
@given(seed=st.integers(0, 99))
def test_preprocessing_of_a_sample_does_not_depend_on_others(
    preprocess: Preprocessor, seed: int
) -> None:
    store = replace(make_data().store, image_sizes=None)
    absent = torch.rand(store.frames.shape[:2], generator=torch.Generator().manual_seed(seed)) < 0.2
    store = replace(store, frames=store.frames * ~absent[..., None])
    samples = torch.randperm(5, generator=torch.Generator().manual_seed(seed))[: 1 + seed % 5]
    whole, part = preprocess(store), preprocess(store.subset(samples))
    for ours, theirs in enumerate(samples.tolist()):
        one, other = part.sequence(ours), whole.sequence(theirs)
        np.testing.assert_array_equal(one.joints, other.joints)


@pytest.mark.parametrize("one_file", [False, True])
@pytest.mark.parametrize(
    ("asked", "room", "expected"),
    [
        (Placement.DISK, 2**40, True),
        (Placement.HOST, 0, False),
        (Placement.DEVICE, 0, False),
        (Placement.AUTO, 3 * 4 * 3 * 20 * 35 - 1, True),
        (Placement.AUTO, 3 * 4 * 3 * 20 * 35, False),
    ],
)
def test_frames_stay_on_disk_if_asked_or_too_many(
    tmp_path: Path,
    one_file: bool,
    asked: Placement,
    room: int,
    expected: bool,
) -> None:
    path = write_archive(make_data(), tmp_path)
    path = path if one_file else as_folder(path)
    possible = not one_file or asked is not Placement.AUTO
    assert stays_on_disk(path, asked, lambda device: room) is (expected and possible)


@pytest.mark.parametrize(
    ("asked", "device", "room", "expected"),
    [
        (Placement.HOST, "cpu", 2**40, True),
        (Placement.DISK, "cpu", 2**40, True),
        (Placement.DEVICE, "cuda", 0, False),
        (Placement.AUTO, "cpu", 0, False),
        (Placement.AUTO, "cuda", 7000, False),
        (Placement.AUTO, "cuda", 6999, True),
    ],
)
def test_frames_stay_on_the_host_if_asked_or_too_many(
    asked: Placement, device: str, room: int, expected: bool
) -> None:
    store = make_data().store
    assert store.frames.numel() == 2100
    assert stays_on_host(store, asked, torch.device(device), 2, lambda device: room) is expected


def test_free_memory_is_the_available_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9 kB\nMemFree:  5 kB\nMemAvailable:       7 kB\n")
    assert placement._machine_memory(meminfo) == 7 * 1024
    assert placement._machine_memory(tmp_path / "absent") > 2**20
    assert 0 < free_memory(CPU) <= placement._machine_memory(tmp_path / "absent")


def test_an_archive_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        stays_on_disk(tmp_path / "toy", Placement.AUTO)
    (tmp_path / "toy.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match="no such file"):
        open_on_disk(tmp_path / "toy", False, Preprocessor())


def test_a_file_that_is_cut_while_it_is_in_use_is_an_error(tmp_path: Path) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    opened = open_on_disk(folder, False, Preprocessor())
    fetched(opened, [0])
    keypoint = folder / "keypoint.npy"
    keypoint.write_bytes(keypoint.read_bytes()[:200])
    with pytest.raises(DataError, match=r"keypoint\.npy: was changed while it was in use"):
        fetched(opened, [0])
