from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from skeletonagent.agents import prompts
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Step
from skeletonagent.core.layout import COCO_17
from skeletonagent.report.dialogue_page import (
    ClassDialogue,
    Salience,
    describe_provenance,
    dialogue_page,
    named_joints,
)

SOURCE = Provenance(
    "openai:gpt-4o", {}, "2026-01-02T03:04:05Z", 1.25, 1200, 34, 2, ("timeout",)
)  # fmt: skip


def said(step: Step, answer: str, round_number: int = 0, **facts: object) -> Exchange:
    rivals, counts = (("<clap>", "drink"), (9, 3)) if round_number else ((), ())
    question = prompts.question(
        step, "wave & <go>", COCO_17, rivals, counts=counts, round_number=round_number
    )
    return Exchange(question, answer, **facts)  # type: ignore[arg-type]


FAILED = said(Step.DISTINGUISH, "No & <no>", 2, outcome=Outcome.REJECTED, problem="no form")
TOLD = ClassDialogue(
    COCO_17,
    3,
    27,
    Dialogue(
        "wave & <go>",
        (
            said(Step.OVERVIEW, "A hand <b>moves</b>.", source=SOURCE),
            said(Step.CRITICAL_JOINTS, "10, 11"),
            said(
                Step.DISTINGUISH,
                "Joints: 10-left wrist\nDifference: It is higher.",
                2,
                outcome=Outcome.REPAIRED,
                problem="the order",
                earlier=(FAILED,),
                remarks=("the nose does nothing",),
            ),
            said(Step.DISTINGUISH, "", 3, outcome=Outcome.UNANSWERED, problem="offline"),
        ),
    ),
    (
        Salience(0, (9, 10), "It waves."),
        Salience(2, (9,), "It is higher.", ("a note",)),
        Salience(4, (), "Lost."),
    ),
)


class Reader(HTMLParser):
    """Reads a page as a browser would, and minds that every element is closed."""

    VOID = ("meta", "path", "circle", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.salient: list[int] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "svg":
            self.salient.append(0)
        if ("class", "salient") in attributes:
            self.salient[-1] += 1
        self.links += [str(value) for name, value in attributes if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return dialogue_page(TOLD)


def test_the_page_tells_everything_as_it_was_said(page: str) -> None:
    reader = Reader(page)
    assert not reader.open
    words = " ".join(" ".join(reader.text).split())
    for text in (
        "wave & <go>", "Class 3 of 27 · 17 joints", "A hand <b>moves</b>.", "No & <no>", "no form",
        "1 earlier attempt", "the nose does nothing", "offline", "No answer.", "a note",
        "mistaken for <clap> (9×), drink (3×)", "Before training", "Round 2", "Round 3", "Round 4",
        describe_provenance(SOURCE), "Lost.", "All joints count.",
        *(exchange.question.text.split("\n")[0] for exchange in TOLD.dialogue.exchanges),
    ):  # fmt: skip
        assert text in words, text
    assert [words.count(outcome.value) for outcome in Outcome] == [2, 0, 1, 1, 1]


def test_a_figure_for_whatever_names_joints(page: str) -> None:
    assert Reader(page).salient == [0, 2, 2, 1, 1]


def test_the_page_needs_nothing_else(page: str) -> None:
    assert Reader(page).links == []
    addresses = set(re.findall(r"(?:https?:)?//[^\s\"'<>]+|url\(|@import|<script", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    for media in ("prefers-color-scheme: dark", "@media print", "max-width: 40rem", "viewport"):
        assert media in page
    assert ":focus-visible" in page and 'lang="en"' in page


def test_a_class_of_which_nothing_was_said() -> None:
    reader = Reader(dialogue_page(ClassDialogue(COCO_17, 1, 2, Dialogue("sit"), ())))
    assert "There is no dialogue about this class." in "".join(reader.text)
    assert reader.salient == [0]


@pytest.mark.parametrize(
    ("step", "answer", "joints"),
    [
        (Step.OVERVIEW, "It moves.", ()),
        (Step.CRITICAL_JOINTS, "1, 10", (0, 9)),
        (Step.CRITICAL_JOINTS, "1, 99", ()),
        (Step.JOINT_DETAILS, "1-nose: a.\n10-left wrist: b.", (0, 9)),
        (Step.DISTINGUISH, "Joints: 10-left wrist\nDifference: It is.", (9,)),
        (Step.DISTINGUISH, "the wrist", ()),
    ],
)
def test_joints_are_those_the_selector_would_read(
    step: Step, answer: str, joints: tuple[int, ...]
) -> None:
    assert named_joints(said(step, answer), COCO_17) == joints
    assert named_joints(said(step, answer, outcome=Outcome.REJECTED), COCO_17) == ()


def test_sources_in_words() -> None:
    told = "openai:gpt-4o · 1,200 + 34 tokens · 1.2 s · 2 requests · failed before: timeout · "
    assert describe_provenance(SOURCE) == f"{told}2026-01-02 03:04 UTC"
    assert describe_provenance(Provenance("analyst")) == "analyst"
    assert describe_provenance(None) == ""


def test_rounds_are_in_order_and_name_the_rivals_with_counts_where_known() -> None:
    rounds = TOLD.rounds
    assert [happened.number for happened in rounds] == [0, 2, 3, 4]
    assert [len(happened.exchanges) for happened in rounds] == [2, 1, 1, 0]
    assert [happened.salience for happened in rounds] == [
        *TOLD.salience[:2],
        None,
        TOLD.salience[2],
    ]
    assert [happened.rivals for happened in rounds][:2] == ["", "<clap> (9×), drink (3×)"]
    question = prompts.question(Step.DISTINGUISH, "a", COCO_17, ("b", "c"), round_number=1)
    bare = ClassDialogue(COCO_17, 1, 1, Dialogue("a", (Exchange(question, ""),)), ())
    assert bare.rounds[0].rivals == "b, c"
