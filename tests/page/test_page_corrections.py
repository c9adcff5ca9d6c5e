"""Corrections of labels, and the files that are taken home: Python reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.importing.figures import NAMES

import skeletonagent as sa
from skeletonagent.data.importing.segments import read_label_table

from .double import FRAMES, Double, answer, body
from .visit import PageVisit


def edited(visit: PageVisit) -> Any:
    """Return the fields of the form."""
    return visit.page.locator(".editor")


def test_label_and_borders_are_corrected_undone_and_done_again(
    browser: Any, double: Double
) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        field = page.locator(".editor input[name=label]")
        field.fill("wave  to\tsomebody")
        field.press("Enter")
        assert visit.labels()[0] == "wave to somebody, by you, 0:00.67 to 0:02.67"
        visit.spoken("now wave to somebody")
        page.locator(".editor input[name=start]").fill("1.0")
        page.locator(".editor input[name=end]").fill("0.5")  # before the start: one frame is left
        page.locator(".editor input[name=end]").press("Tab")
        assert visit.labels()[0] == "wave to somebody, by you, 0:01.00 to 0:01.03"
        assert "corrected by you" in page.inner_text(".answer")
        for _ in range(3):
            page.get_by_role("button", name="Undo", exact=True).click()
        assert visit.labels()[0] == "lift_left, 88%, 0:00.67 to 0:02.67"
        assert page.get_by_role("button", name="Undo", exact=True).is_disabled()
        page.keyboard.press("Control+Shift+z")
        assert visit.labels()[0].startswith("wave to somebody")


def test_an_action_is_split_deleted_and_added(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page, form = visit.page, edited(visit)
        visit.seek(50)
        form.get_by_role("button", name="Split").click()
        assert [one.split(", ", 2)[2] for one in visit.labels()[:2]] == [
            "0:00.67 to 0:01.67", "0:01.67 to 0:02.67",
        ]  # fmt: skip
        form.get_by_role("button", name="Delete").click()
        assert len(visit.labels()) == 4 and page.locator(".list tbody tr").count() == 4
        visit.seek(170)
        form.get_by_role("button", name="Add").click()
        assert visit.run("document.activeElement.name") == "label"
        page.keyboard.insert_text("sit down")
        page.keyboard.press("Enter")
        added = next(one for one in visit.labels() if one.startswith("sit down"))
        assert added == "sit down, by you, 0:05.67 to 0:06.00"
        assert "added by you" in page.inner_text(".answer")


def test_borders_are_dragged(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address, viewport={"width": 1440, "height": 1600}) as visit:
        visit.shown()
        page = visit.page
        sheet = page.locator(".sheet").bounding_box()
        handle = page.locator(".handle.end").bounding_box()
        page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
        page.mouse.down()
        page.mouse.move(sheet["x"] + sheet["width"] * 90 / FRAMES, handle["y"] + 5, steps=4)
        page.mouse.up()
        assert visit.labels()[0] == "lift_left, 88%, 0:00.67 to 0:03.00"
        page.mouse.click(sheet["x"] + sheet["width"] * 140 / FRAMES, sheet["y"] + 10)
        assert abs(int(page.locator("#scrubber").input_value()) - 140) <= 1


@pytest.mark.parametrize("unit", ["seconds", "frames"])
def test_the_table_is_read_by_data_import(
    browser: Any, double: Double, tmp_path: Path, unit: str
) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown({"name": 'two, "people".json', "mimeType": "", "buffer": b"{}"})
        field = visit.page.locator(".editor input[name=label]")
        field.fill('wave; "both", or =one')
        field.press("Enter")
        visit.page.locator(".save select").select_option(unit)
        assert "1 unknown action without a label is left out" in visit.page.inner_text(".save")
        path = visit.download("Labels (CSV)", tmp_path)
    rows = read_label_table(path)
    assert [(row.file, row.label, row.unit) for row in rows] == [
        ('two, "people".json', label, unit)
        for label in ('wave; "both", or =one', "lift_right", "kick")
    ]
    rate = 30.0 if unit == "seconds" else 1.0
    found = [(round((row.start or 0) * rate), round((row.end or 0) * rate)) for row in rows]
    assert found == [(20, 80), (40, 100), (100, 160)]


def test_keypoints_and_labels_become_an_archive(
    browser: Any, double: Double, tmp_path: Path
) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        labels = visit.download("Labels (CSV)", tmp_path)
        keypoints = visit.download("Keypoints (JSON)", tmp_path)
        prediction = visit.download("Answer (JSON)", tmp_path)
    assert (labels.name, keypoints.name) == ("two people.labels.csv", "two people.json")
    assert json.loads(prediction.read_text())["schema"] == "skeletonagent.prediction/1"
    (recording,) = sa.read_keypoints(keypoints)
    assert recording.fps == 30 and recording.joint_names == NAMES
    assert recording.person_ids == ("1", "2")
    expected = np.stack([body("1"), body("2")]).round(4)
    np.testing.assert_allclose(recording.joints, expected, atol=1e-6)


def test_absent_joints_stay_absent(browser: Any, double: Double, tmp_path: Path) -> None:
    first, second = answer()["keypoints"]["persons"]
    first["frames"][3][4] = None
    second["frames"] = second["frames"][10:50]
    second["first_frame"] = 10
    double.answer = answer()
    double.answer["keypoints"]["persons"] = [first, second]
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        keypoints = visit.download("Keypoints (JSON)", tmp_path)
    (recording,) = sa.read_keypoints(keypoints)
    absent = np.isnan(recording.joints).all(axis=-1)
    assert np.argwhere(absent[0]).tolist() == [[3, 4]]
    assert absent[1].all(axis=-1).nonzero()[0].tolist() == [*range(10), *range(50, FRAMES)]
