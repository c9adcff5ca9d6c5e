"""The page by keyboard, by ear, on a phone, in both themes, at rest, and checked by axe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from .double import Double, answer, model
from .visit import PageVisit

WIDE, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
PAPER = "getComputedStyle(document.body).backgroundColor"
FOCUSED = "document.activeElement.id || document.activeElement.name || document.activeElement.title"


def is_light(visit: PageVisit) -> bool:
    return sum(map(int, visit.run(PAPER)[4:-1].split(","))) > 380


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_and_the_switch_between_them(browser: Any, double: Double, theme: str) -> None:
    with PageVisit(browser, double.address, color_scheme=theme) as visit:
        visit.shown()
        assert is_light(visit) == (theme == "light")
        before = visit.picture()
        visit.page.locator("#theme").click()
        assert is_light(visit) != (theme == "light") and visit.picture() != before
        visit.page.reload()
        visit.ready()
        assert is_light(visit) != (theme == "light")  # what was chosen is kept


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_every_width_scrolls_in_one_direction_only(
    browser: Any, double: Double, width: int
) -> None:
    wider = "document.documentElement.scrollWidth"
    with PageVisit(browser, double.address, viewport={"width": width, "height": 800}) as visit:
        visit.ready()
        assert visit.run(wider) <= width
        visit.shown()
        assert visit.run(wider) <= width
        cut = visit.run(
            """[...document.querySelectorAll('button, input, select, p, h1, h2, td')]
            .filter(e => e.checkVisibility() && !e.closest('.timeline, .unseen'))
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert cut == []


def test_fingers_have_room(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address, viewport=PHONE, has_touch=True) as visit:
        visit.shown()
        small = visit.run(
            """[...document.querySelectorAll('button, select, summary, input, label.inline')]
            .filter(e => e.checkVisibility() && !e.matches('.unseen, [type=checkbox]'))
            .filter(e => Math.min(e.offsetHeight, e.offsetWidth) < 24)
            .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert small == []


def test_everything_works_without_a_pointer(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address, viewport=WIDE) as visit:
        visit.ready()
        page = visit.page
        with page.expect_file_chooser() as chooser:
            for _ in range(8):
                page.keyboard.press("Tab")
                if visit.run(FOCUSED) == "choose":
                    break
            page.keyboard.press("Enter")
        chooser.value.set_files({"name": "a.json", "mimeType": "", "buffer": b"{}"})
        page.wait_for_selector("body[data-state=shown]")
        page.locator(".stage canvas").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Space")
        page.keyboard.press("End")
        assert page.locator("#scrubber").input_value() == "179"
        for key, frame in (("ArrowLeft", 178), ("Shift+ArrowLeft", 148), ("Home", 0)):
            page.keyboard.press(key)
            assert page.locator("#scrubber").input_value() == str(frame)
        for frame in (20, 40):
            page.keyboard.press("ArrowDown")
            assert page.locator("#scrubber").input_value() == str(frame)
        visit.spoken("lift_right, person 2")
        for _ in range(15):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("[")
        assert "lift_right, 88%, 0:01.83 to 0:03.33" in visit.labels()
        page.keyboard.press("l")
        page.keyboard.insert_text("wave")
        page.keyboard.press("Enter")
        assert "wave, by you, 0:01.83 to 0:03.33" in visit.labels()
        page.locator(".action[aria-pressed=true]").focus()
        page.keyboard.press("Delete")
        assert not any(one.startswith("wave") for one in visit.labels())
        page.keyboard.press("Control+z")
        assert any(one.startswith("wave") for one in visit.labels())


def test_actions_of_a_row_are_one_stop_and_arrows_go_between_them(
    browser: Any, double: Double
) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        row = page.locator(".row").first
        assert row.locator(".action[tabindex='0']").count() == 1
        row.locator(".action").first.focus()
        page.keyboard.press("ArrowRight")
        assert visit.run("document.activeElement.title").startswith("kick")
        assert page.inner_text(".answer h2") == "kick"


def test_single_letters_can_be_switched_off(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        page.locator("#letters").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        page.keyboard.press("?")
        assert len(visit.labels()) == 4 and page.locator("dialog[open]").count() == 0


def test_everything_has_a_name(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        unnamed = visit.run(
            """[...document.querySelectorAll('button, select, input, canvas, svg[role]')]
            .filter(e => !e.getAttribute('aria-label') && !e.labels?.length)
            .filter(e => !e.textContent.trim() && !e.hasAttribute('aria-hidden'))
            .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert unnamed == []
        scrubber = visit.page.locator("#scrubber")
        visit.seek(90)
        assert scrubber.get_attribute("aria-valuetext") == "0:03.00 of 0:06.00"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_by_itself_for_those_who_do_not_want_it(
    browser: Any, double: Double, motion: str
) -> None:
    moving = "document.getAnimations().length"
    with PageVisit(browser, double.address, reduced_motion=motion) as visit:
        visit.ready()
        assert (visit.run(moving) > 0) == (motion == "no-preference")
        visit.shown()
        assert visit.page.locator("#scrubber").input_value() == "20"  # it waits to be played


VIEWS: Mapping[str, Mapping[str, Any]] = {
    "wide light": {"viewport": WIDE, "color_scheme": "light"},
    "wide dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone light": {"viewport": PHONE, "color_scheme": "light"},
    "phone dark": {"viewport": PHONE, "color_scheme": "dark"},
}


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_serious_fault(browser: Any, double: Double, view: str) -> None:
    double.model = model(warnings=["It was trained by an earlier version."])
    double.answer = answer(warnings=["joints are missing"])
    found = {}
    with PageVisit(browser, double.address, **VIEWS[view]) as visit:
        visit.ready()
        found["empty"] = Axe().run(visit.page).response
        visit.shown()
        visit.page.locator(".options summary").click()
        visit.page.get_by_role("button", name="Show less of the time").click()
        found["shown"] = Axe().run(visit.page).response
        visit.page.locator(".list button", has_text="unknown").click()
        visit.page.locator("#theme").focus()
        visit.page.keyboard.press("?")
        found["keys"] = Axe().run(visit.page).response
    faults = {
        (state, one["id"], node["html"][:120], node["failureSummary"][:200])
        for state, response in found.items()
        for one in response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }
    assert faults == set()
    assert all(len(response["passes"]) > 10 for response in found.values())
