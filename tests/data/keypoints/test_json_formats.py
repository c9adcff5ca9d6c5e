"""Keypoints in JSON, and labels in text, of the tools that write them frame by frame."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, HALPE_26, MEDIAPIPE_33, OPENPOSE_18
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints

RNG = np.random.default_rng(11)
BODY = (RNG.uniform(100, 400, size=(1, 17, 2)) + RNG.normal(size=(6, 17, 2))).round(3)
SCORES = RNG.uniform(0.1, 1, size=(6, 17)).round(3)


def written(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def only(path: Path, **options: Any) -> KeypointRecording:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(path, **options)
    return recording


def flat(t: int) -> list[float]:
    return np.c_[BODY[t], SCORES[t]].ravel().tolist()


def coco(names: list[str] | None = None) -> dict[str, Any]:
    images = [
        {"id": 10 + t, "file_name": f"{clip}/{t:05d}.jpg", "height": 720, "width": 1280}
        for clip in ("wave_p0",)
        for t in range(6)
    ]
    annotations = [
        {"id": t, "image_id": 10 + t, "category_id": 1,
         "keypoints": np.c_[BODY[t], np.where(np.arange(17) == 4, 0, 2)].ravel().tolist()}
        for t in range(6) if t != 3
    ]  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": names or []}
    return {"images": images, "annotations": annotations, "categories": [category]}


def test_coco(tmp_path: Path) -> None:
    recording = only(written(tmp_path / "person_keypoints.json", coco()))
    assert (recording.name, recording.layout, recording.image_size) == (
        "wave_p0", COCO_17, (1280, 720),
    )  # fmt: skip
    expected = BODY.copy()
    expected[3] = expected[:, 4] = np.nan
    np.testing.assert_allclose(recording.joints[0], expected, rtol=1e-6)
    assert recording.confidence is not None and recording.confidence[0, 0, 3:5].tolist() == [1, 0]


def test_cocos_names_of_keypoints_and_videos(tmp_path: Path) -> None:
    value = coco([f"k{name}" for name in COCO_17.joints])
    value["videos"] = [{"id": 5, "name": "clips/sit.mp4"}]
    for t, image in enumerate(value["images"]):
        image |= {"video_id": 5, "frame_id": 2 * t}
    recording = only(written(tmp_path / "a.json", value))
    assert recording.name == "sit" and recording.layout is None
    assert recording.joint_names is not None and recording.joint_names[0] == "knose"
    value["annotations"][0]["image_id"] = 99
    with pytest.raises(DataError, match="image 99, which is not listed"):
        read_keypoints(written(tmp_path / "b.json", value))


def test_coco_of_several_recordings(tmp_path: Path) -> None:
    value = coco()
    for image in value["images"][3:]:
        image["file_name"] = image["file_name"].replace("wave_p0", "more/sit_p1")
    names = {r.name: r.num_frames for r in read_keypoints(written(tmp_path / "a.json", value))}
    assert names == {"wave_p0": 3, "sit_p1": 3}


def test_alphapose(tmp_path: Path) -> None:
    entries = [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": flat(t), "score": 2.5, "idx": 4}
        for t in range(6)
        if t != 2
    ]
    recording = only(written(tmp_path / "alphapose-results.json", entries))
    assert recording.name == "alphapose-results" and recording.layout is COCO_17
    assert recording.person_ids == ("4",) and recording.num_frames == 6
    np.testing.assert_allclose(recording.joints[0, 3:], BODY[3:], rtol=1e-6)
    assert not recording.seen[0, 2].any()
    halpe = [{"image_id": "0.jpg", "keypoints": [1.0] * 78, "score": 1.0}]
    assert only(written(tmp_path / "h.json", halpe)).layout is HALPE_26


def mmpose(t: int) -> list[dict[str, Any]]:
    return [{"keypoints": BODY[t].tolist(), "keypoint_scores": SCORES[t].tolist()}]


@pytest.mark.parametrize("name", ["video", "list", "folder"])
def test_mmpose(tmp_path: Path, name: str) -> None:
    frames = [{"frame_id": t + 1, "instances": mmpose(t) if t != 4 else []} for t in range(6)]
    if name == "folder":
        for t in range(6):
            written(tmp_path / "run" / f"{t:06d}.json", mmpose(t) if t != 4 else [])
        recording = only(tmp_path / "run")
    else:
        meta = {"dataset_name": "coco"}
        value = {"meta_info": meta, "instance_info": frames} if name == "video" else frames
        recording = only(written(tmp_path / "run.json", value))
        assert recording.layout is (COCO_17 if name == "video" else None)
    assert recording.name == "run"
    expected = BODY.copy()
    expected[4] = np.nan
    np.testing.assert_allclose(recording.joints[0], expected, rtol=1e-6)
    assert recording.confidence is not None
    np.testing.assert_allclose(recording.confidence[0, :4], SCORES[:4], rtol=1e-6)


def test_mmposes_names_of_keypoints(tmp_path: Path) -> None:
    names = {str(n): name.replace(" ", "_") for n, name in enumerate(COCO_17.joints)}
    value = {
        "meta_info": {"dataset_name": "mine", "keypoint_id2name": names},
        "instance_info": [{"frame_id": 1, "instances": mmpose(0)}],
    }
    assert only(written(tmp_path / "a.json", value)).layout is COCO_17


def landmarks(points: np.ndarray) -> list[dict[str, float]]:
    return [dict(zip("xyz", map(float, point), strict=True), visibility=0.9) for point in points]


LANDMARKS = RNG.uniform(0.2, 0.8, size=(5, 33, 3)).round(4)


@pytest.mark.parametrize("kind", ["lists", "persons", "objects", "protobuf", "columns"])
def test_mediapipe_in_the_image(tmp_path: Path, kind: str) -> None:
    frames: Any = [landmarks(points) if t != 2 else [] for t, points in enumerate(LANDMARKS)]
    if kind == "persons":
        frames = [[frame] if frame else [] for frame in frames]
    elif kind == "objects":
        frames = {"fps": 30, "frames": [{"frame": t, "landmarks": f} for t, f in enumerate(frames)]}
    elif kind == "protobuf":
        frames = [{"pose_landmarks": {"landmark": f} if f else None} for f in frames]
    elif kind == "columns":
        frames = {"pose_landmarks": frames}
    path = written(tmp_path / "a.json", frames)
    with pytest.warns(UserWarning, match="shares of the image's width and height"):
        (recording,) = read_keypoints(path)
    assert recording.layout is MEDIAPIPE_33 and recording.fps == (30 if kind == "objects" else None)
    expected = LANDMARKS.copy()
    expected[2] = np.nan
    np.testing.assert_allclose(recording.joints[0], expected, rtol=1e-6)
    assert recording.confidence is not None and recording.confidence[0, 0, 0] == pytest.approx(0.9)


def test_mediapipe_in_pixels_and_in_the_world(tmp_path: Path) -> None:
    frames = [
        {"timestamp_ms": 40 * t, "poseLandmarks": landmarks(p), "poseWorldLandmarks": landmarks(-p)}
        for t, p in enumerate(LANDMARKS)
    ]
    value = {"width": 640, "height": 480, "frames": frames}
    with pytest.warns(UserWarning, match="world landmarks, in metres, are read"):
        (recording,) = read_keypoints(written(tmp_path / "a.json", value))
    np.testing.assert_allclose(recording.joints[0], -LANDMARKS, rtol=1e-6)
    assert recording.fps == pytest.approx(25)
    for frame in frames:
        del frame["poseWorldLandmarks"]
    recording = only(written(tmp_path / "b.json", value))
    assert recording.image_size == (640, 480)
    np.testing.assert_allclose(recording.joints[0], LANDMARKS * (640, 480, 640), rtol=1e-6)


def test_ultralytics_json(tmp_path: Path) -> None:
    frames = [
        [
            {
                "name": "person", "class": 0, "confidence": 0.9, "track_id": 3,
                "box": {"x1": 0, "y1": 0, "x2": 1, "y2": 1},
                "keypoints": {
                    "x": BODY[t, :, 0].tolist(), "y": BODY[t, :, 1].tolist(),
                    "visible": SCORES[t].tolist(),
                },
            }
        ]
        for t in range(6)
    ]  # fmt: skip
    recording = only(written(tmp_path / "a.json", [*frames, []]))
    assert recording.layout is COCO_17 and recording.person_ids == ("3",)
    np.testing.assert_allclose(recording.joints[0, :6], BODY, rtol=1e-6)
    assert not recording.seen[0, 6].any()
    assert only(written(tmp_path / "b.json", frames[0])).num_frames == 1


@pytest.mark.parametrize("extra", ["", " 0.87", " 5", " 0.87 5"])
def test_ultralytics_text(tmp_path: Path, extra: str) -> None:
    shares = BODY / (640, 480)
    shares[1, 2] = 0
    for t in (0, 1, 3):
        cells = np.c_[shares[t], SCORES[t]].ravel()
        line = "0 0.5 0.5 0.2 0.4 " + " ".join(f"{cell:.6f}" for cell in cells) + extra
        path = tmp_path / "wave_p0" / "labels" / f"wave_p0_{t + 1}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line + "\n")
    with pytest.warns(UserWarning, match="shares of the image's width and height"):
        (recording,) = read_keypoints(tmp_path)
    assert (recording.name, recording.layout) == ("wave_p0", COCO_17)
    assert recording.person_ids == (("5",) if extra.endswith("5") else ("0",))
    expected = shares[:4].copy()
    expected[1, 2] = expected[2] = np.nan
    np.testing.assert_allclose(recording.joints[0], expected, atol=1e-6)


def test_labels_of_other_models_need_the_layout(tmp_path: Path) -> None:
    cells = " ".join(f"{cell:.4f}" for cell in RNG.uniform(size=39))
    (tmp_path / "a_1.txt").write_text(f"0 0.5 0.5 0.2 0.4 {cells}\n")
    with pytest.raises(DataError, match="leaves the number of joints open"):
        read_keypoints(tmp_path)
    layout = tmp_path / "thirteen.yaml"
    layout.write_text("joints: [a, b, c, d, e, f, g, h, i, j, k, l, m]\nbones: []\n")
    with pytest.warns(UserWarning, match="shares of the image"):
        recordings = read_keypoints(tmp_path / "a_1.txt", layout=layout)
    assert recordings[0].joints.shape == (1, 1, 13, 2) and recordings[0].confidence is not None


def test_kinetics_skeleton(tmp_path: Path) -> None:
    pose = RNG.uniform(size=(4, 18, 2)).round(3)
    pose[1, 5] = 0
    score = np.where(pose.any(-1), 0.5, 0.0)
    frames = [
        {"frame_index": t + 1,
         "skeleton": [{"pose": pose[t].ravel().tolist(), "score": score[t].tolist()}]}
        for t in range(4)
    ]  # fmt: skip
    frames.insert(2, {"frame_index": 9, "skeleton": []})
    value = {"data": frames, "label": "abseiling", "label_index": 0}
    recording = only(written(tmp_path / "abc.json", value))
    assert (recording.label, recording.layout) == ("abseiling", OPENPOSE_18)
    assert recording.num_frames == 9 and not recording.seen[0, 4:].any()
    pose[1, 5] = np.nan
    np.testing.assert_allclose(recording.joints[0, :4], pose, rtol=1e-6)


def test_a_value_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    frames = [{"landmarks": landmarks(points)} for points in LANDMARKS]
    path.write_text("\n".join(map(json.dumps, frames)))
    with pytest.warns(UserWarning, match="shares of the image"):
        (recording,) = read_keypoints(path)
    np.testing.assert_allclose(recording.joints[0], LANDMARKS, rtol=1e-6)


def samples() -> dict[str, Any]:
    frames = [{"frame_id": t + 1, "instances": mmpose(t)} for t in range(3)]
    skeleton = {"pose": [0.5] * 36, "score": [1.0] * 18}
    persons = [
        {"name": "person", "keypoints": {"x": [1.0, 2.0], "y": [3.0, 4.0], "visible": [1.0, 1.0]}}
    ]
    return {
        "coco": coco(),
        "alphapose": [{"image_id": "0.jpg", "keypoints": flat(0), "score": 1.0, "idx": 1}],
        "mmpose": {"meta_info": {"dataset_name": "coco"}, "instance_info": frames},
        "mediapipe": {"fps": 30, "width": 9, "height": 9,
                      "frames": [{"landmarks": landmarks(LANDMARKS[0])}]},
        "ultralytics": [persons, persons],
        "kinetics": {"data": [{"frame_index": 1, "skeleton": [skeleton]}], "label": "run"},
        "openpose": {"people": [{"person_id": [-1], "pose_keypoints_2d": [1.0] * 75}]},
    }  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to what is inside a value, of long lists to the first items."""
    items = value.items() if isinstance(value, dict) else ()
    for key, inside in items or (enumerate(value[:3]) if isinstance(value, list) else ()):
        yield (*path, key)
        yield from places(inside, (*path, key))


@pytest.mark.parametrize("name", samples())
@pytest.mark.filterwarnings("ignore")
def test_values_of_another_kind_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(3)
    others = [None, float("nan"), {}, [], "x", -1, 1e400, True, 10**25, [1], {"a": 1}, [[]]]
    paths = list(places(samples()[name]))
    for number in rng.permutation(len(paths))[:40]:
        value = samples()[name]
        inside = value
        for key in paths[number][:-1]:
            inside = inside[key]
        inside[paths[number][-1]] = others[int(rng.integers(len(others)))]
        try:
            recordings = read_keypoints(written(tmp_path / "a.json", value))
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert all(not np.isinf(recording.joints).any() for recording in recordings)


def test_the_same_remark_on_many_files_is_made_once(tmp_path: Path) -> None:
    for n in range(5):
        written(tmp_path / f"clip{n}" / "a.json", [landmarks(points) for points in LANDMARKS])
    (tmp_path / "README.txt").write_text("recorded in May")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_keypoints(tmp_path)
    assert [r.name for r in recordings] == [f"clip{n}/a" for n in range(5)]
    shares, left_out = sorted((str(each.message) for each in caught), key=len)
    assert "README.txt: looks like text that begins 'recorded in May'" in left_out + shares
    assert "a.json and 3 more: coordinates are shares" in left_out + shares
