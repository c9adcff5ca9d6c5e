from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.agents.answers.repair import Repair, repair, repair_lossless, validated
from skeletonagent.core.dialogue import AnswerContent, Exchange, Outcome, Step
from skeletonagent.core.layout import KINECT_25, LAYOUTS, SkeletonLayout

SENTENCE = "The hand swings above the head while the body stays still."
PARTS = [f"{part}: keeps still." for part in prompts.BODY_PARTS]
NUMBERS = "8, 12"
DETAILS = "8-left hand: rises.\n12-right hand: falls."
TARGETED = f"Joints: 8-left hand, 12-right hand\nDifference: {SENTENCE}"


def said(step: Step, answer: str, layout: SkeletonLayout = KINECT_25) -> Exchange:
    return Exchange(prompts.question(step, "wave", layout, ("clap",)), answer)


MINOR = [
    (Step.CRITICAL_JOINTS, "12, 8", NUMBERS),
    (Step.CRITICAL_JOINTS, "8, 12, 8", NUMBERS),
    (Step.CRITICAL_JOINTS, "8, 12, 8, 12", NUMBERS),
    (Step.CRITICAL_JOINTS, "8-left hand and 12-right hand", NUMBERS),
    (Step.CRITICAL_JOINTS, "Critical joints: 8; 12", NUMBERS),
    (Step.CRITICAL_JOINTS, "- 8-left hand\n- 12-right hand", NUMBERS),
    (Step.CRITICAL_JOINTS, "8,\n12", NUMBERS),
    (Step.JOINT_DETAILS, "\n".join(reversed(DETAILS.splitlines())), DETAILS),
    (Step.JOINT_DETAILS, f"{DETAILS}\n8-left hand: rises.", DETAILS),
    (Step.JOINT_DETAILS, f"{DETAILS}\n{DETAILS}", DETAILS),
    (Step.JOINT_DETAILS, "- 8-left hand: rises.\n• 12-right hand: falls.", DETAILS),
    (Step.JOINT_DETAILS, "8: rises.\n12 – right hand: falls.", DETAILS),
    (Step.JOINT_DETAILS, "8-left hand: rises\nand rests.\n12: falls.",
     "8-left hand: rises and rests.\n12-right hand: falls."),
    (Step.CRITICAL_JOINTS, f"{NUMBERS}\n{NUMBERS}", NUMBERS),
    (Step.DISTINGUISH, f"{TARGETED}\n\n{TARGETED}", TARGETED),
    (Step.JOINT_DETAILS, DETAILS.replace("\n", " "), DETAILS),
    (Step.JOINT_DETAILS, f'"{DETAILS}"', DETAILS),
    (Step.CRITICAL_JOINTS, f'"{NUMBERS}"', NUMBERS),
    (Step.BODY_PARTS, f"“{' '.join(PARTS)}”", "\n".join(PARTS)),
    (Step.KEY_FEATURES, f"{SENTENCE}\n{SENTENCE}", SENTENCE),
    (Step.BODY_PARTS, " ".join(PARTS), "\n".join(PARTS)),
    (Step.BODY_PARTS, "; ".join(PARTS[:3]) + "\n" + " ".join(PARTS[3:]), "\n".join(PARTS)),
    (Step.BODY_PARTS, "\n".join(PARTS[::-1]), "\n".join(PARTS)),
    (Step.BODY_PARTS, "\n".join(f"- {p}" for p in PARTS), "\n".join(PARTS)),
    (Step.BODY_PARTS, "\n".join(PARTS).replace("Hand", "Hands").replace("Foot", "Feet"),
     "\n".join(PARTS)),
    (Step.KEY_FEATURES, f'"{SENTENCE}"', SENTENCE),
    (Step.KEY_FEATURES, f"- {SENTENCE}", SENTENCE),
    (Step.KEY_FEATURES, f"Summary: “{SENTENCE}”", SENTENCE),
    (Step.KEY_FEATURES, SENTENCE.replace(" while", "\nwhile"), SENTENCE),
    (Step.KEY_FEATURES, "One hand swings—the knee–hip line bends 60–90° – slowly.",
     "One hand swings, the knee-hip line bends 60 to 90°, slowly."),
    (Step.KEY_FEATURES, "The 8-left hand and 22-tip of the left hand rise, the 1-handed grip not.",
     "The left hand and left hand tip rise, the 1-handed grip not."),
    (Step.KEY_FEATURES, f"- {SENTENCE}\n- Claims:\n- head speed more\n- hand speed less.",
     f"{SENTENCE}\nClaims: head speed more; hand speed less"),
    (Step.KEY_FEATURES, f"“{SENTENCE}” Claims: head speed more",
     f"{SENTENCE}\nClaims: head speed more"),
    (Step.OVERVIEW, f"Overview: {SENTENCE}", SENTENCE),
    (Step.DISTINGUISH, "\n".join(reversed(TARGETED.splitlines())), TARGETED),
    (Step.DISTINGUISH, TARGETED.replace("\n", " "), TARGETED),
    (Step.DISTINGUISH, f"joints: 12, 8\nDIFFERENCE: {SENTENCE}", TARGETED),
    (Step.DISTINGUISH, f"Joints:\n- 8-left hand\n- 12\nDifference:\n{SENTENCE}", TARGETED),
]  # fmt: skip


@pytest.mark.parametrize(("step", "answer", "expected"), MINOR)
def test_a_slip_of_form_is_put_right_without_loss(step: Step, answer: str, expected: str) -> None:
    found = repair_lossless(said(step, answer), KINECT_25)
    assert found is not None and found.text == expected
    assert found.problem
    assert repair(said(step, answer), KINECT_25) == found


PRUNED = [
    (Step.CRITICAL_JOINTS, "8, 12, 26", NUMBERS),
    (Step.CRITICAL_JOINTS, f"Here you are:\n{NUMBERS}\n(These are 2 of 25.)", NUMBERS),
    (Step.JOINT_DETAILS, f"{DETAILS}\n(Selected top 2 joints for conciseness.)", DETAILS),
    (Step.JOINT_DETAILS, f"Sure! Here they are:\n{DETAILS}\n26-tail: wags.", DETAILS),
    (Step.BODY_PARTS, "\n".join(["Here:", *PARTS, "Let me know!"]), "\n".join(PARTS)),
    (Step.KEY_FEATURES, f"Sure! Here is the sentence:\n{SENTENCE}", SENTENCE),
    (Step.KEY_FEATURES, f"Here is the sentence: {SENTENCE}\n(Note: I guess.)", SENTENCE),
    (Step.OVERVIEW, f"{SENTENCE}\n\n(Note: for analysis only.)", SENTENCE),
    (Step.DISTINGUISH, f"Of course:\n{TARGETED}\nNote: hands differ.", TARGETED),
    (Step.DISTINGUISH, TARGETED.replace("\n", ", 99-wing\n"), TARGETED),
    (Step.KEY_FEATURES, f"{SENTENCE} {'It goes on and on ' * 14}so.", SENTENCE),
    (Step.KEY_FEATURES, f"{SENTENCE[:-1]}, and {'more of it ' * 18}comes.", SENTENCE),
    (Step.DISTINGUISH, f"{TARGETED[:-1]}; {'more of it ' * 18}comes.", TARGETED),
]


@pytest.mark.parametrize(("step", "answer", "expected"), PRUNED)
def test_what_cannot_be_used_is_left_out_but_not_unasked(
    step: Step, answer: str, expected: str
) -> None:
    assert repair_lossless(said(step, answer), KINECT_25) is None
    found = repair(said(step, answer), KINECT_25)
    assert found is not None and found.text == expected and found.problem


GUESSES = [
    (Step.CRITICAL_JOINTS, ", ".join(map(str, range(1, 24)))),
    (Step.CRITICAL_JOINTS, "1, 2, 3, 4, 2, 3"),
    (Step.CRITICAL_JOINTS, "1, 2, 3\n4, 5"),
    (Step.CRITICAL_JOINTS, "8-right hand, 12"),
    (Step.CRITICAL_JOINTS, "8, 26"),
    (Step.CRITICAL_JOINTS, "8, 12\n(or rather 7, 11)"),
    (Step.CRITICAL_JOINTS, "the hands"),
    (Step.JOINT_DETAILS, "8-right hand: rises.\n12-right hand: falls."),
    (Step.JOINT_DETAILS, f"{DETAILS}\n26-left thumb: bends."),
    (Step.JOINT_DETAILS, f"{DETAILS}\n8-left hand: falls."),
    (Step.JOINT_DETAILS, f"{DETAILS}\n7-left wrist: bends.\n(The best two are:)\n{DETAILS}"),
    (Step.JOINT_DETAILS, f"{DETAILS}\n(The most essential would be 6, 8.)"),
    (Step.JOINT_DETAILS, "\n".join(f"{KINECT_25.label(v)}: moves." for v in range(11))),
    (Step.JOINT_DETAILS, f"I'm sorry, I cannot help.\n{DETAILS}"),
    (Step.BODY_PARTS, "\n".join([*PARTS, "Hand: rises."])),
    (Step.BODY_PARTS, "\n".join(["Head & Hand: still.", *PARTS[2:]])),
    (Step.KEY_FEATURES, "- The hand rises.\n- The foot falls."),
    (Step.KEY_FEATURES, "As an AI, I cannot tell."),
    (Step.KEY_FEATURES, "on and on " * 30),
    (Step.DISTINGUISH, f"{TARGETED}\n{TARGETED.replace('12', '13')}"),
    (Step.DISTINGUISH, f"Joints: 8-right hand\nDifference: {SENTENCE}"),
    (Step.DISTINGUISH, f"Joints: 1, 2, 3, 4, 5, 6, 7, 8, 9\nDifference: {SENTENCE}"),
    (Step.DISTINGUISH, SENTENCE),
]


@pytest.mark.parametrize(("step", "answer"), [*GUESSES, *((step, "") for step in Step)])
def test_nothing_is_guessed(step: Step, answer: str) -> None:
    assert repair(said(step, answer), KINECT_25) is None


def test_what_passes_stays_to_the_letter() -> None:
    for step, answer in ((Step.CRITICAL_JOINTS, "8 ,12."), (Step.JOINT_DETAILS, f"{DETAILS}  \n")):
        assert repair(said(step, answer), KINECT_25) == Repair(answer, "")


def test_a_sentence_is_cut_to_fit_the_text_encoder() -> None:
    long = f"{SENTENCE} It ends, and then it rests."
    found = repair(said(Step.KEY_FEATURES, long), KINECT_25, lambda text: len(text) <= 60)
    assert found is not None and found.text == SENTENCE
    assert repair(said(Step.KEY_FEATURES, long), KINECT_25, lambda text: False) is None


PIECES = st.sampled_from(
    [row[1] for row in (*MINOR, *PRUNED, *GUESSES)] + ["Note: no.", "12,", "-"]
)


@given(
    step=st.sampled_from(Step),
    text=st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=3).map("\n".join),
    room=st.sampled_from([None, 30, 80]),
)
def test_a_repair_passes_and_needs_no_other(step: Step, text: str, room: int | None) -> None:
    fits = None if room is None else lambda sentence: len(sentence) <= room
    found = repair(said(step, text), KINECT_25, fits)
    if found is not None:
        again = said(step, found.text)
        check_answer(again, KINECT_25, fits)
        assert repair(again, KINECT_25, fits) == repair_lossless(again, KINECT_25, fits)
        assert repair(again, KINECT_25, fits) == Repair(found.text, "")
    small = repair_lossless(said(step, text), KINECT_25, fits)
    assert small is None or small == found


@given(data=st.data(), layout=st.sampled_from(list(LAYOUTS.values())))
def test_joints_in_any_order_and_number_mean_the_same(
    data: st.DataObject, layout: SkeletonLayout
) -> None:
    joints = data.draw(st.sets(st.integers(0, layout.num_joints - 1), min_size=1, max_size=8))
    order = sorted(joints)
    random.Random(data.draw(st.integers(0, 99))).shuffle(order)
    gap = data.draw(st.sampled_from([", ", " ; ", " and ", ", and "]))
    labels = gap.join(data.draw(st.sampled_from([str(v + 1), layout.label(v)])) for v in order)
    numbers = repair_lossless(said(Step.CRITICAL_JOINTS, labels, layout), layout)
    assert numbers is not None
    read = parsers.parse_critical_joints(said(Step.CRITICAL_JOINTS, numbers.text, layout), layout)
    assert set(read.joints) == joints
    targeted = repair_lossless(
        said(Step.DISTINGUISH, f"Difference: {SENTENCE}\nJoints: {labels}", layout), layout
    )
    assert targeted is not None
    told = parsers.parse_distinction(said(Step.DISTINGUISH, targeted.text, layout), layout)
    assert told == AnswerContent(tuple(sorted(joints)), SENTENCE)


def test_a_judged_answer_keeps_what_was_given() -> None:
    accepted, repaired, rejected = (
        validated(said(Step.CRITICAL_JOINTS, text), KINECT_25)
        for text in ("8, 12", "12, 8", "hands")
    )
    assert (accepted.outcome, accepted.problem) == (Outcome.ACCEPTED, "")
    assert (repaired.outcome, repaired.answer) == (Outcome.REPAIRED, "8, 12")
    (given_,) = repaired.earlier
    assert (given_.outcome, given_.answer) == (Outcome.REJECTED, "12, 8")
    assert repaired.problem == given_.problem == "the joints are not in ascending order"
    assert rejected.outcome is Outcome.REJECTED and rejected.answer == "hands"
    assert "not the number" in rejected.problem and not rejected.earlier
