"""``pose estimate`` writes keypoints and a video, and says who was seen when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.pose.bodies import FakeScene
from typer.testing import CliRunner

from skeletonagent.cli.app import app
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.pose import estimate as module
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.video.reading import describe_video
from skeletonagent.video.writing import write_video


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scene = FakeScene(lambda n: [300] if n < 100 else [])
    monkeypatch.setattr(
        module, "build_estimator", lambda options: PoseEstimator(scene, scene, options.max_persons)
    )
    write_video(tmp_path / "wave.mp4", [scene.picture(50)] * 10 + [scene.picture(150)] * 5, fps=10)
    return tmp_path / "wave.mp4"


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_keypoints_are_written_and_read(video: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"wave.{suffix}"
    printed = invoke("pose", "estimate", video, "--out", out)
    assert "varies" not in printed.err and "wave.mp4: 90%, 14 of 15" in printed.err
    assert "10 of 15" in printed.out and "1.00 s" in printed.out and "100%" in printed.out
    assert f"written: {out}" in printed.err
    (recording,) = read_keypoints(out)
    assert recording.joints.shape == (1, 15, 33, 2) and recording.fps == 10
    assert recording.image_size == (640, 480)
    assert recording.seen[0, :10].all() and not recording.seen[0, 10:].any()


def test_the_drawn_video_has_all_frames(video: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.mp4"
    invoke("pose", "estimate", video, "--out", tmp_path / "k.npz", "--save-video", drawn)
    info = describe_video(drawn)
    assert (info.frames, info.fps, info.width, info.height) == (15, 10, 640, 480)


def test_mistakes_are_found_before_the_work(video: Path, tmp_path: Path) -> None:
    def fails(*arguments: object) -> None:
        CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)

    with pytest.raises(ConfigError, match=r"\.npz or \.json"):
        fails("pose", "estimate", video, "--out", tmp_path / "k.csv")
    with pytest.raises(ConfigError, match="give none"):
        fails("pose", "estimate", video, "--out", tmp_path / "k.npz", "--layout", "coco-17")
    with pytest.raises(DataError, match="no such file"):
        fails("pose", "estimate", tmp_path / "absent.mp4", "--out", tmp_path / "k.npz")
    with pytest.raises(DataError, match="camera 97"):
        fails("pose", "estimate", "97", "--out", tmp_path / "k.npz")
    assert not (tmp_path / "k.npz").exists()


def test_joints_in_metres_are_drawn_by_those_in_pixels(video: Path, tmp_path: Path) -> None:
    out, drawn = tmp_path / "k.npz", tmp_path / "d.mp4"
    invoke("pose", "estimate", video, "--world", "--out", out, "--save-video", drawn)
    (recording,) = read_keypoints(out)
    assert recording.coordinates == 3 and recording.image_size is None
    assert np.isfinite(recording.joints[0, 0]).all()
    assert describe_video(drawn).frames == 15
