from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.selector import Selector, default_sentence
from skeletonagent.core.claim_results import ClaimResult
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
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


def test_claims_and_caveats_go_with_the_answer_they_are_from() -> None:
    text = f"{TARGETED[1]}\nClaims: right hand height more; tail speed more"
    talk = dialogue(DETAILS, SUMMARY, (Step.DISTINGUISH, text))
    (*others, answer) = talk.exchanges
    talk = replace(talk, exchanges=(*others, replace(answer, caveats=("a guess",))))
    chosen = SELECTOR.select(talk, LAST, ("phone",))
    assert list(map(str, chosen.claims)) == ["right hand height more"]
    assert chosen.claim_results == () and chosen.notes[0] == "a guess"
    assert chosen.notes[1].startswith("claim left out: no body part 'tail'")
    failed = talk.with_exchange(dialogue((Step.DISTINGUISH, "No.")).exchanges[0])
    results = (ClaimResult(chosen.claims[0]),)
    later = SELECTOR.select(failed, replace(chosen, claim_results=results), ("phone",))
    assert (later.claims, later.claim_results) == (chosen.claims, results)


def test_claims_of_the_description_stay_beside_those_against_rivals() -> None:
    summary = (Step.KEY_FEATURES, f"{SUMMARY[1]}\nClaims: head speed more; hand speed more")
    described = SELECTOR.select(dialogue(DETAILS, summary), None, ())
    assert list(map(str, described.claims)) == ["head speed more", "hand speed more"]
    against = f"{TARGETED[1]}\nClaims: hand speed more; foot speed less"
    chosen = SELECTOR.select(
        dialogue(DETAILS, summary, (Step.DISTINGUISH, against)), described, ("phone",)
    )
    assert list(map(str, chosen.claims)) == [
        "hand speed more", "foot speed less", "head speed more",
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNANSWERED])
def test_select_takes_no_earlier_targeted_answer_for_the_latest(outcome: Outcome) -> None:
    """The earlier one is about the rivals of its time."""
    talk = dialogue(DETAILS, SUMMARY, TARGETED, TARGETED)
    failed = replace(talk.exchanges[-1], outcome=outcome, problem="none came")
    talk = replace(talk, exchanges=(*talk.exchanges[:-1], failed))
    chosen = SELECTOR.select(talk, LAST, ("phone",))
    assert (chosen.joints, chosen.sentence) == (LAST.joints, LAST.sentence)
    assert chosen.notes[0] == "unusable answer (distinguish): none came"
    described = SELECTOR.select(talk, None, ("phone",))
    assert (described.joints, described.sentence) == ((7, 8, 9, 10), SUMMARY[1])


def test_select_takes_an_earlier_description_where_the_latest_failed() -> None:
    talk = dialogue(DETAILS, SUMMARY, (Step.KEY_FEATURES, "no"))
    failed = replace(talk.exchanges[-1], outcome=Outcome.REJECTED, problem="no sentence")
    talk = replace(talk, exchanges=(*talk.exchanges[:-1], failed))
    assert SELECTOR.select(talk, None, ()).sentence == SUMMARY[1]


def test_select_takes_no_overview_that_is_longer_than_a_sentence_may_be() -> None:
    sixty, more = "up " * 60, "up " * 61
    assert SELECTOR.select(dialogue((Step.OVERVIEW, sixty)), None, ()).sentence == sixty.strip()
    chosen = SELECTOR.select(dialogue((Step.OVERVIEW, more)), None, ())
    assert chosen.sentence == default_sentence("wave")
    assert any("61 words, at most 60 are allowed" in note for note in chosen.notes)


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
