from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.selector import Selector, default_sentence
from skeletonagent.core.dialogue import Dialogue, Exchange, Step
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.layout import COCO_17

SELECTOR = Selector(COCO_17)
LAST = ClassGuidance("wave", (3, 4), "It was like this.", ("drink",))
DETAILS = (
    Step.JOINT_DETAILS,
    "8-left elbow: a.\n9-right elbow: b.\n10-left wrist: c.\n11-right wrist: d.",
)
SUMMARY = (Step.KEY_FEATURES, "A hand swings beside the head.")
TARGETED = (Step.DISTINGUISH, "Joints: 11-right wrist\nDifference: It swings higher.")


def dialogue(*said: tuple[Step, str]) -> Dialogue:
    exchanges = (Exchange(prompts.question(step, "wave", COCO_17), text) for step, text in said)
    return Dialogue("wave", tuple(exchanges))


def test_a_description_gives_the_detailed_joints_and_the_summary() -> None:
    talk = dialogue((Step.CRITICAL_JOINTS, "1, 2"), DETAILS, SUMMARY)
    chosen = SELECTOR.select(talk, None, ())
    assert chosen == ClassGuidance("wave", (7, 8, 9, 10), SUMMARY[1], (), talk)


def test_critical_joints_stand_in_for_unusable_details() -> None:
    talk = dialogue((Step.CRITICAL_JOINTS, "1, 2"), (Step.JOINT_DETAILS, "the arm"), SUMMARY)
    chosen = SELECTOR.select(talk, None, ())
    assert chosen.joints == (0, 1)
    assert "joint_details" in chosen.notes[0]


def test_a_targeted_answer_replaces_joints_and_sentence() -> None:
    chosen = SELECTOR.select(dialogue(DETAILS, SUMMARY, TARGETED), LAST, ("phone", "drink"))
    assert (chosen.joints, chosen.sentence) == ((10,), "It swings higher.")
    assert (chosen.rivals, chosen.notes) == (("phone", "drink"), ())


@pytest.mark.parametrize(
    "answer",
    ["I cannot help with that.", "", "Joints: 1-left wrist\nDifference: Higher.", "Joints: 99"],
)
def test_an_unusable_targeted_answer_leaves_the_last_guidance_and_a_note(answer: str) -> None:
    talk = dialogue(DETAILS, SUMMARY, TARGETED, (Step.DISTINGUISH, answer))
    chosen = SELECTOR.select(talk, LAST, ("phone",))
    assert (chosen.joints, chosen.sentence) == (LAST.joints, LAST.sentence)
    assert "unusable answer about 'wave' (distinguish)" in chosen.notes[0]
    assert "stay" in chosen.notes[-1]


def test_without_last_guidance_the_description_stands_in() -> None:
    chosen = SELECTOR.select(dialogue(DETAILS, SUMMARY, (Step.DISTINGUISH, "?")), None, ("phone",))
    assert (chosen.joints, chosen.sentence) == ((7, 8, 9, 10), SUMMARY[1])
    assert len(chosen.notes) == 1


def test_of_nothing_usable_nothing_is_made_up() -> None:
    chosen = SELECTOR.select(Dialogue("brush_hair"), None, ())
    assert chosen.joints == ()
    assert (
        chosen.sentence
        == default_sentence("brush_hair")
        == ("A person performs the action brush hair.")
    )
    assert len(chosen.notes) == 2


@given(step=st.sampled_from(Step), text=st.text(max_size=80))
def test_no_answer_whatever_raises_or_gives_joints_that_do_not_exist(step: Step, text: str) -> None:
    chosen = SELECTOR.select(dialogue((step, text)), None, ())
    assert all(0 <= joint < 17 for joint in chosen.joints)
    assert chosen.sentence
