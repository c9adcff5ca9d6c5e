from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import answers, prompts
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import COCO_20, KINECT_25, LAYOUTS, SkeletonLayout


def said(step: Step, answer: str, layout: SkeletonLayout = KINECT_25) -> Exchange:
    return Exchange(prompts.question(step, "wave", layout, ("clap",)), answer)


LABELS = "8-left hand, 12-right hand"
SENTENCE = "The hand swings above the head."


@given(data=st.data(), layout=st.sampled_from(list(LAYOUTS.values())))
def test_a_rendered_distinction_is_read_back_in_any_order(
    data: st.DataObject, layout: SkeletonLayout
) -> None:
    joint = st.integers(0, layout.num_joints - 1)
    joints = data.draw(st.lists(joint, min_size=1, max_size=8, unique=True))
    gap = data.draw(st.sampled_from([", ", ",", " ,  ", "; "]))
    labels = gap.join(layout.label(v).upper() for v in joints)
    exchange = said(Step.DISTINGUISH, f"**Joints:** {labels}.\n\nDifference: {SENTENCE}\n", layout)
    expected = answers.Distinction(tuple(sorted(joints)), SENTENCE)
    assert answers.parse_distinction(exchange, layout) == expected


@given(data=st.data(), layout=st.sampled_from(list(LAYOUTS.values())))
def test_rendered_details_and_numbers_are_read_back(
    data: st.DataObject, layout: SkeletonLayout
) -> None:
    joint = st.integers(0, layout.num_joints - 1)
    joints = data.draw(st.lists(joint, min_size=1, max_size=10, unique=True))
    lines = "\n".join(f" *{layout.label(v)}*: moves fast: up, then down." for v in joints)
    details = said(Step.JOINT_DETAILS, lines, layout)
    assert answers.parse_joint_details(details, layout) == tuple(sorted(joints))
    numbers = said(Step.CRITICAL_JOINTS, ", ".join(str(v + 1) for v in joints), layout)
    assert answers.parse_critical_joints(numbers, layout) == tuple(sorted(joints))


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
        (f"Joints: {LABELS}\nDifference: {SENTENCE} Please note that I guess.", "disclaims"),
        (f"Joints: {LABELS}\nDifference: {SENTENCE}\nand more", "not of the form"),
        (f"Joints: {LABELS}\nDifference:", "not of the form"),
        (f"Joints: {LABELS}\nDifference: - {SENTENCE}", "list item"),
        (f"Joints: {LABELS}\nDifference: ...", "no words"),
        (f"Joints: {LABELS}\nDifference: {'very ' * 60}fast", "61 words"),
        (f"Joints: none\nDifference: {SENTENCE}", "not a joint's label"),
        (f"Joints: 0-base of spine\nDifference: {SENTENCE}", "outside 1 to 25"),
        (f"Joints: 26-tail\nDifference: {SENTENCE}", "outside 1 to 25"),
        (f"Joints: 8-right hand\nDifference: {SENTENCE}", "is 'left hand'"),
        (f"Joints: 8-left hand, 8\nDifference: {SENTENCE}", "twice"),
        (f"Joints: 1, 2, 3, 4, 5, 6, 7, 8, 9\nDifference: {SENTENCE}", "at most 8"),
    ],
)
def test_an_unusable_distinction_names_the_failed_check(answer: str, problem: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answers.check(said(Step.DISTINGUISH, answer), KINECT_25)
    assert problem in caught.value.problem
    assert (caught.value.action, caught.value.step) == ("wave", "distinguish")


def test_nearly_all_joints_are_no_choice() -> None:
    twenty = ", ".join(map(str, range(1, 21)))
    assert (
        len(answers.parse_critical_joints(said(Step.CRITICAL_JOINTS, twenty[:-4]), KINECT_25)) == 19
    )
    with pytest.raises(AnswerError, match="20 of 25"):
        answers.parse_critical_joints(said(Step.CRITICAL_JOINTS, twenty), KINECT_25)


def test_more_than_ten_details_are_refused() -> None:
    lines = "\n".join(f"{KINECT_25.label(v)}: moves." for v in range(11))
    with pytest.raises(AnswerError, match="at most 10"):
        answers.parse_joint_details(said(Step.JOINT_DETAILS, lines), KINECT_25)


@pytest.mark.parametrize("name", ["tip of the left hand", "Left_Hand_Tip", "left  hand tip"])
def test_a_joint_may_be_called_otherwise_if_nothing_else_can_be_meant(name: str) -> None:
    exchange = said(Step.JOINT_DETAILS, f"22-{name}: bends.")
    assert answers.parse_joint_details(exchange, KINECT_25) == (21,)
    mid = said(Step.JOINT_DETAILS, "18-mid hip: turns.", COCO_20)
    assert answers.parse_joint_details(mid, COCO_20) == (17,)


def test_joint_labels_in_a_sentence_become_names() -> None:
    text = "The 8-left hand rises, the 1-handed grip and 18-left hand stay."
    exchange = said(Step.KEY_FEATURES, text)
    expected = "The left hand rises, the 1-handed grip and 18-left hand stay."
    assert answers.parse_sentence(exchange, KINECT_25) == expected


def test_an_overview_may_be_longer_than_a_summary() -> None:
    long = "up and down " * 25
    assert answers.parse_overview(said(Step.OVERVIEW, long), KINECT_25) == long.strip()
    with pytest.raises(AnswerError, match="75 words"):
        answers.check(said(Step.KEY_FEATURES, long), KINECT_25)


def test_body_parts_are_read_in_order_and_none_may_miss() -> None:
    lines = [f"{part}: still." for part in reversed(prompts.BODY_PARTS)]
    parts = answers.parse_body_parts(said(Step.BODY_PARTS, "\n".join(lines)), KINECT_25)
    assert list(parts) == list(prompts.BODY_PARTS) and set(parts.values()) == {"still."}
    for wrong in (lines[1:], [*lines, lines[0]], [*lines[1:], "Tail: wags."]):
        with pytest.raises(AnswerError, match="once each"):
            answers.check(said(Step.BODY_PARTS, "\n".join(wrong)), KINECT_25)
