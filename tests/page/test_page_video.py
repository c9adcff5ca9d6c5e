"""Videos and the camera: skeletons over the picture, actions while they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.importing.figures import NAMES

from skeletonagent.video.writing import write_video

from .double import BONES, FRAMES, Double, answer, body, model
from .visit import PageVisit

SIZE = (320, 240)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    pictures = (np.full((SIZE[1], SIZE[0], 3), n, np.uint8) for n in range(FRAMES))
    write_video(path, pictures, fps=30)
    return path


def in_pixels() -> dict[str, Any]:
    """Return the answer about a video: its joints are pixels."""
    places = body("1")[..., :2] * [90, -90] + [160, 210]
    track = {"person": "1", "first_frame": 0, "frames": places.round(1).tolist()}
    keypoints = {"persons": [track], "names": list(NAMES), "bones": BONES, "image_size": SIZE}
    return answer(keypoints=keypoints)


def test_skeletons_are_drawn_over_the_video(browser: Any, double: Double, video: Path) -> None:
    double.model, double.answer = model(video=True), in_pixels()
    with PageVisit(browser, double.address) as visit:
        visit.shown(video)
        page = visit.page
        assert double.asked[0]["file"] == "walk.mp4"
        assert page.locator(".stage.over video").count() == 1
        assert "walk.json" in page.inner_text(".save")
        visit.seek(90)
        visit.until(
            lambda: abs(visit.run("document.querySelector('video').currentTime") - 3) < 0.02
        )
        # The feet are where the answer says: in the middle of the picture, which fits the stage.
        drawn = visit.run(
            """(() => {
              const canvas = document.querySelector('.stage canvas'), { width, height } = canvas;
              const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
              const last = data.findLastIndex((value, place) => place % 4 === 3 && value);
              return [Math.floor(last / 4 / width), height, width];
            })()"""
        )
        scale = min(drawn[2] / SIZE[0], drawn[1] / SIZE[1])
        lowest = in_pixels()["keypoints"]["persons"][0]["frames"][90]
        foot = drawn[1] / 2 + scale * (max(y for _, y in lowest) - SIZE[1] / 2)
        assert abs(drawn[0] - foot) < 8
        page.locator("#play").click()
        visit.until(lambda: visit.run("document.querySelector('video').currentTime") > 3.2)
        page.locator("#play").click()
        assert visit.run("document.querySelector('video').paused")


def test_a_video_that_the_browser_cannot_play_shows_its_skeletons(
    browser: Any, double: Double
) -> None:
    double.model, double.answer = model(video=True), in_pixels()
    with PageVisit(browser, double.address) as visit:
        visit.shown({"name": "a.avi", "mimeType": "video/x-msvideo", "buffer": b"RIFF"})
        assert visit.page.locator(".stage video").count() == 0
        assert visit.page.locator(".action").count() == 4
        blank = visit.run("document.createElement('canvas').toDataURL()")
        assert len(visit.picture()) > 10 * len(blank)


def test_the_camera_shows_actions_as_they_come(
    browser: Any, double: Double, tmp_path: Path
) -> None:
    double.model = model(video=True)
    with PageVisit(browser, double.address) as visit:
        visit.ready()
        page = visit.page
        page.locator("#camera").click()
        page.wait_for_selector("body[data-state=live]")
        page.wait_for_selector(".action")
        assert page.inner_text(".notices").endswith("frames came late")
        visit.spoken("lift_left, 88%")
        assert page.locator(".scores .line").count() == 1  # of a movement that goes on
        assert "Stop the camera" in page.inner_text("#camera")
        page.locator("#camera").click()
        page.wait_for_selector("body[data-state=shown]")
        assert [one.split(",")[0] for one in visit.labels()] == ["lift_left", "kick"]
        assert page.locator(".stage video").count() == 0
        keypoints = visit.download("Keypoints (JSON)", tmp_path)
        labels = visit.download("Labels (CSV)", tmp_path)
        assert labels.read_text().splitlines()[1].startswith("camera.json,lift_left,")
        assert keypoints.name == "camera.json"
        assert any(url.startswith("ws://127.0.0.1") for url in visit.requests)
    assert len(double.pictures) > 20 and max(double.pictures) < 200_000


def test_a_camera_that_may_not_be_used_is_said(browser: Any, double: Double) -> None:
    double.model = model(video=True)
    with PageVisit(browser, double.address) as visit:
        refuse = "new DOMException('no', 'NotAllowedError')"
        visit.ready().run(
            f"void (navigator.mediaDevices.getUserMedia = async () => {{ throw {refuse}; }})"
        )
        visit.page.locator("#camera").click()
        visit.page.wait_for_selector(".notice.failed")
        assert "The camera may not be used." in visit.page.inner_text(".notice.failed")
        assert visit.page.locator("body[data-state=empty]").count() == 1
