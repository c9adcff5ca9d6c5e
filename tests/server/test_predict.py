"""Predictions over HTTP: those of the library on the same joints."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.server.serving import Served, as_lists
from tests.small_run import CLASSES, swinging

from skeletonagent.core.layout import COCO_17, KINECT_25
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.segment_settings import choose_threshold


def day(bodies: int = 1, seed: int = 3) -> np.ndarray:
    """Return movements with a pause in between, of which some joints were not seen."""
    parts = [swinging(label, seed, 30, bodies) for label in (0, 2)]
    still = np.repeat(parts[0][:, -1:], 25, axis=1)
    joints = np.concatenate(
        [parts[0], still, parts[1] + parts[0][:, -1:] - parts[1][:, :1]], axis=1
    )
    joints[0, 4:7, 3] = np.nan
    return joints.astype(np.float32)


def alike(found: Any, wanted: Any, digits: float = 2e-6) -> None:
    """Compare plain values, numbers but for the rounding of batches."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted)
        for key, value in wanted.items():
            alike(found[key], value, digits)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            alike(one, other, digits)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=digits)
    else:
        assert found == wanted


def expected(model: Predictor, joints: np.ndarray, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.segment(joints, **options).to_json()
    found["engine"]["runs"] = ["mine"]
    return found


@pytest.mark.parametrize("bodies", [1, 2])
def test_segments_are_those_of_the_library(server: Served, model: Predictor, bodies: int) -> None:
    joints = day(bodies)
    body = {"frames": as_lists(joints.swapaxes(0, 1)), "fps": 30}
    answer = server.predict(body, "?threshold=0.2&window=12&stride=4&top_k=2")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    wanted = expected(model, joints, fps=30, threshold=0.2, window=12, stride=4, top_k=2)
    assert wanted["segments"]
    alike(answer.json, wanted)


def test_one_person_may_be_sent_without_persons(server: Served, model: Predictor) -> None:
    joints = day()[0]
    answer = server.predict({"keypoints": as_lists(joints), "name": "mo\u00b7rning"}, "?fps=25")
    alike(answer.json, {**expected(model, joints, fps=25), "name": "mo\u00b7rning"})


def test_a_clip_as_a_whole_has_the_probabilities_of_predict(
    server: Served, model: Predictor
) -> None:
    joints = day()[:, :25]
    body = {"keypoints": as_lists(joints[0]), "fps": 30}
    (segment,) = server.predict(body, "?clips=true&top_k=3").json["segments"]
    found = model.predict(joints, top_k=3)
    alike(
        segment["top"],
        [{"label": name, "score": float(score)} for name, score in found.top_k()[0]],
    )
    assert segment["label"] == found.class_names[0] and segment["end_frame"] == 25
    (unknown,) = server.predict(body, "?clips=true&threshold=1").json["segments"]
    assert unknown["label"] == "unknown"
    words = server.predict(body, "?clips=true&window=4").json["warnings"]
    assert any("window" in word for word in words)


def test_persons_that_are_absent_and_frames_of_nobody_are_null(
    server: Served, model: Predictor
) -> None:
    joints = day(2)
    joints[1, :20], joints[:, 40] = np.nan, np.nan
    frames: list[Any] = as_lists(joints.swapaxes(0, 1))
    for number, frame in enumerate(frames):
        frames[number] = [body if any(body) else None for body in frame]
    frames[3], frames[40] = frames[3][:1], None
    answer = server.predict({"frames": frames, "fps": 30}, "?threshold=0")
    alike(answer.json, expected(model, joints, fps=30, threshold=0))


def test_joints_of_another_layout_are_found_by_their_names(
    server: Served, model: Predictor
) -> None:
    own = day()
    places = {name: place for place, name in enumerate(COCO_17.joints)}
    other = np.full((*own.shape[:2], KINECT_25.num_joints, 2), np.nan)
    for place, name in enumerate(KINECT_25.joints):
        if name in places:
            other[:, :, place] = own[:, :, places[name]]
    body = {"keypoints": as_lists(other[0]), "layout": "kinect-25", "fps": 30}
    answer = server.predict(body)
    recording = KeypointRecording("recording", other, layout=KINECT_25, fps=30.0)
    wanted = model.segment(recording).to_json()
    assert any("lacks" in word for word in wanted["warnings"])
    alike(answer.json["segments"], wanted["segments"])
    alike(answer.json["warnings"], wanted["warnings"])


@pytest.mark.parametrize("ending", ["npy", "json", "npz"])
def test_files_are_read_as_the_library_reads_them(
    server: Served, model: Predictor, ending: str, tmp_path: Path
) -> None:
    path, joints = tmp_path / f"morning.{ending}", day()
    if ending == "npy":
        np.save(path, joints)
    else:
        write_keypoints(path, KeypointRecording("morning", joints, layout=COCO_17, fps=30.0))
    answer = server.upload(path.read_bytes(), path.name, "?threshold=0.1")
    wanted = expected(model, path, threshold=0.1)  # type: ignore[arg-type]
    alike(answer.json, {**wanted, "source": None})


def test_of_a_file_of_several_recordings_one_is_chosen(server: Served) -> None:
    content = io.BytesIO()
    np.savez(content, first=day()[0], second=day(seed=5)[0])
    refused = server.upload(content.getvalue(), "two.npz")
    assert refused.status == 422 and "two/first, two/second" in refused.detail
    chosen = server.upload(content.getvalue(), "two.npz", "?recording=two/second")
    assert chosen.status == 200 and chosen.json["name"] == "two/second"


def test_joints_and_probabilities_over_time_come_with_keypoints(
    server: Served, model: Predictor
) -> None:
    joints = day()
    joints[0, :2] = np.nan
    answer = server.predict({"keypoints": as_lists(joints[0]), "fps": 30}, "?keypoints=true").json
    (person,) = answer["keypoints"]["persons"]
    assert person["person"] == "1" and person["first_frame"] == 2
    given = model.layout.joints
    assert answer["keypoints"]["names"] == list(given)
    place = given.index("left wrist")
    drawn = [frame and frame[place] for frame in person["frames"]]
    np.testing.assert_allclose(drawn, joints[0, 2:, COCO_17.joints.index("left wrist")], atol=1e-3)
    assert person["frames"][2][3] is None  # an eye that was not seen
    windows = answer["timeline"]
    assert [window["start_frame"] for window in windows] == sorted(
        window["start_frame"] for window in windows
    )
    assert windows[-1]["end_frame"] == joints.shape[1]
    for window in windows:
        assert set(window["scores"]) == set(CLASSES)
        assert sum(window["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_requests_that_come_together_have_the_answers_of_single_ones(server: Served) -> None:
    bodies = [{"keypoints": as_lists(day(seed=seed)[0]), "fps": 30} for seed in range(6)]
    single = [server.predict(body, "?threshold=0").json for body in bodies]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda body: server.predict(body, "?threshold=0").json, bodies))
    for one, other in zip(together, single, strict=True):
        alike(one, other)


def test_the_model_is_described(server: Served, model: Predictor) -> None:
    described = server.ask("/model").json
    assert described["class_names"] == list(model.class_names) and described["name"] == "mine"
    assert described["layout"]["joints"] == list(model.layout.joints)
    assert described["threshold"] == pytest.approx(
        choose_threshold(None, model.segmenter.held_out)[0], abs=1e-6
    )
    assert described["engine"] == "onnx" and described["persons"] == 2
    assert described["video"] == (not described["why_no_video"])
    assert described["limits"]["max_frames"] == server.settings.max_frames


def test_health_metrics_and_page_are_there(server: Served) -> None:
    assert server.ask("/health").json == {"status": "ok"}
    server.predict({"keypoints": as_lists(day()[0])})
    text = server.ask("/metrics").content.decode()
    for name in (
        'skeletonagent_requests_total{route="/predict",status="200"}', "skeletonagent_clips_total",
        "skeletonagent_batch_clips_bucket", "skeletonagent_queue_length", "skeletonagent_streams",
        "skeletonagent_request_seconds_bucket",
    ):  # fmt: skip
        assert name in text
    page = server.ask("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in page.headers
    assert server.ask("/page/start.js").headers["content-type"].startswith("text/javascript")
    assert server.ask("/page/none.js").status == server.ask("/page/../x").status == 404
    assert json.loads(server.ask("/openapi.json").content)["openapi"].startswith("3.")
