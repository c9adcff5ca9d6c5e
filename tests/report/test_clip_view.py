"""The page that plays clips as they are stored."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.importing.figures import NAMES, figure

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.clip_view import ViewedClip, clip_view_page, stored_axes

PARENTS = (1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 8, 11)
LAYOUT = SkeletonLayout(
    "figure", NAMES, tuple((n, parent) for n, parent in enumerate(PARENTS) if parent >= 0), 8
)
EVIL = "</script><script>alert(1)</script>"


def sequence(joints: np.ndarray, name: str = "a") -> SkeletonSequence:
    bodies = joints[None] if joints.ndim == 3 else joints
    return SkeletonSequence(bodies.astype(np.float32), 0, name)


def page_data(page: str) -> dict[str, Any]:
    text = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    value: dict[str, Any] = json.loads(text)
    return value


@pytest.mark.parametrize(
    ("change", "coordinates", "axes"),
    [
        (lambda joints: joints, 3, ((0, 1), (1, 1), (2, 1))),
        (lambda joints: joints * [1, -1, 1], 3, ((0, 1), (1, -1), (2, -1))),
        (lambda joints: joints[..., [0, 2, 1]], 3, ((0, 1), (2, 1), (1, -1))),
        (lambda joints: joints[..., :2] * [1, -1], 2, ((0, 1), (1, -1))),
        (lambda joints: joints[..., :2], 2, ((0, 1), (1, 1))),
    ],
)
def test_heads_are_drawn_above_feet(change: Any, coordinates: int, axes: Any) -> None:
    assert stored_axes([sequence(change(figure(2, 0)))], LAYOUT, coordinates) == axes


def test_without_names_y_points_up_in_space_and_down_in_images() -> None:
    plain = SkeletonLayout("plain", tuple(f"joint {n}" for n in range(13)), LAYOUT.bones)
    assert stored_axes([sequence(figure(0, 0))], plain, 3)[1] == (1, 1)
    assert stored_axes([sequence(figure(0, 0)[..., :2])], plain, 2)[1] == (1, -1)
    assert stored_axes([sequence(np.zeros((3, 13, 2)))], plain, 2) == ((0, 1), (1, -1))


def test_joints_that_were_not_seen_are_marked_and_names_cannot_end_the_script() -> None:
    joints = figure(0, 0, frames=6)
    joints[2, 4] = 0
    page = clip_view_page(EVIL, LAYOUT, [ViewedClip(sequence(joints, EVIL), EVIL, "test", 25.0)], 3)
    assert EVIL not in page and page.count("<script") == 3
    data = page_data(page)
    (clip,) = data["clips"]
    assert (clip["id"], clip["label"], clip["fps"], clip["frames"]) == (EVIL, EVIL, 25, 6)
    seen = np.frombuffer(base64.b64decode(clip["seen"]["bytes"]), np.uint8).reshape(1, 6, 13)
    assert np.argwhere(seen == 0).tolist() == [[0, 2, 4]]
    packed = clip["joints"]
    stored = np.frombuffer(base64.b64decode(packed["bytes"]), "<i2") * packed["scale"]
    drawn = stored.reshape(1, 6, 13, 3)
    expected = joints[None] - joints[seen[0] == 1].mean(axis=0)
    np.testing.assert_allclose(drawn[seen == 1], expected[seen == 1], atol=1e-3)
    assert data["layout"]["sides"][2:8] == [1, 1, 1, 2, 2, 2]


@pytest.mark.slow
def test_the_page_plays_in_a_browser(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"needs a browser: none of {', '.join(names)} is installed")
    both = np.stack([figure(0, 0), np.zeros((24, 13, 3))])
    both[1, 5:] = figure(1, 1)[5:] + 1
    clips = [ViewedClip(sequence(figure(n, 0), f"c{n}"), f"class {n}") for n in range(3)]
    clips.append(ViewedClip(sequence(both, "pair"), "class 0", "training", 10.0))
    path = tmp_path / "view.html"
    path.write_text(clip_view_page("clips", LAYOUT, clips, 3, "Four."), encoding="utf-8")
    problems: list[str] = []
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = started.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]")
        assert page.locator(".picks button").count() == 4
        page.locator("canvas").focus()
        page.keyboard.press("End")
        assert page.inner_text("#view-at") == "24 of 24"
        page.select_option("#view-class", label="class 0")
        assert page.locator(".picks button").count() == 2
        page.locator(".picks button").nth(1).click()
        assert "training set" in page.inner_text("#clips") and "2 bodies" in page.inner_text(
            "#clips"
        )
        page.locator("#view-frame").fill("20")
        assert page.inner_text("#view-at") == "21 of 24, 2.00 s"
        page.check("#view-names")
        page.click("#view-play")
        api.expect(page.locator("#view-play")).to_have_text("❚❚ Pause")
        api.expect(page.locator("#view-at")).not_to_have_text("21 of 24, 2.00 s", timeout=60_000)
        started.close()
    assert problems == []
