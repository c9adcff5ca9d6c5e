"""``predict`` of videos: actions of the people in them, and a video that shows both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.pose.bodies import FakeScene
from tests.small_run import small_archive, small_run
from typer.testing import CliRunner

from skeletonagent.cli.app import app
from skeletonagent.cli.video_sources import is_video_source, save_drawn_video
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.inference.segments import ActionSegment, RecordingPrediction
from skeletonagent.pose import estimate as module
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.video.reading import VideoFrame, describe_video, read_frames
from skeletonagent.video.writing import write_video


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = small_archive(tmp_path_factory.mktemp("skeletons") / "mine")
    return small_run(archive, tmp_path_factory.mktemp("run") / "one", agents__chat="none").path


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scene = FakeScene(lambda n: [150 + n, 450])
    monkeypatch.setattr(
        module, "build_estimator", lambda options: PoseEstimator(scene, scene, options.max_persons)
    )
    write_video(tmp_path / "wave.mp4", [scene.picture(4 * n) for n in range(40)], fps=20)
    return tmp_path / "wave.mp4"


def test_a_video_is_a_recording(run: Path, video: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.mp4"
    printed = invoke(
        "predict", video, "--run", run, "--threshold", 0, "--rest", "none", "--json",
        "--save-video", drawn,
    )  # fmt: skip
    result = json.loads(printed.out)
    (recording,) = result["recordings"]
    assert result["samples"] == []
    assert recording["source"] == str(video) and recording["name"] == "wave"
    assert (recording["fps"], recording["frames"]) == (20, 40)
    assert [person["person"] for person in recording["persons"]] == ["1", "2"]
    assert recording["segments"]
    info = describe_video(drawn)
    assert (info.frames, info.fps, info.width, info.height) == (40, 20, 640, 480)


def test_a_video_is_one_clip_if_that_is_wanted(run: Path, video: Path) -> None:
    (row,) = invoke("predict", video, "--run", run, "--clips", "--json").json["samples"]
    assert row["file"] == str(video) and 0 < row["probability"] <= 1


def predicted(run: Path, source: Path, *more: str) -> list[Any]:
    options = ("--threshold", 0, "--rest", "none", "--json", *more)
    recordings: list[Any] = invoke("predict", source, "--run", run, *options).json["recordings"]
    return recordings


def test_keypoints_of_a_video_are_a_recording_too(run: Path, video: Path, tmp_path: Path) -> None:
    (direct,) = predicted(run, video)
    for name in ("k.npz", "k.json"):
        invoke("pose", "estimate", video, "--out", tmp_path / name)
        (stored,) = predicted(run, tmp_path / name)
        assert invoke("predict", tmp_path / name, "--run", run, "--json").json["samples"] == []
        assert stored["persons"] == direct["persons"] and stored["fps"] == 20
        assert [s["label"] for s in stored["segments"]] == [s["label"] for s in direct["segments"]]


def test_the_api_takes_a_video_too(run: Path, video: Path) -> None:
    model = load_predictor(run, "cpu")
    found = model.segment(video, threshold=0, rest="none")
    (printed,) = predicted(run, video)
    assert [segment.label for segment in found] == [s["label"] for s in printed["segments"]]
    assert (found.fps, found.frames, found.source) == (20, 40, str(video))


def test_only_one_video_is_drawn_onto(run: Path, video: Path, tmp_path: Path) -> None:
    for files, name in (([video, video], "d.mp4"), (["clip.npy"], "d.mp4"), ([video], "d.avi")):
        with pytest.raises(ConfigError, match="--save-video"):
            CliRunner().invoke(
                app,
                [*map(str, ["predict", *files, "--run", run, "--save-video", tmp_path / name])],
                catch_exceptions=False,
            )


def test_an_action_is_written_over_its_person_while_it_lasts(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [np.zeros((240, 320, 3), np.uint8)] * 10, fps=10)
    joints = np.full((1, 10, 33, 2), np.nan)
    joints[0, :, :] = [160, 200]
    recording = KeypointRecording(
        name="v",
        joints=joints,
        layout=module.MEDIAPIPE_33,
        fps=10,
        image_size=(320, 240),
        person_ids=("1",),
        source=tmp_path / "v.mp4",
    )
    segment = ActionSegment("1+2", 5, 10, "shake hands", 0.93, ())
    prediction = RecordingPrediction("v", None, 10, 10, "mediapipe-33", {}, (segment,))
    save_drawn_video(tmp_path / "d.mp4", recording, prediction)
    widths = [int((frame.image.max(axis=(0, 2)) > 60).sum()) for frame in
              read_frames(tmp_path / "d.mp4")]  # fmt: skip
    assert len(widths) == 10 and min(widths[5:]) > 2 * max(widths[:5]) > 0


def test_videos_are_told_by_their_names(tmp_path: Path) -> None:
    assert is_video_source("a.MP4") and is_video_source("0") and not is_video_source("a.npz")
    (tmp_path / "b.ts").write_text("@problemName b")
    (tmp_path / "c.ts").write_bytes(b"G\x40\x00\x10")
    assert not is_video_source(tmp_path / "b.ts") and is_video_source(tmp_path / "c.ts")
    (tmp_path / "7").write_text("0,1")
    assert not is_video_source(tmp_path / "7")


@pytest.mark.parametrize("more", [(), ("--smooth",)], ids=["as found", "smoothed"])
def test_a_video_is_recognized_live_as_it_is_afterwards(
    run: Path, video: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    drawn = tmp_path / "live.mp4"
    options = ("--run", run, "--threshold", 0, "--rest", "none", *more)
    result = invoke("predict", video, *options, "--live", "--save-video", drawn, "--json")
    (live,) = result.json["recordings"]
    (after,) = predicted(run, video, *more)
    assert "live: http://127.0.0.1:" in result.err
    assert (live["name"], live["fps"], live["frames"]) == ("wave", 20, 40)
    columns = ("person", "start_frame", "end_frame", "label")
    named, wanted = (
        [tuple(segment[name] for name in columns) for segment in found["segments"]]
        for found in (live, after)
    )
    assert named == wanted
    np.testing.assert_allclose(
        *([segment["score"] for segment in found["segments"]] for found in (live, after)), atol=1e-3
    )
    assert describe_video(drawn).frames == 40
    frames = [frame.image for frame in read_frames(drawn)]
    plain = [frame.image for frame in read_frames(video)]
    assert np.abs(frames[-1].astype(int) - plain[-1]).max() > 60  # something is drawn
    assert "one video file or camera" in str(
        CliRunner().invoke(app, ["predict", "a.npy", "--run", str(run), "--live"]).exception
    )


def test_a_camera_is_drawn_while_it_is_seen(
    run: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pictures(index: int, seconds: float) -> Iterator[VideoFrame]:
        assert (index, seconds) == (7, 2.0)
        yield from read_frames(video)
        raise KeyboardInterrupt

    monkeypatch.setattr("skeletonagent.video.camera.read_camera", pictures)
    monkeypatch.chdir(tmp_path)
    options = ("--run", run, "--threshold", 0, "--rest", "none", "--fps", 20, "--seconds", 2)
    result = invoke("predict", 7, *options, "--save-video", "seen.mp4", "--json")
    (found,) = result.json["recordings"]
    assert (found["name"], found["source"], found["frames"]) == ("camera 7", None, 40)
    assert found["segments"] and "stopped" in result.err
    assert describe_video(tmp_path / "seen.mp4").frames == 40
