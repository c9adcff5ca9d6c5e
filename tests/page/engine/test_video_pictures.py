"""Pictures of a video in a browser: each at its time, at the rate of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.video.writing import write_video

from .conftest import Engine

READ = """
const { VideoPictures } = await load("pose/video_pictures.js");
const content = await (await fetch("/video")).arrayBuffer();
const video = await VideoPictures.open(new File([content], "grey.mp4", { type: "video/mp4" }));
const { fps, count, size } = video;
const [levels, times, pictures] = [[], [], new Set()];
for await (const { image, time } of video.frames()) {
  levels.push(image.data[4 * 100]);
  times.push(time);
  pictures.add(image);
}
video.close();
return { fps, count, size, levels, times, different: pictures.size, words: video.warnings };
"""


def read(engine: Engine, path: Path, levels: list[int], fps: float) -> dict[str, Any]:
    """Return what the browser reads of a video of even pictures."""
    write_video(path, (np.full((48, 64, 3), level, np.uint8) for level in levels), fps=fps)
    engine.served["/video"] = path.read_bytes()
    found: dict[str, Any] = engine(READ)
    assert found["count"] == len(found["levels"]) and found["size"] == [64, 48]
    return found


@pytest.mark.parametrize("fps", [10, 30000 / 1001])
def test_every_picture_comes_once(engine: Engine, tmp_path: Path, fps: float) -> None:
    levels = list(range(20, 236, 18))
    found = read(engine, tmp_path / "a.mp4", levels, fps)
    assert found["fps"] == pytest.approx(fps, abs=0.01)
    assert np.abs(np.subtract(found["levels"], levels)).max() <= 3
    np.testing.assert_allclose(found["times"], np.arange(len(levels)) / fps, atol=0.01)
    assert found["different"] == len(levels) and found["words"] == []


def test_a_picture_that_is_late_is_waited_for(engine: Engine, tmp_path: Path) -> None:
    """The first two looks after a seek still find the picture before, as on a busy machine."""
    levels = list(range(20, 236, 18))
    late = """
    const Shown = VideoFrame;
    let [sought, looks, before] = [null, 0, 0];
    window.VideoFrame = class {
      constructor(video) {
        const shown = new Shown(video);
        looks = video.currentTime === sought ? looks + 1 : 1;
        sought = video.currentTime;
        this.timestamp = looks < 3 ? before : shown.timestamp;
        if (looks >= 3) before = shown.timestamp;
        shown.close();
      }
      close() {}
    };
    """
    opened = READ.replace("const { fps,", f"{late}const {{ fps,")
    opened = opened.replace("video.close();", "video.close(); window.VideoFrame = Shown;")
    write_video(tmp_path / "a.mp4", (np.full((48, 64, 3), n, np.uint8) for n in levels), fps=10)
    engine.served["/video"] = (tmp_path / "a.mp4").read_bytes()
    found = engine(opened)
    assert found["different"] == len(levels) and found["words"] == []


def test_of_a_fast_video_every_second_picture_is_taken(engine: Engine, tmp_path: Path) -> None:
    levels = list(range(20, 236, 12))
    found = read(engine, tmp_path / "a.mp4", levels, 60)
    assert found["fps"] == 30 and len(found["levels"]) == len(levels) // 2
    assert all(min(abs(level - each) for each in levels) <= 3 for level in found["levels"])
    assert np.all(np.diff(found["levels"]) > 18)
    assert found["words"] == ["the video has 60 pictures a second, of which 30 are looked at"]
