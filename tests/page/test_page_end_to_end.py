"""The page of the real server, and in one file: what comes in ends in the right action."""

from __future__ import annotations

import base64
import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.invocation import invoke
from tests.server.serving import TOKEN, served
from tests.small_run import small_run

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.inference.evaluate_segments import evaluate_segments
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.page.fetch import find_web_runtime, web_runtime_folder
from skeletonagent.pose.fetch import find_pose_models, pose_model_folder
from skeletonagent.video.writing import write_video

from .conftest import CAMERA, NAMES
from .performer import (
    CLASSES,
    FPS,
    LAYOUT,
    acted,
    drawn,
    in_pixels,
    performer_archive,
    write_camera,
)
from .visit import PageVisit

pytestmark = pytest.mark.slow

LEFT, RIGHT, BOTH = CLASSES
FETCHED, RUNTIME = pose_model_folder(), web_runtime_folder()
"""Folders before the tests get caches of their own."""

PATIENCE = 240_000
"""Milliseconds that a busy machine may take to look at a few dozen pictures."""

CAMERA_OF_PICTURES = """async (pictures) => {
  const images = await Promise.all(pictures.map(async (letters) => {
    const image = new Image();
    image.src = `data:image/jpeg;base64,${letters}`;
    await image.decode();
    return image;
  }));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: images[0].width, height: images[0].height });
  let [shown, now] = [0, performance.now()];
  const draw = canvas.getContext("2d");
  setInterval(() => draw.drawImage(images[shown % images.length], 0, 0), 30);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream();
  performance.now = () => now;
  const { getImageData } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.getImageData = function (...area) {
    shown += 1;
    now += 200;
    return getImageData.apply(this, area);
  };
}"""
"""Gives the page a camera whose next picture comes when the page has taken one, after 200 ms on the
page's clock, so that a busy machine sees the same.
"""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("performer")
    archive = performer_archive(folder / "lifts")
    settings: Any = {
        "agents__chat": "none",
        "training__epochs": 24,
        "training__batch_size": 8,
        "model__backbone": "tiny-gcn",
        "model__width": 16,
    }
    return load_predictor(small_run(archive, folder / "run", **settings).path, "cpu")


@pytest.fixture(scope="module")
def page_file(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page in one file, with the pose models of the user."""
    try:
        find_web_runtime(RUNTIME)
        find_pose_models(FETCHED)
    except SkeletonAgentError:
        pytest.skip(f"needs ONNX Runtime Web and pose models: nothing at {RUNTIME} or {FETCHED}")
    folder = tmp_path_factory.mktemp("single")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(FETCHED.parents[1]))
        predictor.export(folder / "lifts.onnx")
        invoke("page", folder / "lifts.onnx", "--out", folder / "lifts.html", "--pose")
    return folder / "lifts.html"


@pytest.fixture(scope="module")
def address(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the recognizer with the pose models of the user, if there are any."""
    caches = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(caches))
        pose_model_folder().parent.mkdir(parents=True)
        pose_model_folder().symlink_to(FETCHED)
        with served(predictor) as one:
            yield f"http://127.0.0.1:{one.port}/"


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return drawn(acted([0]))


@pytest.fixture(scope="module")
def browser(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a browser whose camera sees somebody who lifts the left hand, again and again."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    seen = tmp_path_factory.mktemp("camera") / "seen.y4m"
    write_camera(seen, pictures)
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", *CAMERA, f"--use-file-for-fake-video-capture={seen}"],
        )
        yield started
        started.close()


@pytest.fixture
def pose_models() -> None:
    try:
        find_pose_models(FETCHED)
    except SkeletonAgentError:
        pytest.skip(f"needs pose models: nothing at {FETCHED}")


def recording(path: Path) -> Path:
    """Write a keypoint file of somebody who lifts the left hand, then the right one."""
    joints = in_pixels(acted([0, 1]))[None]
    one = KeypointRecording(
        "lifts", joints, joint_names=LAYOUT.joints, fps=FPS, image_size=(640.0, 480.0)
    )
    write_keypoints(path, one)
    return path


def found(visit: PageVisit) -> list[str]:
    """Return the actions that are shown, by their start."""
    rows = visit.page.locator(".list .text")
    return rows.all_inner_texts()


def test_a_keypoint_file_ends_in_its_actions_and_its_corrections_are_evaluated(
    browser: Any, address: str, predictor: Predictor, tmp_path: Path
) -> None:
    file = recording(tmp_path / "lifts.json")
    with PageVisit(browser, address) as visit:
        visit.shown(file)
        assert found(visit) == [LEFT, RIGHT]
        assert visit.page.locator(".scores .line").count() > 0
        field = visit.page.locator(".editor input[name=end]")
        field.fill("3.2")
        field.press("Enter")
        table = visit.download("Labels (CSV)", tmp_path)
    with table.open() as rows:
        assert [row["label"] for row in csv.DictReader(rows)] == [LEFT, RIGHT]
    metrics = evaluate_segments(predictor.segmenter, table).metrics
    assert metrics["f1"]["0.50"] == pytest.approx(1)


def test_a_server_with_a_token_is_asked_with_it(
    browser: Any, predictor: Predictor, tmp_path: Path
) -> None:
    file = recording(tmp_path / "lifts.json")
    with (
        served(predictor, token=TOKEN) as one,
        PageVisit(browser, f"http://127.0.0.1:{one.port}/") as visit,
    ):
        visit.page.locator("#token").fill(TOKEN)
        visit.page.keyboard.press("Enter")
        visit.shown(file)
        assert found(visit) == [LEFT, RIGHT]
        visit.problems.clear()  # the browser itself writes of the first status


def test_a_video_ends_in_its_action(
    browser: Any, address: str, pictures: list[np.ndarray], tmp_path: Path, pose_models: None
) -> None:
    write_video(tmp_path / "lift.mp4", pictures, fps=FPS)
    with PageVisit(browser, address) as visit:
        visit.shown(tmp_path / "lift.mp4")
        assert found(visit) == [LEFT]
        assert visit.page.locator(".stage.over video").count() == 1


def test_a_camera_ends_in_the_action_before_it(
    browser: Any, address: str, pose_models: None
) -> None:
    with PageVisit(browser, address) as visit:
        visit.ready().page.locator("#camera").click()
        visit.page.wait_for_selector(f".action[title^='{LEFT}']", timeout=60_000)
        visit.page.locator("#camera").click()
        visit.page.wait_for_selector("body[data-state=shown]", timeout=60_000)
        assert LEFT in found(visit) and not {RIGHT, BOTH} & set(found(visit))


def test_in_one_file_a_video_ends_in_its_action(
    browser: Any, page_file: Path, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    write_video(tmp_path / "lift.mp4", pictures[::2], fps=FPS / 2)
    with PageVisit(browser, page_file.as_uri()) as visit:
        visit.page.set_default_timeout(PATIENCE)
        visit.shown(tmp_path / "lift.mp4")
        assert found(visit) == [LEFT]
        assert visit.page.locator(".stage.over video").count() == 1
        spans = visit.labels()
        visit.page.set_input_files(
            "#file", {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no video"}
        )
        visit.page.wait_for_selector("#problem:not(:empty)")
        assert "cannot be played by this browser" in visit.page.inner_text("#problem")
        assert visit.labels() == spans


def test_in_one_file_a_camera_ends_in_the_action_before_it(
    browser: Any, page_file: Path, pictures: list[np.ndarray]
) -> None:
    with PageVisit(browser, page_file.as_uri()) as visit:
        visit.page.set_default_timeout(PATIENCE)
        visit.ready().page.evaluate(CAMERA_OF_PICTURES, [as_jpeg(one) for one in pictures[::2]])
        visit.page.locator("#camera").click()
        visit.page.wait_for_selector(f".action[title^='{LEFT}']")
        visit.page.locator("#camera").click()
        visit.page.wait_for_selector("body[data-state=shown]")
        assert LEFT in found(visit) and not {RIGHT, BOTH} & set(found(visit))


def as_jpeg(picture: np.ndarray) -> str:
    """Return a picture in base64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return base64.b64encode(file.getvalue()).decode()
