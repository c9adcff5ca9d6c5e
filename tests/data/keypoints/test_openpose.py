"""OpenPose's JSON: layouts, tracking, frames without anybody, folders."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import BODY_25, OPENPOSE_15, OPENPOSE_18, SkeletonLayout
from skeletonagent.data.keypoints.reading import read_keypoints


def walks(joints: int, frames: int = 20, seed: int = 0) -> np.ndarray:
    """Return two bodies that pass each other, in pixels with confidence."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(0, 200, size=(joints, 2))
    steps = np.arange(frames)[:, None, None]
    left = body + 100 + steps * np.array([20.0, 0])
    right = body + np.array([500.0, 160]) - steps * np.array([20.0, 0])
    both = np.stack([left, right]) + rng.normal(size=(2, frames, joints, 2))
    return np.concatenate([both, rng.uniform(0.2, 1, size=(2, frames, joints, 1))], -1).round(3)


def write_frame(path: Path, bodies: list[np.ndarray], ids: list[int] | None = None) -> None:
    key = "pose_keypoints_2d" if not bodies or bodies[0].shape[1] == 3 else "pose_keypoints_3d"
    people = [
        {
            "person_id": [-1 if ids is None else ids[n]],
            key: body.ravel().tolist(),
            "face_keypoints_2d": [],
        }
        for n, body in enumerate(bodies)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1.3, "people": people}))


@pytest.mark.parametrize("layout", [BODY_25, OPENPOSE_18, OPENPOSE_15], ids=lambda each: each.name)
def test_untracked_people_are_tracked(tmp_path: Path, layout: SkeletonLayout) -> None:
    bodies = walks(layout.num_joints)
    for t in range(20):
        shown = [] if t in (3, 4) else [bodies[t % 2, t], bodies[1 - t % 2, t]]
        write_frame(tmp_path / f"pass_{t + 7:012d}_keypoints.json", shown)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(tmp_path)
    assert recording.name == tmp_path.name and recording.layout is layout
    assert recording.joints.shape == (2, 20, layout.num_joints, 2)
    expected = bodies.copy()
    expected[:, 3:5] = np.nan
    np.testing.assert_allclose(recording.joints, expected[..., :2], rtol=1e-6)
    assert recording.confidence is not None
    np.testing.assert_allclose(recording.confidence, np.nan_to_num(expected[..., 2]), rtol=1e-6)


def test_tracked_people_keep_their_numbers(tmp_path: Path) -> None:
    bodies = walks(25)
    for t in range(5):
        write_frame(tmp_path / f"a_{t}_keypoints.json", [bodies[1, t], bodies[0, t]], [7, 3])
    (recording,) = read_keypoints(tmp_path)
    assert recording.person_ids == ("7", "3")
    np.testing.assert_allclose(recording.joints, bodies[::-1, :5, :, :2], rtol=1e-6)


def test_bodies_in_space_and_joints_of_no_confidence(tmp_path: Path) -> None:
    body = np.random.default_rng(0).uniform(size=(25, 4)).round(5)
    body[4] = 0
    write_frame(tmp_path / "a_000000000000_keypoints.json", [body])
    (recording,) = read_keypoints(tmp_path)
    body[4, :3] = np.nan
    np.testing.assert_allclose(recording.joints[0, 0], body[:, :3], rtol=1e-6)
    assert recording.confidence is not None and recording.confidence[0, 0, 4] == 0


def test_folders_and_several_recordings_in_one(tmp_path: Path) -> None:
    bodies = walks(25)
    for name in ("wave/one/one", "wave/two/two", "sit/all/x", "sit/all/y"):
        for t in range(3):
            write_frame(tmp_path / f"{name}_{t:012d}_keypoints.json", [bodies[0, t]])
    for t in range(3):
        write_frame(tmp_path / f"sit/none/none_{t}_keypoints.json", [])
    found = {recording.name: recording for recording in read_keypoints(tmp_path)}
    assert set(found) == {"wave/one", "wave/two", "sit/all/x", "sit/all/y", "sit/none"}
    assert found["sit/none"].num_frames == 3 and not found["sit/none"].seen.any()
    assert {recording.layout for recording in found.values()} == {BODY_25}
    with pytest.raises(DataError, match="nobody is seen in any of its 3 frames"):
        read_keypoints(tmp_path / "sit" / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "2 numbers as keypoints"),
        ('{"people": [{"pose_keypoints_2d": ["a", 2, 3]}]}', "are no numbers"),
        ('{"people": [{"pose_keypoints_2d": [1', "damaged JSON"),
        ('{"persons": []}', "looks like JSON with the keys persons. What can be read"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a_1_keypoints.json").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_keypoints(tmp_path / "a_1_keypoints.json")
    assert "\n" not in str(caught.value)


def test_a_damaged_frame_is_named_and_other_recordings_are_kept(tmp_path: Path) -> None:
    for t in range(4):
        write_frame(tmp_path / f"good/a_{t}_keypoints.json", [walks(25)[0, t]])
        write_frame(tmp_path / f"torn/b_{t}_keypoints.json", [walks(25)[0, t]])
    (tmp_path / "torn" / "b_3_keypoints.json").write_text('{"people": [{')
    with pytest.warns(UserWarning, match=r"1 file\(s\) left out: .*b_3_keypoints.json: is damaged"):
        (recording,) = read_keypoints(tmp_path)
    assert recording.name == "good"


def test_a_link_to_a_folder_around_it_is_not_followed(tmp_path: Path) -> None:
    write_frame(tmp_path / "a" / "a_1_keypoints.json", [walks(25)[0, 0]])
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [recording.name for recording in read_keypoints(tmp_path)] == ["a"]
