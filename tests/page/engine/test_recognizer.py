"""Answers of the recognizer in the browser against those of the server, on the same recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.layout import COCO_17, KINECT_20, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.inference.loading import open_predictor
from skeletonagent.server.reading import ReadUpload
from skeletonagent.server.service import RecognitionOptions, RecognitionService
from skeletonagent.server.settings import ServeSettings
from skeletonagent.server.stream_frames import StreamHead
from skeletonagent.server.stream_session import StreamSession

from .conftest import BrowserUser
from .models import body_of, recording

CLOSE = 1e-4
"""Largest difference of probabilities."""


@pytest.fixture(scope="module")
def files(flat_file: Path, deep_file: Path) -> dict[str, Path]:
    return {"flat": flat_file, "deep": deep_file}


@pytest.fixture(scope="module")
def servers(files: dict[str, Path]) -> dict[str, RecognitionService]:
    return {
        name: RecognitionService(open_predictor(path), ServeSettings(), path.stem)
        for name, path in files.items()
    }


@pytest.fixture(scope="module")
def browsers(
    files: dict[str, Path], in_browser: Callable[[Path], BrowserUser]
) -> dict[str, BrowserUser]:
    return {name: in_browser(path) for name, path in files.items()}


def differences(found: Any, wanted: Any, place: str = "answer") -> list[str]:
    """Return where two answers differ by more than the rounding of probabilities."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        if found.keys() != wanted.keys():
            return [f"{place}: {sorted(found.keys() ^ wanted.keys())}"]
        pairs = [(f"{place}.{key}", found[key], wanted[key]) for key in wanted]
    elif isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return [f"{place}: {len(found)} for {len(wanted)}"]
        pairs = [(f"{place}[{n}]", *two) for n, two in enumerate(zip(found, wanted, strict=True))]
    elif isinstance(found, float | int) and isinstance(wanted, float | int):
        return [] if abs(found - wanted) <= 1.01 * CLOSE else [f"{place}: {found} for {wanted}"]
    else:
        return [] if found == wanted else [f"{place}: {found!r} for {wanted!r}"]
    return [word for name, one, two in pairs for word in differences(one, two, name)]


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found["engine"].pop("device") == "browser"
    wanted["engine"].pop("device")
    assert differences(found, wanted) == []
    assert wanted["keypoints"]["persons"]


SHAPES = {"flat": (17, 2), "deep": (20, 3)}
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("flat", 2, {}),
    ("deep", 3, {}),
    ("flat", 1, {"threshold": 0.0, "window": 12, "stride": 6, "top_k": 2}),
    ("deep", 1, {"fps": 20.0}),
    ("flat", 3, {"clips": True}),
    ("deep", 1, {"clips": True, "threshold": 1.0}),
]


@pytest.mark.parametrize(("name", "persons", "question"), CASES)
def test_answers_are_those_of_the_server(
    browsers: dict[str, BrowserUser],
    servers: dict[str, RecognitionService],
    name: str,
    persons: int,
    question: dict[str, Any],
) -> None:
    joints = recording(5, *SHAPES[name], persons=persons)
    body = body_of(joints, name="a day", **({"fps": 15} if persons > 1 else {}))
    options = RecognitionOptions(keypoints=True, **question)
    wanted = servers[name].answer_json(json.dumps(body).encode(), options)
    asked = {("topK" if key == "top_k" else key): value for key, value in question.items()}
    same(browsers[name].predict(body, **asked), wanted)
    assert wanted["segments"]


def test_the_recognizer_is_described_as_by_the_server(
    browsers: dict[str, BrowserUser], servers: dict[str, RecognitionService]
) -> None:
    for name, browser in browsers.items():
        found = browser.engine("return recognizers[number].describe();", number=browser.number)
        wanted = dict(servers[name].description)
        for key in ("engine", "why_no_video", "video", "limits"):
            assert key in found
            del found[key], wanted[key]
        assert found == wanted


def csv_of(joints: np.ndarray, layout: SkeletonLayout, *, wide: bool) -> str:
    axes = "xyz"[: joints.shape[-1]]
    if wide:
        lines = ["frame,time," + ",".join(f"{name}_{a}" for name in layout.joints for a in axes)]
        for t, frame in enumerate(joints[0]):
            cells = ["" if np.isnan(value) else f"{value:.6f}" for value in frame.ravel()]
            lines.append(f"{t},{t / 20:.4f},{','.join(cells)}")
        return "\n".join(lines)
    lines = [f"frame;person;joint;{';'.join(axes)}"]
    for number, body in enumerate(joints):
        for t, frame in enumerate(body):
            for name, place in zip(layout.joints, frame, strict=True):
                if not np.isnan(place).any():
                    cells = ";".join(f"{value:.6f}" for value in place)
                    lines.append(f'{2 * t};p{number};"{name}";{cells}')
    return "\n".join(lines)


def write_files(folder: Path, joints: np.ndarray, layout: SkeletonLayout) -> list[Path]:
    """Write a recording in each of the forms that the browser reads."""
    (folder / "wide.csv").write_text(csv_of(joints, layout, wide=True))
    (folder / "long.csv").write_text(csv_of(joints, layout, wide=False))
    np.save(folder / "single.npy", joints[0].astype(np.float64))
    np.save(folder / "several.npy", joints)
    own = KeypointRecording(
        "own", joints, layout=layout, fps=25.0, person_ids=("anna", "ben")[: len(joints)]
    )
    write_keypoints(folder / "own.json", own)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("name", ["flat", "deep"])
def test_files_are_read_as_the_server_reads_them(
    browsers: dict[str, BrowserUser],
    servers: dict[str, RecognitionService],
    name: str,
    tmp_path: Path,
) -> None:
    joints = recording(8, *SHAPES[name], persons=2)
    layout = COCO_17 if name == "flat" else KINECT_20
    written = write_files(tmp_path, joints, layout)
    for path in written if name == "flat" else written[:2]:
        (read,) = servers[name].predictor.segmenter.read(path)
        wanted = servers[name].answer_upload(
            ReadUpload(replace(read, source=None, name=path.stem)),
            RecognitionOptions(keypoints=True, threshold=0.0),
        )
        found = browsers[name].predict_file(path, threshold=0.0)
        found["name"] = path.stem
        paths = [word.partition(": ")[2] or word for word in wanted["warnings"]]
        wanted["warnings"] = [
            word if word in found["warnings"] else whole
            for word, whole in zip(paths, wanted["warnings"], strict=True)
        ]
        same(found, wanted)


def test_what_is_unlike_the_training_clips_is_said_alike(
    browsers: dict[str, BrowserUser], servers: dict[str, RecognitionService]
) -> None:
    joints = recording(3, 20, 3)
    changed = [
        joints[..., [1, 0, 2]] * 50,
        joints + np.random.default_rng(0).normal(0, 0.5, joints.shape),
        np.where(np.arange(20)[:, None] % 3 == 1, np.nan, joints),
    ]
    said = set()
    for one, clips in zip(changed, (False, True, False), strict=True):
        body = body_of(one, fps=30)
        options = RecognitionOptions(keypoints=True, clips=clips)
        wanted = servers["deep"].answer_json(json.dumps(body).encode(), options)
        found = browsers["deep"].predict(body, clips=clips)
        assert found["warnings"] == wanted["warnings"]
        said |= {word for word in wanted["warnings"] if word.startswith("unlike")}
    assert len(said) >= 2


@pytest.mark.parametrize("name", ["flat", "deep"])
def test_streams_tell_what_those_of_the_server_tell(
    browsers: dict[str, BrowserUser], servers: dict[str, RecognitionService], name: str
) -> None:
    joints = recording(6, *SHAPES[name], persons=2)
    times = np.arange(joints.shape[1]) / 15 + np.random.default_rng(0).uniform(
        0, 0.01, joints.shape[1]
    )
    times[60:] += 0.7
    frames = [
        {
            "t": round(float(t), 4),
            "bodies": {
                str(m + 1): [None if np.isnan(p).any() else p.tolist() for p in body.astype(float)]
                for m, body in enumerate(frame)
                if not np.isnan(body).all()
            },
        }
        for t, frame in zip(times, joints.swapaxes(0, 1), strict=True)
        if int(1000 * t) % 7
    ]
    session, words = StreamSession.begin(servers[name], StreamHead(fps=15, kind="keypoints"))
    wanted: list[dict[str, Any]] = [{"type": "warning", "text": word} for word in words]
    for frame in frames:
        bodies = {
            person: np.array([[np.nan] * joints.shape[-1] if p is None else p for p in body])
            for person, body in frame["bodies"].items()
        }
        wanted += session.push(frame["t"], bodies)
    wanted += [*session.finish(), {"type": "end"}]
    found = browsers[name].stream(frames, 15)
    assert differences(found, wanted) == []
    assert (
        {"window", "segment", "warning", "end"} >= {event["type"] for event in found} >= {"segment"}
    )
