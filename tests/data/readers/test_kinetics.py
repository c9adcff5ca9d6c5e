"""Kinetics-Skeleton: skeletons laid out by the table of contents."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.miniature_raw import write_kinetics

from skeletonagent.core.errors import DataError
from skeletonagent.data.readers import kinetics
from skeletonagent.data.readers.kinetics import kinetics_reader, read_clip, scatter_persons


def literally(keypoint: np.ndarray, frames: np.ndarray, persons: int) -> np.ndarray:
    """Return what DecompressPose makes of skeletons, one by one (spec sections 2 and 4)."""
    seen = sorted(set(frames.tolist()))
    people = [[pose for pose, f in zip(keypoint, frames, strict=True) if f == t] for t in seen]
    most = max(map(len, people))
    joints = np.zeros((most, len(seen), *keypoint.shape[1:]), keypoint.dtype)
    for t, poses in enumerate(people):
        if most > persons:
            poses = sorted(poses, key=lambda pose: -pose[:, 2].sum(dtype=np.float32))
        for m, pose in enumerate(poses):
            joints[m, t] = pose
    return joints[:persons]


@given(
    frames=st.lists(st.integers(0, 300), min_size=1, max_size=30),
    persons=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_skeletons_are_laid_out_as_released(frames: list[int], persons: int, seed: int) -> None:
    keypoint = np.random.default_rng(seed).random((len(frames), 17, 3), dtype=np.float32)
    at = np.array(sorted(frames))
    expected = literally(keypoint, at, persons)
    np.testing.assert_array_equal(scatter_persons(keypoint, at, persons), expected)


def test_frames_of_nobody_are_dropped_and_the_two_most_confident_kept() -> None:
    keypoint = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((5, 17, 3), np.float32)
    joints = scatter_persons(keypoint, np.array([7, 7, 7, 9, 20]), 2)
    assert joints[:, :, 0, 0].tolist() == [[2, 3, 4], [1, 0, 0]]
    assert scatter_persons(keypoint[1:3], np.array([4, 4]), 2)[:, 0, 0, 0].tolist() == [1, 2]


def test_the_reader_reads_every_clip(tmp_path: Path) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    reader = kinetics_reader(table, kpfiles)
    assert reader.name == "kinetics-skeleton" and reader.has_confidence
    assert reader.layout.name == "coco-17" and len(reader.class_names) == 400
    sequences = [reader.read(pickle.loads(pickle.dumps(item))) for item in reader.items]
    annotations = {a["frame_dir"]: a for a in pickle.loads(table.read_bytes())["annotations"]}
    assert {s.sample_id for s in sequences} == set(annotations)
    for sequence in sequences:
        annotation = annotations[sequence.sample_id]
        stored = pickle.loads((kpfiles / Path(annotation["raw_file"]).name).read_bytes())
        keypoint = stored[sequence.sample_id]["keypoint"]
        np.testing.assert_array_equal(
            sequence.joints, literally(keypoint, annotation["frame_inds"], 2)
        )
        assert sequence.joints.dtype == np.float16 and sequence.label == annotation["label"]
        assert sequence.joints.shape[1] < annotation["total_frames"]  # nobody in the middle
        assert sequence.image_size == (340, 256)
    (split,) = reader.splits([s.sample_id for s in sequences]).values()
    assert {name[-1] for name in split.test} == {"3"}
    assert len(split.train) == 9 and len(split.test) == 3


def test_each_kpfile_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = kinetics_reader(*write_kinetics(tmp_path))
    loaded: list[Path] = []
    load = kinetics.load_restricted
    monkeypatch.setattr(kinetics, "load_restricted", lambda path: loaded.append(path) or load(path))
    kinetics._kpfile.cache_clear()
    for item in reader.items:
        read_clip(item)
    assert len(loaded) == len(set(loaded)) == 6


def change(path: Path, **changes: object) -> None:
    """Change the first clip of a kpfile or of a table of contents."""
    content = pickle.loads(path.read_bytes())
    if "annotations" in content:
        content["annotations"][0] |= changes
    else:
        content[min(content)] |= changes
    path.write_bytes(pickle.dumps(content))
    kinetics._kpfile.cache_clear()


@pytest.mark.parametrize(
    "keypoint",
    [None, "text", np.zeros((3, 17, 3)), np.zeros((2, 17, 2)), np.zeros((2, 17, 3), int)],
)
def test_skeletons_that_do_not_fit_are_refused(tmp_path: Path, keypoint: object) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    change(table, frame_inds=np.array([1, 2]))
    change(kpfiles / "k400_000.pkl", keypoint=keypoint)
    with pytest.raises(DataError, match=r"clip_000_0.*(is not in its kpfile|expected)"):
        read_clip(kinetics_reader(table, kpfiles).items[0])


def test_clips_without_skeletons_or_kpfile_are_refused(tmp_path: Path) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    change(table, frame_inds=np.zeros(0, int))
    change(kpfiles / "k400_000.pkl", keypoint=np.zeros((0, 17, 3)))
    items = kinetics_reader(table, kpfiles).items
    with pytest.raises(DataError, match=r"clip_000_0.*at least 1"):
        read_clip(items[0])
    (kpfiles / "k400_000.pkl").write_bytes(pickle.dumps({}))
    kinetics._kpfile.cache_clear()
    with pytest.raises(DataError, match=r"clip_000_1.*is not in its kpfile"):
        read_clip(items[1])
    (kpfiles / "k400_001.pkl").unlink()
    with pytest.raises(DataError, match="no such kpfile"):
        read_clip(items[2])
    (kpfiles / "k400_002.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="is no kpfile"):
        read_clip(items[4])


class Harmful:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("harm",)


def test_nothing_in_a_kpfile_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    (kpfiles / "k400_000.pkl").write_bytes(pickle.dumps({"clip_000_0": Harmful()}))
    kinetics._kpfile.cache_clear()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="mkdir"):
        read_clip(kinetics_reader(table, kpfiles).items[0])
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"frame_inds": None},
        {"frame_inds": np.array([0.5])},
        {"raw_file": 3},
        {"raw_file": ""},
        {"label": "run"},
        {"frame_dir": None},
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    change(table, **changes)
    with pytest.raises(DataError) as caught:
        kinetics_reader(table, kpfiles)
    assert caught.value.path == table


def test_other_pickles_are_refused(tmp_path: Path) -> None:
    table, kpfiles = write_kinetics(tmp_path)
    for content in ([], {"annotations": []}, {"split": {}, "annotations": [3]}):
        table.write_bytes(pickle.dumps(content))
        with pytest.raises(DataError) as caught:
            kinetics_reader(table, kpfiles)
        assert caught.value.path == table
    with pytest.raises(DataError, match="no such folder"):
        kinetics_reader(table, tmp_path / "nowhere")
