from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.core.dialogue import AnswerContent, Exchange, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import COCO_20, KINECT_25, LAYOUTS, SkeletonLayout


def said(step: Step, answer: str, layout: SkeletonLayout = KINECT_25) -> Exchange:
    return Exchange(prompts.question(step, "wave", layout, ("clap",)), answer)


LABELS = "8-left hand, 12-right hand"
SENTENCE = "The hand swings above the head."
NINE = ", ".join(KINECT_25.label(v) for v in range(9))


@given(data=st.data(), layout=st.sampled_from(list(LAYOUTS.values())))
def test_a_rendered_distinction_is_read_back(data: st.DataObject, layout: SkeletonLayout) -> None:
    joint = st.integers(0, layout.num_joints - 1)
    joints = sorted(data.draw(st.sets(joint, min_size=1, max_size=8)))
    gap = data.draw(st.sampled_from([", ", ",", " ,  "]))
    labels = gap.join(layout.label(v).upper() for v in joints)
    exchange = said(Step.DISTINGUISH, f"**Joints:** {labels}.\n\nDifference: {SENTENCE}\n", layout)
    expected = AnswerContent(tuple(joints), SENTENCE)
    assert parsers.parse_distinction(exchange, layout) == expected


@given(data=st.data(), layout=st.sampled_from(list(LAYOUTS.values())))
def test_rendered_details_and_numbers_are_read_back(
    data: st.DataObject, layout: SkeletonLayout
) -> None:
    joint = st.integers(0, layout.num_joints - 1)
    joints = sorted(data.draw(st.sets(joint, min_size=1, max_size=10)))
    lines = "\n".join(f" *{layout.label(v)}*: moves fast: up, then down.  " for v in joints)
    details = said(Step.JOINT_DETAILS, lines, layout)
    assert parsers.parse_joint_details(details, layout).joints == tuple(joints)
    numbers = said(Step.CRITICAL_JOINTS, ", ".join(str(v + 1) for v in joints), layout)
    assert parsers.parse_critical_joints(numbers, layout).joints == tuple(joints)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "empty"),
        (" \n ** \n", "empty"),
        ("I'm sorry, but I can\u2019t assist with that.", "refuses"),
        ("As an AI, I have no body.", "refuses"),
        (f"Joints: {LABELS}", "exactly"),
        (f"Difference: {SENTENCE}", "exactly"),
        (f"Joints: {LABELS}\nDifference: {SENTENCE}\nNote: they differ.", "exactly"),
        (f"Joints: {LABELS}\nDifference: {SENTENCE}\nDifference: {SENTENCE}", "exactly"),
        (f"Difference: {SENTENCE}\nJoints: {LABELS}", "must come first"),
        (f"Joints: {LABELS}\nDifference: {SENTENCE} Please note that I guess.", "disclaims"),
        (f"Joints: {LABELS}\nDifference: {SENTENCE}\nand more", "not of the form"),
        (f"Joints: {LABELS}\nDifference:", "not of the form"),
        (f"Joints: {LABELS}\nDifference: - {SENTENCE}", "list item"),
        (f"Joints: {LABELS}\nDifference: ...", "no words"),
        (f"Joints: {LABELS}\nDifference: {'very ' * 60}fast", "61 words"),
        (f"Joints: none\nDifference: {SENTENCE}", "label and name"),
        (f"Joints: 0-base of spine\nDifference: {SENTENCE}", "outside 1 to 25"),
        (f"Joints: 26-tail\nDifference: {SENTENCE}", "outside 1 to 25"),
        (f"Joints: 8-right hand\nDifference: {SENTENCE}", "is 'left hand'"),
        (f"Joints: 8-left hand, 8-left hand\nDifference: {SENTENCE}", "twice"),
        (f"Joints: 12-right hand, 8-left hand\nDifference: {SENTENCE}", "ascending"),
        (f"Joints: 8, 12\nDifference: {SENTENCE}", "label and name"),
        (f"Joints: {NINE}\nDifference: {SENTENCE}", "at most 8"),
        (f'Joints: {LABELS}\nDifference: "{SENTENCE}"', "quotation marks"),
        (f"Joints: {LABELS}\nDifference: The hand swings — high.", "dash"),
        (f"Joints: {LABELS}\nDifference: The 8-left hand swings.", "label '8-left hand'"),
    ],
)
def test_an_unusable_distinction_names_the_failed_check(answer: str, problem: str) -> None:
    with pytest.raises(AnswerError) as caught:
        check_answer(said(Step.DISTINGUISH, answer), KINECT_25)
    assert problem in caught.value.problem
    assert (caught.value.action, caught.value.step) == ("wave", "distinguish")


def test_nearly_all_joints_are_no_choice() -> None:
    twenty = ", ".join(map(str, range(1, 21)))
    nineteen = said(Step.CRITICAL_JOINTS, twenty[:-4])
    assert len(parsers.parse_critical_joints(nineteen, KINECT_25).joints) == 19
    with pytest.raises(AnswerError, match="20 of 25"):
        parsers.parse_critical_joints(said(Step.CRITICAL_JOINTS, twenty), KINECT_25)


def test_more_than_ten_details_are_refused() -> None:
    lines = "\n".join(f"{KINECT_25.label(v)}: moves." for v in range(11))
    with pytest.raises(AnswerError, match="at most 10"):
        parsers.parse_joint_details(said(Step.JOINT_DETAILS, lines), KINECT_25)


@pytest.mark.parametrize("name", ["tip of the left hand", "Left_Hand_Tip", "left  hand tip"])
def test_a_joint_may_be_called_otherwise_if_nothing_else_can_be_meant(name: str) -> None:
    exchange = said(Step.JOINT_DETAILS, f"22-{name}: bends.")
    assert parsers.parse_joint_details(exchange, KINECT_25).joints == (21,)
    mid = said(Step.JOINT_DETAILS, "18-mid hip: turns.", COCO_20)
    assert parsers.parse_joint_details(mid, COCO_20).joints == (17,)


def test_an_overview_may_be_longer_than_a_summary() -> None:
    long = "up and down " * 25
    assert parsers.parse_overview(said(Step.OVERVIEW, long), KINECT_25).sentence == long.strip()
    with pytest.raises(AnswerError, match="75 words"):
        check_answer(said(Step.KEY_FEATURES, long), KINECT_25)


PARTS = [f"{part}: still." for part in prompts.BODY_PARTS]


def test_body_parts_are_read_and_none_may_miss() -> None:
    parts = parsers.parse_body_parts(said(Step.BODY_PARTS, "\n".join(PARTS)), KINECT_25).parts
    assert list(parts) == list(prompts.BODY_PARTS) and set(parts.values()) == {"still."}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (PARTS[1:], "once each"),
        ([*PARTS, PARTS[0]], "once each"),
        ([*PARTS[1:], "Tail: wags."], "once each"),
        (["Head & Hand: still.", *PARTS[2:]], "once each"),
        (PARTS[::-1], "order"),
        ([" ".join(PARTS)], "several body parts"),
        ([*PARTS[:4], "; ".join(PARTS[4:])], "several body parts"),
    ],
)
def test_body_parts_in_another_form_are_refused(lines: list[str], problem: str) -> None:
    with pytest.raises(AnswerError, match=problem):
        check_answer(said(Step.BODY_PARTS, "\n".join(lines)), KINECT_25)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("3, 2", "ascending"),
        ("2, 2", "twice"),
        ("2, 26", "outside"),
        ("2-middle of spine, 3", "not the number"),
        ("2, 3\n4", "not 2 lines"),
        ("2, 3 (if used)", "not the number"),
        ("9" * 5000, "not the number"),
    ],
)
def test_critical_joints_are_a_plain_ascending_line(answer: str, problem: str) -> None:
    with pytest.raises(AnswerError, match=problem):
        check_answer(said(Step.CRITICAL_JOINTS, answer), KINECT_25)


def test_a_sentence_must_fit_the_text_encoder() -> None:
    for step, answer in (
        (Step.KEY_FEATURES, SENTENCE),
        (Step.DISTINGUISH, f"Joints: {LABELS}\nDifference: {SENTENCE}"),
    ):
        check_answer(said(step, answer), KINECT_25, lambda text: text == SENTENCE)
        with pytest.raises(AnswerError, match="text encoder"):
            check_answer(said(step, answer), KINECT_25, lambda text: text != SENTENCE)
    check_answer(said(Step.OVERVIEW, SENTENCE), KINECT_25, lambda text: False)


def test_a_description_may_claim_what_can_be_measured() -> None:
    answer = f"{SENTENCE}\nClaims: right hand height more; tail speed more; foot speed less than x"
    content = check_answer(said(Step.KEY_FEATURES, answer), KINECT_25)
    assert content.sentence == SENTENCE
    assert list(map(str, content.claims)) == ["right hand height more"]
    assert len(content.left_out) == 2
    assert check_answer(said(Step.KEY_FEATURES, SENTENCE), KINECT_25).claims == ()
    for text in (f"Claims: head speed more\n{SENTENCE}", f"{SENTENCE}\n{SENTENCE}\nClaims: none"):
        with pytest.raises(AnswerError, match="one sentence on one line"):
            check_answer(said(Step.KEY_FEATURES, text), KINECT_25)


def test_of_many_critical_joints_four_to_eight_are_described() -> None:
    def described(count: int, critical: str) -> None:
        lines = "\n".join(f"{KINECT_25.label(v)}: moves." for v in range(count))
        before = [said(Step.OVERVIEW, SENTENCE), said(Step.CRITICAL_JOINTS, critical)]
        check_answer(said(Step.JOINT_DETAILS, lines), KINECT_25, before=before)

    ten, eleven = (", ".join(map(str, range(1, n + 1))) for n in (10, 11))
    for count in (4, 8):
        described(count, eleven)
    for count in (3, 9):
        described(count, ten)
        with pytest.raises(AnswerError, match="4 to 8"):
            described(count, eleven)
    with pytest.raises(AnswerError, match="label 1 is not among"):
        described(2, "2, 3")


def test_a_class_may_be_named_as_it_likes() -> None:
    question = prompts.question(Step.KEY_FEATURES, "jump – 8-left hand up", KINECT_25)
    check_answer(Exchange(question, "In jump – 8-left hand up, one hand rises."), KINECT_25)
    with pytest.raises(AnswerError, match="dash"):
        check_answer(Exchange(question, "In jump – one hand rises."), KINECT_25)
