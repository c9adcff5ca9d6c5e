"""Arrays and files that are predicted: which are read, which are refused and why."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.small_run import samples, small_archive, swinging

from skeletonagent.core.errors import DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20
from skeletonagent.data.validation import UNLABELLED
from skeletonagent.inference.samples import most_seen_bodies, read_samples

PLANE = InputFormat(COCO_17, 2)
SCORED = InputFormat(COCO_17, 3, has_confidence=True)


def test_an_array_is_one_sample_and_a_list_several() -> None:
    joints = swinging(0, 1)
    (one,) = read_samples(joints, PLANE)
    assert one.sample_id == "0" and one.label == UNLABELLED and one.joints.dtype == np.float32
    np.testing.assert_array_equal(one.joints, joints)
    assert [s.sample_id for s in read_samples([joints, joints[0]], PLANE)] == ["0", "1"]


def test_of_joints_in_3d_a_recognizer_in_2d_takes_x_and_y() -> None:
    joints = swinging(0, 1, channels=3)
    with pytest.warns(UserWarning, match="x and y are taken: the recognizer was trained in 2D"):
        (one,) = read_samples(joints, PLANE)
    np.testing.assert_array_equal(one.joints, joints[..., :2])
    (scored,) = read_samples(joints, SCORED)
    np.testing.assert_array_equal(scored.joints, joints)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((5, 18, 2)), r"sample '1': has shape \(5, 18, 2\): 18 joints in place of 17; "),
        (np.zeros((5, 17, 4)), r"4 channels in place of 2; .*channels x, y"),
        (np.zeros((17, 2)), r"2 dimension\(s\); wanted is \(T, 17, 2\) for one body or \(M, T,"),
        (np.zeros((1, 1, 5, 17, 2)), r"5 dimension\(s\)"),
        (np.zeros((0, 17, 2)), "nothing to see"),
        (np.full((5, 17, 2), np.inf), "infinite numbers"),
        (np.full((5, 17, 2), 1e300), "larger ones than single precision has"),
        (np.full((5, 17, 2), "x"), "no array of numbers"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(joints: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_samples([swinging(0, 1), joints], PLANE)


def test_lists_of_different_lengths_are_no_array() -> None:
    with pytest.raises(DataError, match="no array of numbers"):
        read_samples([[[1.0, 2.0]], [[1.0]]], PLANE)


def save_pickle(path: Path, **fields: Any) -> Path:
    annotations = [
        {"frame_dir": f"rec{n}", "keypoint": sample.joints, **fields}
        for n, sample in enumerate(samples(2))
    ]
    path.write_bytes(pickle.dumps({"annotations": annotations}))
    return path


def unlabelled_archive(path: Path) -> Path:
    """Write an archive without labels, class names and splits."""
    made = small_archive(path, samples(4))
    with np.load(made) as file:
        arrays = {name: file[name] for name in file.files if name != "label"}
    np.savez(made, **arrays)
    meta = json.loads(made.with_suffix(".json").read_text())
    for key in ("class_names", "split", "default_split"):
        del meta[key]
    made.with_suffix(".json").write_text(json.dumps(meta))
    return made


def test_files_of_every_kind_are_read_without_labels(tmp_path: Path) -> None:
    joints = [sample.joints for sample in samples(2)]
    np.save(tmp_path / "clip.npy", joints[0])
    np.savez(tmp_path / "two.npz", a=joints[0], b=joints[1][0])
    np.savez(tmp_path / "one.npz", joints[1])
    archive = unlabelled_archive(tmp_path / "mine")
    listed = {
        tmp_path / "clip.npy": ["clip"],
        tmp_path / "two.npz": ["two/a", "two/b"],
        str(tmp_path / "one.npz"): ["one"],
        save_pickle(tmp_path / "new.pkl"): ["rec0", "rec1"],
        archive: ["clip0", "clip1", "clip2", "clip3"],
        archive.with_suffix(".json"): ["clip0", "clip1", "clip2", "clip3"],
        archive.with_suffix(""): ["clip0", "clip1", "clip2", "clip3"],
    }
    for path, ids in listed.items():
        read = read_samples(path, PLANE)
        assert [sample.sample_id for sample in read] == ids
        assert {sample.label for sample in read} == {UNLABELLED}
        first = joints[1] if ids == ["one"] else joints[0]
        np.testing.assert_array_equal(read[0].joints, first)
    together = read_samples([joints[0], *listed], PLANE)
    assert len(together) == 1 + sum(map(len, listed.values()))


def test_a_split_without_a_training_part_does_not_matter(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "mine", samples(2))
    meta = json.loads(archive.with_suffix(".json").read_text())
    meta["split"] = {"main": {"train": [], "val": ["clip0", "clip1"]}}
    archive.with_suffix(".json").write_text(json.dumps(meta | {"default_split": "main"}))
    assert len(read_samples(archive, PLANE)) == 2


def test_confidence_and_image_sizes_are_read_from_files(tmp_path: Path) -> None:
    confidence = np.full(samples(1)[0].joints.shape[:3], 0.5)
    annotation = {
        "frame_dir": "rec", "keypoint": samples(1)[0].joints, "keypoint_score": confidence,
        "img_shape": (1080, 1920),
    }  # fmt: skip
    path = tmp_path / "new.pkl"
    path.write_bytes(pickle.dumps([annotation]))
    (sample,) = read_samples(path, SCORED, image_size=(10, 10))
    assert sample.image_size == (1920, 1080) and sample.joints.shape[-1] == 3
    (plane,) = read_samples(path, PLANE)
    assert plane.joints.shape[-1] == 2
    (given,) = read_samples(samples(1)[0].joints, PLANE, image_size=(10, 20))
    assert given.image_size == (10, 20)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npy", None, "there is no such file"),
        ("torn.npy", b"torn", "cannot be read as NumPy arrays"),
        ("torn.pkl", b"torn", "torn.pkl"),
        ("clip.txt", b"1 2 3", "clip.txt"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_samples(tmp_path / name, PLANE)


def test_files_of_another_skeleton_are_refused(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "mine")
    other = InputFormat(COCO_20, 2)
    read_samples(archive, other)  # which COCO-17 can be completed to
    meta = json.loads(archive.with_suffix(".json").read_text())
    meta["layout"], meta["joint_names"] = "mine", [f"joint {n}" for n in range(17)]
    archive.with_suffix(".json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match=r"has the 17 joints of mine; .*trained on the 17 of coco"):
        read_samples(archive, PLANE)
    np.save(tmp_path / "wide.npy", swinging(0, 1, joints=18))
    with pytest.raises(DataError, match=r"wide.npy: sample 'wide': .*18 joints in place of 17"):
        read_samples(tmp_path / "wide.npy", PLANE)


def test_confidence_alone_makes_no_body_seen() -> None:
    joints = np.zeros((2, 4, 17, 3), dtype=np.float32)
    joints[0, ..., 2] = 1
    joints[1, :2] = 1
    (sample,) = read_samples(joints, SCORED)
    kept = most_seen_bodies(sample, SCORED, room=1)
    np.testing.assert_array_equal(kept.joints, joints[1:])
