"""The page in a browser: drawn without an error or a request, for keyboard, phone and paper."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.dialogue import Dialogue
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_20
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.report.live import LivePage, live_server
from skeletonagent.report.page import report_page
from skeletonagent.report.sections import ReportOptions
from skeletonagent.training.callbacks import RunLogger
from skeletonagent.training.run_directory import RunDirectory

from .conftest import EVIL, RunMaker
from .test_record import AGENTS, SESSION, recorded

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


@pytest.fixture(scope="module")
def recorded_file(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a run whose record is whole, and one of whose classes is not guided."""
    folder = tmp_path_factory.mktemp("recorded")
    command = {"command": f"skeletonagent train '{EVIL}'"}
    path = recorded(runs, folder / "run", AGENTS, SESSION | command)
    page = report_page(ReportOptions((path,), clips=0))
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a run of forty classes with long names."""
    folder = tmp_path_factory.mktemp("many")
    run = RunDirectory(folder / "run")
    write_config(Config(), run.config)
    names = [f"right arm swipe to the left and back, number {label}" for label in range(40)]
    classes = tuple(ClassGuidance(name, (), name, (), Dialogue(name)) for name in names)
    RunLogger(run).on_guidance(None, Guidance(KINECT_20, classes))
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 40
    scores = rng.random((400, 40)) + np.eye(40)[labels]
    ClassProbabilities(tuple(f"clip{n}" for n in range(400)), labels, scores).save(run.predictions)
    page = report_page(ReportOptions((run.path,), clips=0))
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


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
        self.wait_for(lambda: self.run(script))

    def wait_for(self, happened: Callable[[], object]) -> None:
        for _ in range(300):
            if happened():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("never came true")


def test_the_page_is_drawn_without_an_error_or_a_request(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        assert all(url.startswith(("file:", "data:", "blob:")) for url in visit.requests)
        assert visit.run("document.querySelectorAll('main .missing').length") == 0
        drawn = visit.run(
            "[...document.querySelectorAll('section .body')].map(b => b.children.length)"
        )
        assert len(drawn) == 9 and min(drawn) > 0


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


def test_tables_are_sorted_by_their_heads(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        page = visit.page
        unsorted = "[...document.querySelectorAll('table thead th[scope=col]')].filter("
        unsorted += "th => !th.querySelector('button') || !th.getAttribute('aria-sort'))"
        assert visit.run(f"{unsorted}.length") == 0
        table = page.locator("#classes table").filter(has_text="precision")
        recall = table.locator("thead th").filter(has_text="recall").first
        heads = " ".join(table.locator("thead th").all_inner_texts())
        assert all(name in heads for name in ("support", "precision", "recall", "F1", "baseline"))
        shown = table.locator("tbody td:nth-child(4)")
        recall.locator("button").focus()
        page.keyboard.press("Enter")
        assert recall.get_attribute("aria-sort") == "descending"
        down = [float(text.rstrip("%")) for text in shown.all_inner_texts()]
        assert down == sorted(down, reverse=True)
        assert "sorted by recall, descending" in (page.locator("#spoken").text_content() or "")
        page.keyboard.press("Enter")
        assert recall.get_attribute("aria-sort") == "ascending"
        up = [float(text.rstrip("%")) for text in shown.all_inner_texts()]
        assert up == sorted(down)
        assert table.locator("tfoot tr").count() == 2
        others = table.locator("thead th[aria-sort=none]").count()
        assert others == table.locator("thead th").count() - 1


def test_axes_have_names_and_lines_differ_without_colour(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        named = visit.run(
            """[...document.querySelectorAll('.plot[data-draws=svg] svg')]
            .map(s => [...s.querySelectorAll('text.axis')].map(t => t.textContent))"""
        )
        assert all(named) and ["loss", "epoch"] in named
        assert ["top-1 accuracy (%)"] in named and ["top-1 accuracy (%)", "epoch"] in named
        looks = visit.run(
            """[...document.querySelectorAll('#curves svg')].map(s =>
            [...s.querySelectorAll('path.main')].map(p => p.getAttribute('stroke-dasharray')))"""
        )
        assert len(looks[0]) == 5 and all(len(set(line)) == len(line) for line in looks)


def test_seeds_are_told_apart(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        chart = visit.page.locator("#curves figure").nth(1)
        assert chart.locator("path.band").count() == 2  # training and validation
        assert chart.locator("path.thin").count() == 4
        ends = chart.locator("text.end").all_text_contents()
        assert {"seed 0", "seed 1", "training clips", "validation clips"} <= set(ends)
        places = visit.run(
            """[...document.querySelectorAll('#curves figure')][1].querySelectorAll('text.end')
            .values().map(t => Number(t.getAttribute('y'))).toArray().sort((a, b) => a - b)"""
        )
        assert all(b - a >= 12.9 for a, b in itertools.pairwise(places))
        chart.locator("svg[role=img]").focus()
        visit.page.keyboard.press("End")
        spoken = visit.page.locator("#spoken").text_content() or ""
        assert "training clips, seed 1" in spoken and " to " in spoken


def test_rings_are_on_the_joints_that_the_agents_chose(browser: Any, file: Path) -> None:
    with Visit(browser, file.as_uri()) as visit:
        page = visit.page
        page.locator("#agents-round-1").click()
        entry = page.locator("#agents-entries article").filter(has_text=EVIL).first
        chosen = entry.locator(".chips li:not(.removed)").count()
        assert entry.locator("g:has(.ring)").count() == chosen > 0
        # In the player a picture without them is another one.
        page.locator("#player-class").select_option("0")
        page.locator("#player-importance").select_option("label")
        picture = "document.querySelector('#player canvas').toDataURL()"
        ringed = visit.run(picture)
        page.locator("#player-importance").select_option("none")
        assert visit.run(picture) != ringed
        assert "chosen by the agents" in page.locator("#player .legend").first.inner_text()


def test_the_matrix_can_be_read_on_a_phone(browser: Any, many: Path) -> None:
    with Visit(browser, many.as_uri(), viewport={"width": 390, "height": 800}) as visit:
        page = visit.page
        assert page.locator("#matrix-shown").input_value() == "8"
        widths = "[document.querySelector('#matrix canvas').clientWidth,"
        widths += " document.querySelector('#matrix .pan').clientWidth]"
        canvas, room = visit.run(widths)
        assert canvas <= room  # eight classes fit
        page.locator("#matrix-shown").select_option("40")
        canvas, room = visit.run(widths)
        assert canvas >= 40 * 15 > room  # all of them move under their names
        assert visit.run("document.documentElement.scrollWidth") <= 390
        page.locator("#matrix canvas").focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        before = visit.run("document.querySelector('#matrix .pan').scrollLeft")
        for _ in range(39):
            page.keyboard.press("ArrowRight")
        after = visit.run("document.querySelector('#matrix .pan').scrollLeft")
        assert after > before + 200  # the chosen cell is kept in view


def test_paper_has_everything_and_no_controls(browser: Any, file: Path, tmp_path: Path) -> None:
    with Visit(browser, file.as_uri(), color_scheme="dark") as visit:
        page = visit.page
        page.locator("#agents-round-1").click()
        assert visit.run("document.querySelectorAll('details:not([open])').length") > 0
        visit.run(
            """window.printed = null; addEventListener('beforeprint', () => { window.printed = {
            folded: document.querySelectorAll('details:not([open])').length,
            dark: document.documentElement.classList.contains('dark') }; })"""
        )
        pdf = page.pdf(format="A4")
        assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") >= 4
        assert visit.run("window.printed") == {"folded": 0, "dark": False}
        assert visit.run("document.documentElement.classList.contains('dark')")
        assert visit.run("document.querySelectorAll('details:not([open])').length") > 0
        page.emulate_media(media="print")
        shown = visit.run(
            """[...document.querySelectorAll('nav, button, select, input')]
            .filter(e => e.offsetParent && !e.closest('th, .picks, .pairs, .rounds'))
            .map(e => e.outerHTML.slice(0, 60))"""
        )
        assert shown == []
        cut = visit.run(
            """[...document.querySelectorAll('.scroll, .plot, .picks')]
            .filter(e => e.offsetParent && getComputedStyle(e).overflowY !== 'visible').length"""
        )
        assert cut == 0


def test_the_record_is_shown_and_its_settings_unfold(browser: Any, recorded_file: Path) -> None:
    with Visit(browser, recorded_file.as_uri()) as visit:
        page = visit.page
        record = page.locator("#record")
        assert EVIL in record.locator("pre").first.inner_text()
        words = record.inner_text()
        for part in ("0123456789 with changes", "a CPU", "2 of 3", "$0.50", "1,200 + 34"):
            assert part in words
        failed = record.locator(".failed").first
        colour = failed.evaluate("e => getComputedStyle(e).color")
        assert colour == "rgb(179, 38, 30)" and "2 of 3" in failed.inner_text()
        alert = page.locator(".alert.failed")
        assert alert.count() == 1 and "WITHOUT GUIDANCE" in alert.inner_text()
        rows = record.locator("table").last.locator("tbody tr")
        differing = rows.count()
        page.locator("#record-settings").check()
        assert record.locator("table").last.locator("tbody tr").count() > 50 > differing > 0
        assert record.locator("table").last.locator("strong").count() > 0


def test_a_live_page_follows_the_run_and_keeps_the_place(
    browser: Any, make_run: RunMaker, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", finished=False, epochs=3)
    options = ReportOptions((run,), live=True)
    page = LivePage(lambda: [run], lambda _, version: report_page(options, version))
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
            visit.page.get_by_text("4 of 4").first.wait_for()
            visit.page.wait_for_selector("html[data-drawn]")
            visit.wait_until(f"Math.abs(scrollY - {top}) < 3")
            assert visit.page.locator("#topologies-block").input_value() == "2"
            # A file that is half-written changes nothing, and costs no reload.
            visit.run("window.kept = true")
            whole = (run / "metrics.jsonl").read_text()
            (run / "metrics.jsonl").write_text(whole[:-40])
            asked = len(visit.requests)
            visit.wait_for(lambda: len(visit.requests) >= asked + 2)
            assert visit.run("window.kept") and visit.page.get_by_text("4 of 4").count()
            longer = json.dumps({**json.loads(lines[-1]), "epoch": 4})
            (run / "metrics.jsonl").write_text(f"{whole}{longer}\n")
            visit.page.get_by_text("5 of 4").first.wait_for()
            assert all(url.startswith(("http://127.0.0.1", "data:")) for url in visit.requests)
        server.shutdown()
