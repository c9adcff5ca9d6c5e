"""The drawn person is where its joints are, and the figures about its poses are right."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from benchmarks.mannequin_picture import PinholeCamera, Room
from tests.drawn_person import DISTANCE, standing, waving

from benchmarks import mannequin
from skeletonagent.core.layout import KINECT_20, MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.experiments.datasets import open_dataset, write_dataset

CAMERA = PinholeCamera()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_dataset(
        [waving(number) for number in range(4)],
        layout=KINECT_20,
        class_names=("stand", "wave"),
        splits={"halves": (["clip0", "clip1"], ["clip2", "clip3"])},
        path=tmp_path / "sensor",
    )


def performance(archive: Path) -> mannequin.Performance:
    (found,) = mannequin.performances(open_dataset(archive), ["clip1"], every=2, fps=30)
    return found


def test_the_person_is_drawn_around_the_joints(archive: Path) -> None:
    one = performance(archive)
    pictures = one.pictures()
    assert len(pictures) == 4 and pictures[0].shape == (480, 640, 3)
    same = one.pictures()
    for picture, again, places in zip(
        pictures, same, one.seen_by_camera().joints[0].round().astype(int), strict=True
    ):
        np.testing.assert_array_equal(picture, again)
        room = np.asarray(Room(CAMERA, one.floor, one.seed).picture.reduce(2)).astype(float)
        changed = np.abs(picture - room).sum(axis=2) > 60
        assert changed[places[:, 1], places[:, 0]].mean() > 0.85
        columns = np.flatnonzero(changed[:350].any(axis=0))
        assert places[:, 0].min() - 40 < columns[0] and columns[-1] < places[:, 0].max() + 40


def test_left_is_where_the_sensor_has_it_and_the_height_is_known(archive: Path) -> None:
    one = performance(archive)
    left, right = (KINECT_20.joints.index(f"{side} shoulder") for side in ("left", "right"))
    places = one.seen_by_camera().joints[0, 0]
    assert places[left, 0] > 320 > places[right, 0]  # who faces the camera has left on the right
    body = standing()
    metres = body[:, 1].max() - body[KINECT_20.joints.index("left ankle"), 1] + 0.085 + 0.122
    assert one.height == pytest.approx(CAMERA.focal * metres / DISTANCE, rel=0.02)


def test_errors_are_shares_of_the_height(archive: Path) -> None:
    one = performance(archive)
    joints = np.full((2, 4, 33, 2), np.nan)
    for name in mannequin.COMPARED:
        place = one.seen_by_camera().joints[0, :3, KINECT_20.joints.index(name)]
        joints[1, :3, MEDIAPIPE_33.joints.index(name)] = place
    wrist = MEDIAPIPE_33.joints.index("left wrist")
    joints[1, 0, wrist] += [0.12 * one.height, 0]
    joints[1, 1, wrist] = np.nan
    distances = mannequin.errors(one, KeypointRecording("x", joints))
    found = mannequin.figures(distances)
    assert found["frames"] == 4 and found["found"] == 0.75
    assert found["error"] == pytest.approx((0.12 / 12 + 0 + 0) / 3)
    assert found["error_wrist"] == pytest.approx(0.12 / 5) and found["error_hip"] < 1e-12
    assert found["frames_within_5_percent"] == 0.75
    assert found["joints_within_5_percent"] == pytest.approx((3 * 12 - 2) / 48)


def test_both_folders_have_the_same_clips(archive: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    seen = []

    def estimate(pictures, fps, options, *, name):  # type: ignore[no-untyped-def]
        seen.append(name)
        joints = np.full((1, len(pictures), 33, 2), 9.0)
        return KeypointRecording(name, joints, layout=MEDIAPIPE_33, fps=fps)

    monkeypatch.setattr(mannequin, "recording_of_frames", estimate)
    for _ in range(2):  # what is there is not drawn again
        mannequin.main(archive, tmp_path / "out", only="clip[123]", every=4, fps=30, videos=0)
    assert seen == ["clip1", "clip2", "clip3"]
    for folder in ("pose", "sensor"):
        recordings = read_keypoints(tmp_path / "out" / folder)
        assert [(r.name, r.num_frames, r.fps) for r in recordings] == [
            (f"clip{number}", 2, 7.5) for number in (1, 2, 3)
        ]
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").open()))
    assert [(row["file"], row["label"], row["split"]) for row in rows] == [
        ("clip1.npz", "wave", "train"),
        ("clip2.npz", "stand", "test"),
        ("clip3.npz", "wave", "test"),
    ]


def test_other_skeletons_are_refused(archive: Path) -> None:
    data = open_dataset(archive)
    near = replace(data, store=replace(data.store, frames=data.store.frames / 3))
    with pytest.raises(typer.BadParameter, match="1 m or more"):
        mannequin.performances(near, ["clip1"], 1, 30)
    flat = replace(data, store=replace(data.store, frames=data.store.frames[..., :2]))
    with pytest.raises(typer.BadParameter, match="in 3D"):
        mannequin.performances(flat, ["clip1"], 1, 30)
