"""NumPy arrays of keypoints, and archives of many samples."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.keypoints.reading import read_keypoints

RNG = np.random.default_rng(5)


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("shape", [(9, 5, 3), (2, 9, 5, 3), (2, 9, 5, 2)])
def test_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    joints = RNG.normal(size=shape)
    (recording,) = read_keypoints(saved(tmp_path / "a.npy", joints))
    np.testing.assert_allclose(recording.joints, joints.reshape(-1, *shape[-3:]), rtol=1e-6)
    assert recording.confidence is None and recording.joint_names is None


def test_zeros_are_absent_and_bodies_that_never_appear_are_left_out(tmp_path: Path) -> None:
    joints = RNG.normal(size=(2, 6, 4, 3))
    joints[0, 2, 1] = joints[1] = 0
    (recording,) = read_keypoints(saved(tmp_path / "a.npy", joints))
    assert recording.joints.shape == (1, 6, 4, 3)
    assert np.argwhere(~recording.seen).tolist() == [[0, 2, 1]]


def test_a_joint_that_is_the_origin_is_not_absent(tmp_path: Path) -> None:
    joints = RNG.normal(size=(6, 4, 3))
    joints[:, 0] = 0
    joints[3] = 0
    with pytest.warns(UserWarning, match="joint 0 .* origin"):
        (recording,) = read_keypoints(saved(tmp_path / "a.npy", joints))
    assert recording.seen[0].all(axis=1).tolist() == [True] * 3 + [False] + [True] * 2


def test_confidence_is_the_fourth_channel_or_a_third_beside_pixels(tmp_path: Path) -> None:
    joints = np.concatenate([RNG.normal(size=(6, 4, 3)), RNG.uniform(size=(6, 4, 1))], axis=-1)
    (recording,) = read_keypoints(saved(tmp_path / "a.npy", joints))
    assert recording.coordinates == 3 and recording.confidence is not None
    np.testing.assert_allclose(recording.confidence[0], joints[..., 3], rtol=1e-6)
    pixels = joints[..., 1:] * np.array([300.0, 300, 1])
    with pytest.warns(UserWarning, match="taken as confidence"):
        (recording,) = read_keypoints(saved(tmp_path / "b.npy", pixels))
    assert recording.coordinates == 2


def test_many_recordings(tmp_path: Path) -> None:
    samples = RNG.normal(size=(3, 2, 7, 5, 3))
    recordings = read_keypoints(saved(tmp_path / "x.npy", samples))
    assert [recording.name for recording in recordings] == ["x/0", "x/1", "x/2"]
    stgcn = samples.transpose(0, 4, 2, 3, 1)
    for one, other in zip(
        recordings, read_keypoints(saved(tmp_path / "y.npy", stgcn)), strict=True
    ):
        np.testing.assert_array_equal(one.joints, other.joints)


def test_labels_beside_an_array_of_st_gcn(tmp_path: Path) -> None:
    path = saved(tmp_path / "train_data_joint.npy", RNG.normal(size=(3, 3, 7, 5, 2)))
    names = ["S001C001P001R001A001.skeleton", "b.skeleton", "c.skeleton"]
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps((names, [0, 7, 1])))
    with pytest.warns(UserWarning, match=r"are from train_label.pkl"):
        recordings = read_keypoints(path)
    assert [r.name for r in recordings] == ["S001C001P001R001A001", "b", "c"]
    assert [r.label for r in recordings] == ["0", "7", "1"]
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps((names[:2], [0, 7])))
    with pytest.warns(UserWarning, match="does not list names and labels of 3 samples"):
        assert read_keypoints(path)[0].label is None


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5, 9)), "is expected"),
        (np.ones((60, 9, 5, 3)), "which would be 60 bodies"),
        (np.array(["a", "b"]), "no keypoints"),
        (np.full((4, 5, 3), np.inf), "infinite"),
        (np.arange(48.0).reshape(3, 4, 4), "fourth channel is no confidence"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_keypoints(saved(tmp_path / "a.npy", array))


def test_archives_with_names_rate_and_confidence(tmp_path: Path) -> None:
    joints, confidence = RNG.normal(size=(2, 6, 4, 3)), RNG.uniform(size=(2, 6, 4))
    names = np.array(["hip", "chest", "left hand", "right hand"])
    np.savez(tmp_path / "a.npz", poses=joints, confidence=confidence, joint_names=names, fps=25)
    (recording,) = read_keypoints(tmp_path / "a.npz")
    assert recording.joint_names == tuple(names) and recording.fps == 25
    np.testing.assert_allclose(recording.confidence, confidence, rtol=1e-6)
    np.savez(tmp_path / "b.npz", walk=joints, run=joints[0])
    assert [r.name for r in read_keypoints(tmp_path / "b.npz")] == ["b/walk", "b/run"]


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects, which are not run"):
        read_keypoints(tmp_path / "a.npy")


def test_archives_of_ctr_gcn(tmp_path: Path) -> None:
    x = np.zeros((3, 300, 150), dtype=np.float32)
    bodies = RNG.normal(size=(3, 2, 40, 25, 3)).astype(np.float32)
    bodies[1, 1] = 0
    for n, body in enumerate(bodies):
        x[n, :40] = body.transpose(1, 0, 2, 3).reshape(40, 150)
    y = np.eye(60)[[8, 0, 59]]
    np.savez(tmp_path / "NTU60_CS.npz", x_train=x[:2], y_train=y[:2], x_test=x[2:], y_test=y[2:])
    recordings = read_keypoints(tmp_path / "NTU60_CS.npz")
    assert [r.name for r in recordings] == ["train/0", "train/1", "test/0"]
    classes = BENCHMARKS["ntu60"].class_names
    assert [r.label for r in recordings] == [classes[8], classes[0], classes[59]]
    assert {r.layout for r in recordings} == {KINECT_25}
    np.testing.assert_array_equal(recordings[0].joints, bodies[0])
    np.testing.assert_array_equal(recordings[1].joints, bodies[1, :1])
