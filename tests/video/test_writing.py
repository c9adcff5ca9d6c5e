"""Videos are written as browsers play them, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from tests.video.made import picture

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.video.reading import read_frames
from skeletonagent.video.writing import write_video

NAMES = ("chromium", "chromium-browser", "google-chrome")


def test_h264_in_yuv420p_with_its_index_in_front(tmp_path: Path) -> None:
    path = tmp_path / "new" / "v.mp4"
    write_video(path, (picture(10 * n) for n in range(5)), fps=29.97)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate or 0) == pytest.approx(29.97, abs=0.01)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert [file.name for file in path.parent.iterdir()] == ["v.mp4"]


def test_an_odd_size_grows_by_one(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [picture(90, 47, 63)], fps=10)
    assert next(read_frames(tmp_path / "v.mp4")).image.shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [([], "no picture"), ([picture(1), picture(2, 50)], "picture 2 has 64 x 50")],
)
def test_what_is_no_video_leaves_the_old_file(
    tmp_path: Path, images: list[np.ndarray], message: str
) -> None:
    (tmp_path / "v.mp4").write_bytes(b"old")
    with pytest.raises(DataError, match=message):
        write_video(tmp_path / "v.mp4", images, fps=10)
    assert (tmp_path / "v.mp4").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_other_formats_and_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.mp4"):
        write_video(tmp_path / "v.avi", [picture(1)], fps=10)
    with pytest.raises(ConfigError, match="positive"):
        write_video(tmp_path / "v.mp4", [picture(1)], fps=0)


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_video(tmp_path / "v.mp4", [picture(1)], fps=10)


def test_a_browser_plays_it(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    browser_path = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    write_video(tmp_path / "v.mp4", (picture(8 * n) for n in range(25)), fps=25)
    page_file = tmp_path / "page.html"
    page_file.write_text('<video src="v.mp4" muted></video>')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        played = page.evaluate(
            """async () => {
              const video = document.querySelector('video');
              await video.play();
              await new Promise(done => { video.onended = done; });
              return [video.videoWidth, video.videoHeight, video.duration, video.error];
            }"""
        )
        browser.close()
    assert played == [64, 48, 1, None]
