"""What the page shows of a recording: skeletons, timeline, reasons, remarks and failures."""

from __future__ import annotations

from typing import Any

import pytest

from .double import Double, answer, model
from .visit import PageVisit


def test_a_file_ends_in_its_actions_and_nobody_else_is_asked(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        assert double.asked == [{"keypoints": "true", "top_k": "5", "file": "two people.json"}]
        assert visit.labels() == [
            "lift_left, 88%, 0:00.67 to 0:02.67", "kick, 88%, 0:03.33 to 0:05.33",
            "lift_right, 88%, 0:01.33 to 0:03.33", "unknown, 42%, 0:04.00 to 0:05.00",
        ]  # fmt: skip
        rows = page.locator(".row")
        assert [rows.nth(n).get_attribute("aria-label") for n in range(2)] == [
            "Person 1, 2 actions", "Person 2, 2 actions",
        ]  # fmt: skip
        assert (
            page.locator(".scores")
            .first.get_attribute("aria-label", timeout=1000)
            .startswith("Probabilities over time of person 1: lift_left up to 9")
        )
        assert page.inner_text(".answer h2") == "lift_left" and page.inner_text(".figure") == "88%"
        assert "l palm" in page.inner_text(".joints") and "agents chose" in page.inner_text(".why")
        assert "Against the runner-up" in page.inner_text(".why")
        assert "The left hand rises" in page.inner_text(".sentences")
        visit.spoken("4 actions of 2 persons: lift_left at 0:00.67")


def test_every_request_was_to_this_server(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        assert len(visit.requests) > 10 and visit.elsewhere() == []
        policy = visit.context.request.get(double.address).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "http" not in policy


def test_the_skeletons_move_turn_and_are_scrubbed(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address, reduced_motion="no-preference") as visit:
        visit.shown()
        page = visit.page
        first = visit.picture()
        page.locator("#play").click()
        visit.until(lambda: int(page.locator("#scrubber").input_value()) > 24)
        page.locator("#play").click()
        assert visit.picture() != first
        visit.seek(50)
        still = visit.picture()
        canvas = page.locator(".stage canvas")
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 260, box["y"] + 120)
        page.mouse.up()
        turned = visit.picture()
        assert turned != still
        canvas.focus()
        page.keyboard.press("d")
        assert visit.picture() != turned
        page.locator("#speed").select_option("0.25")
        assert "Window around 0:01.67" in page.inner_text(
            ".now"
        ) and "lift_left 9" in page.inner_text(".now")


def test_the_selection_follows_the_playhead(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        visit.seek(130)
        assert page.inner_text(".answer h2") == "kick"  # of the person who was selected
        assert page.locator(".action[aria-pressed=true]").get_attribute("title").startswith("kick")
        page.locator(".list button", has_text="unknown").click()
        assert page.inner_text(".answer h2") == "Unknown"
        assert "No action is probable enough: the best has 42%" in page.inner_text(".answer")
        assert page.locator("#scrubber").input_value() == "120"


def test_joints_are_marked_and_shown_on_their_own(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        before = visit.picture()
        visit.page.locator(".joint").first.focus()
        assert visit.picture() != before
        double.answer["segments"][0]["explanation"]["joints"] = []
        visit.shown()
        assert visit.page.locator(".theatre .legend").is_hidden()


def test_persons_differ_in_more_than_colour(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        styles = (
            "[...document.querySelectorAll('.badge')].map(b => getComputedStyle(b).borderStyle)"
        )
        assert visit.run(styles) == ["solid", "dashed"]
        assert visit.page.locator(".badge").all_inner_texts() == ["1", "2"]


def test_two_together_names_and_everybody(browser: Any, double: Double) -> None:
    first, second, third, fourth = answer()["segments"]
    first["person"], second["person"], third["person"] = "1+2", "all", "anna <b>"
    double.answer = answer(segments=[first, second, third, fourth])
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        rows = visit.page.locator(".row")
        names = [each.get_attribute("aria-label").split(",")[0] for each in rows.all()]
        assert names == ["Person 1", "Person 2", "Persons 1 and 2", "Everybody", "Anna <b>"]
        both = visit.picture()
        assert "persons 1 and 2" in visit.page.inner_text(".answer")
        visit.page.locator(".list button", has_text="unknown").click()
        assert visit.picture() != both


def test_remarks_are_shown_in_their_words(browser: Any, double: Double) -> None:
    evil = "<img src=x onerror=alert(1)> was not seen"
    double.answer = answer(warnings=["frames a second are unknown; 30 are taken", evil, evil])
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        remarks = visit.page.locator(".notices li")
        assert remarks.all_inner_texts() == ["frames a second are unknown; 30 are taken", evil]
        assert visit.page.locator(".save select").input_value() == "frames"


def test_names_stay_text_and_many_classes_fold(browser: Any, double: Double) -> None:
    names = ["<b>bold</b>", *(f"action {n}" for n in range(40))]
    double.model = model(class_names=names, warnings=["<i>old</i>"])
    with PageVisit(browser, double.address) as visit:
        visit.ready()
        page = visit.page
        assert "It knows 41 actions" in page.inner_text(".known")
        assert page.locator(".chips li").first.inner_text() == "<b>bold</b>"
        assert page.inner_text(".known summary") == "11 more"
        page.locator(".about summary").click()
        assert "figure-13, 13 joints" in page.inner_text(".about dl")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ((422, "the file has no keypoints"), "The file has no keypoints."),
        ((503, "the server is busy"), "The server is busy. Try again in 3 seconds."),
    ],
)
def test_failures_are_one_line_and_what_was_there_stays(
    browser: Any, double: Double, failure: tuple[int, str], words: str
) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        double.failure = failure
        visit.page.set_input_files("#file", {"name": "a.csv", "mimeType": "", "buffer": b"1"})
        visit.page.wait_for_selector(".notice.failed")
        assert visit.page.inner_text(".notice.failed p") == words
        assert visit.page.locator(".action").count() == 4
        visit.page.get_by_role("button", name="Dismiss").click()
        assert visit.page.locator(".notice").count() == 0
        visit.problems.clear()  # the browser itself writes of the status


def test_a_file_that_is_too_large_and_a_video_are_refused_here(
    browser: Any, double: Double
) -> None:
    double.model = model(
        limits={"max_upload": 0.001}, why_no_video="videos are not taken: av is missing"
    )
    with PageVisit(browser, double.address) as visit:
        visit.ready()
        page = visit.page
        assert "Videos are not taken: av is missing." in page.inner_text(".drop")
        assert page.locator("#camera").is_hidden()
        page.set_input_files("#file", {"name": "a.json", "mimeType": "", "buffer": b"1" * 2000})
        page.wait_for_selector(".notice.failed")
        assert "at most 0.001 MB" in page.inner_text(".notice.failed")
        page.set_input_files("#file", {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"1"})
        assert "Give it a file of keypoints" in page.inner_text(".notice.failed")
        assert double.asked == []


def test_options_go_with_the_file(browser: Any, double: Double) -> None:
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        page = visit.page
        page.locator(".options summary").click()
        assert "50%, as learned in training" in page.inner_text(".options")
        page.locator("#threshold").fill("0.8")
        page.locator("#whole").check()
        page.locator("#recording").fill(" second ")
        page.locator("#again").click()
        visit.until(lambda: len(double.asked) == 2)
        asked = double.asked[1]
        assert (asked["threshold"], asked["clips"], asked["recording"]) == ("0.8", "true", "second")
        page.wait_for_selector("body[data-state=shown]")


def test_nothing_found_is_said(browser: Any, double: Double) -> None:
    nobody = {"persons": [], "names": [], "bones": []}
    double.answer = answer(
        segments=[], timeline=[], keypoints=nobody, warnings=["nobody is seen in it"]
    )
    with PageVisit(browser, double.address) as visit:
        visit.shown()
        assert "No action was found" in visit.page.inner_text(".list")
        assert visit.page.locator(".notices li").all_inner_texts() == ["nobody is seen in it"]
        visit.spoken("No action was found.")


def test_the_token_is_asked_for_once(browser: Any, double: Double) -> None:
    double.token = "secret"
    with PageVisit(browser, double.address) as visit:
        page = visit.page
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog >> text=That was not it.")
        page.locator("#token").fill("secret")
        page.keyboard.press("Enter")
        visit.shown()
        page.reload()
        visit.ready()
        assert page.locator("dialog[open]").count() == 0
        assert "secret" not in page.content()
        visit.problems.clear()  # the browser itself writes of the status
