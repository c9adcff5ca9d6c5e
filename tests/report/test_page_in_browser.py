"""The page in a browser: drawn without an error or a request, for keyboard, phone and paper."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from skeletonagent.report.live import LivePage, live_server
from skeletonagent.report.page import report_page
from skeletonagent.report.sections import ReportOptions

from .conftest import EVIL, RunMaker

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    paths = tuple(runs / name for name in ("guided", "again", "unguided"))
    path.write_text(report_page(ReportOptions(paths, clips=6)), encoding="utf-8")
    return path


class Visit:
    """A page that was opened, and what went wrong on it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("html[data-drawn]")

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.problems == []

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    def wait_until(self, script: str) -> None:
        """Wait for something to be true; the page forbids the polling of Playwright's own."""
        for _ in range(200):
            if self.run(script):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never came true: {script}")


def test_the_page_is_drawn_without_an_error_or_a_request(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        assert all(url.startswith(("file:", "data:", "blob:")) for url in visit.requests)
        assert visit.run("document.querySelectorAll('main .missing').length") == 0
        drawn = visit.run(
            "[...document.querySelectorAll('section .body')].map(b => b.children.length)"
        )
        assert len(drawn) == 8 and min(drawn) > 0


def test_names_and_answers_stay_text(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        page = visit.page
        assert (
            page.locator("b:has-text('wave')").count()
            == page.locator(".bars b").filter(has_text="wave").count()
        )
        assert visit.run("document.querySelectorAll('script').length") == 3
        page.locator("#agents-round-1").click()
        assert EVIL in page.locator("#agents-entries h3").first.inner_text()
        page.locator("#agents-entries summary:has-text('earlier')").first.click()
        assert page.locator("#agents-entries .quote").filter(has_text=EVIL).count() > 0


def test_the_player_plays_steps_and_filters(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        page = visit.page
        frame = page.locator("#player-frame")
        page.locator("#player-play").click()
        visit.wait_until("Number(document.getElementById('player-frame').value) > 0")
        page.locator("#player-play").click()
        canvas = page.locator("#player canvas").first
        canvas.focus()
        page.keyboard.press("Home")
        assert frame.input_value() == "0"
        page.keyboard.press("ArrowRight")
        assert frame.input_value() == "1"
        before = visit.run("document.querySelector('#player canvas').toDataURL()")
        page.keyboard.press("d")
        assert visit.run("document.querySelector('#player canvas').toDataURL()") != before
        shown = page.locator("#player .picks button")
        assert shown.count() == 6
        page.locator("#player-wrong").check()
        mistakes = shown.count()
        assert 0 < mistakes < 6 and page.locator("#player .picks .rejected").count() == mistakes
        page.locator("#player-class").select_option("1")
        assert all("clap" in text for text in shown.all_inner_texts())


def test_the_matrix_is_sorted_and_read_by_keyboard(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        page = visit.page
        pictures = set()
        for order in ("label", "name", "accuracy", "mistakes", "together"):
            page.locator("#matrix-order").select_option(order)
            pictures.add(visit.run("document.querySelector('#matrix canvas').toDataURL()"))
        assert len(pictures) > 1
        page.locator("#matrix-order").select_option("label")
        page.locator("#matrix canvas").focus()
        for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowDown"):
            page.keyboard.press(key)
        told = page.locator("#matrix-detail").inner_text()
        assert told.startswith('clap & "shout"') and f"mistaken for {EVIL}" in told
        assert page.locator("#spoken").text_content()


def test_figures_are_saved(browser: Any, file: Path, tmp_path: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        kinds = {
            "#curves": ("SVG", b"<svg"),
            "#matrix": ("PNG", b"\x89PNG"),
            "#classes": ("CSV", b"\xef"),
        }
        for section, (button, start) in kinds.items():
            with visit.page.expect_download() as waiting:
                visit.page.locator(f"{section} .saves button", has_text=button).first.click()
            waiting.value.save_as(tmp_path / "saved")
            content = (tmp_path / "saved").read_bytes()
            assert content.startswith(start)
        text = content.decode("utf-8-sig")
        assert "'=HYPERLINK(1)" in text and '"clap & ""shout""' in text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_and_the_button_between_them(browser: Any, file: Path, theme: str) -> None:
    with Visit(browser, file.as_uri(), color_scheme=theme) as visit:
        paper = "getComputedStyle(document.body).backgroundColor"
        matrix = "document.querySelector('#matrix canvas').toDataURL()"
        light = sum(map(int, visit.run(paper)[4:-1].split(","))) > 380
        assert light == (theme == "light")
        before = visit.run(matrix)
        visit.page.locator("#theme").click()
        assert (sum(map(int, visit.run(paper)[4:-1].split(","))) > 380) != light
        assert visit.run(matrix) != before


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_scrolls_in_one_direction_only(browser: Any, file: Path, width: int) -> None:
    with Visit(browser, file.as_uri(), viewport={"width": width, "height": 800}) as visit:
        assert visit.run("document.documentElement.scrollWidth") <= width


def test_everything_is_reached_and_named_without_a_pointer(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        unnamed = visit.run(
            """[...document.querySelectorAll('button, select, input, canvas[tabindex], svg[role]')]
            .filter(e => !e.getAttribute('aria-label') && !e.labels?.length)
            .filter(e => !e.textContent.trim())
            .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert unnamed == []
        seen = set()
        for _ in range(60):
            visit.page.keyboard.press("Tab")
            seen.add(visit.run("document.activeElement.closest('section, nav, header')?.id ?? ''"))
        assert {"accuracy", "curves", "classes", "matrix"} <= seen
        outline = visit.run("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_a_live_page_follows_the_run_and_keeps_the_place(
    browser: Any, make_run: RunMaker, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", finished=False, epochs=3)
    page = LivePage(lambda version: report_page(ReportOptions((run,), live=True), version), [run])
    with live_server(page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with Visit(browser, f"http://127.0.0.1:{server.server_address[1]}/") as visit:
            visit.run("scrollTo({top: 700, behavior: 'instant'})")
            visit.page.locator("#topologies-block").select_option("2", force=True)
            top = visit.run("scrollY")
            lines = (run / "metrics.jsonl").read_text().splitlines()
            lines.append(json.dumps({**json.loads(lines[-1]), "epoch": 3}))
            written = run / "metrics.tmp"
            written.write_text("\n".join(lines) + "\n")
            os.replace(written, run / "metrics.jsonl")
            visit.page.get_by_text("4 of 4").wait_for()
            visit.page.wait_for_selector("html[data-drawn]")
            visit.wait_until(f"Math.abs(scrollY - {top}) < 3")
            assert visit.page.locator("#topologies-block").input_value() == "2"
            assert all(url.startswith(("http://127.0.0.1", "data:")) for url in visit.requests)
        server.shutdown()
