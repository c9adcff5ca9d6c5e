"""Videos and pictures of clients, with poses that are made up; and the process that reads files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.pose.bodies import FakeScene
from tests.server.serving import Served, served
from tests.small_run import swinging
from websockets.sync.client import connect

from skeletonagent.core.layout import COCO_17, MEDIAPIPE_33
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.inference.predictor import Predictor
from skeletonagent.pose import estimate
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.server import pictures, service, stream_session
from skeletonagent.server.bodies import ClientGone
from skeletonagent.server.reader_process import ReaderProcess
from skeletonagent.server.reading import UploadTask
from skeletonagent.server.server_errors import RequestError
from skeletonagent.video.writing import write_video

SCENE = FakeScene(lambda n: [150 + n, 450])


def scene_estimator(options: estimate.PoseOptions) -> PoseEstimator:
    return PoseEstimator(SCENE, SCENE, options.max_persons)


@pytest.fixture
def seeing(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(service, "why_no_pictures", lambda given: "")
    monkeypatch.setattr(stream_session, "build_estimator", scene_estimator)
    moments = count(100.0, 0.05)
    monkeypatch.setattr(stream_session, "monotonic", lambda: next(moments))
    with served(model) as server:
        yield server


def jpeg(number: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(SCENE.picture(number)).save(content, "JPEG", quality=95)
    return content.getvalue()


def upload_task(path: Path, model: Predictor, most_frames: int = 1000) -> UploadTask:
    return UploadTask(path, "wave", model.input_format, 30.0, None, None, most_frames, 5)


def test_joints_are_found_in_pictures(seeing: Served) -> None:
    assert seeing.ask("/model").json["video"] is True
    with connect(seeing.streams, proxy=None) as socket:
        socket.send(json.dumps({"fps": 20, "kind": "pictures"}))
        times = []
        for number in range(5):
            socket.send(jpeg(4 * number))
            event = json.loads(socket.recv(timeout=20))
            while event["type"] != "frame":
                event = json.loads(socket.recv(timeout=20))
            times.append(event["t"])
            assert set(event["bodies"]) == {"1", "2"}
            body = event["bodies"]["1"]
            assert len(body) == MEDIAPIPE_33.num_joints
            assert np.nanmean([joint[0] for joint in body if joint]) == pytest.approx(
                150 + 4 * number, abs=60
            )
        assert times == [0, 0.05, 0.1, 0.15, 0.2]
        socket.send(json.dumps({"end": True}))
        assert [json.loads(message) for message in socket][-1] == {"type": "end"}


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff junk", b"\x89PNG\r\n\x1a\n" + bytes(99)])
def test_what_is_no_picture_ends_the_stream(seeing: Served, content: bytes) -> None:
    with connect(seeing.streams, proxy=None) as socket:
        socket.send(json.dumps({"fps": 20, "kind": "pictures"}))
        socket.send(content)
        event = json.loads(socket.recv(timeout=20))
        while event["type"] != "error":
            event = json.loads(socket.recv(timeout=20))
    assert "JPEG" in event["detail"]


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    content = io.BytesIO()
    Image.new("RGB", (5000, 5000)).save(content, "JPEG")
    with pytest.raises(RequestError, match="too many pixels"):
        stream_session.read_picture(content.getvalue())


def test_a_video_is_read_in_pixels_and_as_the_recognizer_takes_it(
    model: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "build_estimator", scene_estimator)
    path = tmp_path / "upload.mp4"
    write_video(path, [SCENE.picture(4 * n) for n in range(30)], fps=20)
    read = upload_task(path, model)()
    assert read.recording.name == "wave" and read.recording.source is None
    assert read.recording.joints.shape[2] == model.layout.num_joints
    assert read.seen is not None and read.seen.image_size == (640.0, 480.0)
    assert read.seen.joints.shape == (2, 30, MEDIAPIPE_33.num_joints, 2)
    with pytest.raises(RequestError) as refused:
        upload_task(path, model, most_frames=10)()
    assert refused.value.status == 413


def test_why_no_pictures_are_taken_names_no_folder(
    model: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "pose fetch" in pictures.why_no_pictures(model.input_format)
    monkeypatch.setattr(pictures, "find_pose_models", lambda: None)
    assert pictures.why_no_pictures(model.input_format) == ""
    tail = SkeletonLayout("tail", tuple(f"segment {n}" for n in range(20)), ())
    other = type(model.input_format)(tail, 2)
    assert "lacks 20 of the 20 joints" in pictures.why_no_pictures(other)
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    assert "pip install 'skeletonagent[video]'" in pictures.why_no_pictures(other)


def test_a_file_has_its_time_and_may_be_left(model: Predictor, tmp_path: Path) -> None:
    np.save(tmp_path / "upload.npy", swinging(0, 1, 16))
    task = upload_task(tmp_path / "upload.npy", model)
    reader = ReaderProcess(0.01, 4000)
    with pytest.raises(RequestError, match="took longer than"):
        reader.read(task, lambda: True)
    with pytest.raises(ClientGone):
        reader.read(task, lambda: False)
    reader.close()
    with pytest.raises(ClientGone):
        reader.read(task, lambda: True)


def test_a_process_that_ends_is_started_again(model: Predictor, tmp_path: Path) -> None:
    np.save(tmp_path / "upload.npy", swinging(0, 1, 16))
    task = upload_task(tmp_path / "upload.npy", model)
    reader = ReaderProcess(60, 4000)
    assert reader.read(task, lambda: True).recording.num_frames == 16
    assert reader._process is not None
    reader._process.kill()
    reader._process.join(10)
    assert reader.read(task, lambda: True).recording.joints.shape[2] == COCO_17.num_joints
    reader.close()
