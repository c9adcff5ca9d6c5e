"""Dialogues: what was said last, going back, and their plain form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Question, Step

JOINTS = ("head", "left hand")

sources = st.builds(
    Provenance,
    model=st.text(max_size=5),
    parameters=st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
    seconds=st.floats(0, 9),
    requests=st.integers(0, 3),
    faults=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)
questions = st.builds(
    Question,
    action=st.just("wave"),
    step=st.sampled_from(Step),
    joints=st.just(JOINTS),
    rivals=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    text=st.text(max_size=10),
    form=st.text(max_size=5),
    counts=st.lists(st.integers(0, 9), max_size=2).map(tuple),
    round=st.integers(0, 9),
)


FIRST = Exchange(
    Question("wave", Step.OVERVIEW, JOINTS, (), "What?"), "no", Outcome.REJECTED, "too short"
)
exchanges = st.builds(
    Exchange,
    questions,
    st.text(max_size=10),
    st.sampled_from(Outcome),
    st.text(max_size=5),
    st.none() | sources,
    st.sampled_from([(), (FIRST,), (FIRST, FIRST)]),
    st.lists(st.text(max_size=5), max_size=2).map(tuple),
)
dialogues = st.builds(
    Dialogue, action=st.just("wave"), exchanges=st.lists(exchanges, max_size=4).map(tuple)
)


def exchange(step: Step, answer: str) -> Exchange:
    return Exchange(Question("wave", step, JOINTS, (), f"about {step}"), answer)


def test_the_latest_answer_counts() -> None:
    dialogue = Dialogue("wave").with_exchange(exchange(Step.DISTINGUISH, "old"))
    longer = dialogue.with_exchange(exchange(Step.DISTINGUISH, "new"))
    assert longer.answer(Step.DISTINGUISH) == "new"
    assert dialogue.answer(Step.DISTINGUISH) == "old", "a dialogue is never changed"
    assert longer.answer(Step.OVERVIEW) is None


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_usable_answer_counts(outcome: Outcome) -> None:
    said = Dialogue("wave", (exchange(Step.OVERVIEW, "old"),))
    again = said.with_exchange(replace(exchange(Step.OVERVIEW, "new"), outcome=outcome))
    usable = outcome in (Outcome.ACCEPTED, Outcome.DOUBTED, Outcome.REPAIRED)
    assert again.answer(Step.OVERVIEW) == ("new" if usable else "old")


def test_attempts_end_with_the_one_that_counts() -> None:
    first, second = exchange(Step.OVERVIEW, "a"), exchange(Step.OVERVIEW, "b")
    assert replace(second, earlier=(first,)).attempts == (first, replace(second, earlier=(first,)))


def test_plain_text_is_the_task_and_its_form() -> None:
    question = Question("wave", Step.OVERVIEW, JOINTS, (), "What?", "One line.")
    assert question.plain == "What?\nOne line."
    assert replace(question, form="").plain == "What?"


def test_going_back_before_a_step() -> None:
    steps = (Step.OVERVIEW, Step.BODY_PARTS, Step.DISTINGUISH, Step.DISTINGUISH)
    dialogue = Dialogue("wave", tuple(exchange(step, "said") for step in steps))
    assert dialogue.before(Step.DISTINGUISH).exchanges == dialogue.exchanges[:2]
    assert dialogue.before(Step.OVERVIEW) == Dialogue("wave")
    assert dialogue.before(Step.KEY_FEATURES) == dialogue


@given(dialogues, st.sampled_from(Step))
def test_going_back_twice_is_going_back_once(dialogue: Dialogue, step: Step) -> None:
    before = dialogue.before(step)
    assert before.before(step) == before
    assert before.answer(step) is None
    assert dialogue.exchanges[: len(before.exchanges)] == before.exchanges


@given(dialogues)
def test_json_keeps_everything(dialogue: Dialogue) -> None:
    text = json.dumps(dialogue.to_json())
    assert Dialogue.from_json(json.loads(text), JOINTS) == dialogue


def test_an_unknown_step_is_refused() -> None:
    value = Dialogue("wave", (exchange(Step.OVERVIEW, "said"),)).to_json()
    value["exchanges"][0]["step"] = "chat"
    with pytest.raises(ValueError, match="chat"):
        Dialogue.from_json(value, JOINTS)


@pytest.mark.parametrize("outcome", Outcome)
def test_an_answer_that_the_clips_speak_against_is_not_accepted(outcome: Outcome) -> None:
    given = replace(exchange(Step.OVERVIEW, "new"), outcome=outcome)
    doubted, cleared = given.with_remarks(("the nose rests",)), given.with_remarks(())
    accepted = outcome in (Outcome.ACCEPTED, Outcome.DOUBTED)
    assert doubted.outcome is (Outcome.DOUBTED if accepted else outcome)
    assert cleared.outcome is (Outcome.ACCEPTED if accepted else outcome)
    assert doubted.remarks == ("the nose rests",) and cleared.remarks == ()
