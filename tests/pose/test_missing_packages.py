"""What is not installed is named with the command that installs it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.pose.regions import Region, crop
from skeletonagent.pose.runtime import LiteModel, OnnxModel
from skeletonagent.video.drawing import draw_persons
from skeletonagent.video.reading import read_frames
from skeletonagent.video.writing import write_video

IMAGE = np.zeros((8, 8, 3), np.uint8)


def lacking(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_videos_need_pyav(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lacking(monkeypatch, "av")
    for work in (
        lambda: next(read_frames(tmp_path / "v.mp4")),
        lambda: write_video(tmp_path / "v.mp4", [IMAGE], fps=10),
    ):
        with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[video\]'"):
            work()


def test_pictures_need_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, "PIL", "PIL.Image")
    for work in (
        lambda: draw_persons(IMAGE, [], []),
        lambda: crop(IMAGE, Region(4, 4, 4), 4, border="edge"),
    ):
        with pytest.raises(ConfigError, match=r"skeletonagent\[video\]"):
            work()


def test_models_need_their_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lacking(monkeypatch, "ai_edge_litert.interpreter", "onnxruntime")
    with pytest.raises(ConfigError, match=r"skeletonagent\[video\]"):
        LiteModel(tmp_path / "m.tflite")
    with pytest.raises(ConfigError, match=r"skeletonagent\[onnx\]"):
        OnnxModel(tmp_path / "m.onnx")
