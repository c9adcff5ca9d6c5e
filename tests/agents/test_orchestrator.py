from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.orchestrator import (
    ConfusedClasses,
    GuidanceOrchestrator,
    identical_sets,
    with_shared_notes,
)
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import ScriptedChat

NAMES = ("left wave", "left clap", "left drink", "left phone")
"""A side in the name: one joint of a pair will do."""
WAVE, CLAP, DRINK, PHONE = NAMES
DESCRIPTION = {
    Step.OVERVIEW: "It moves.",
    Step.BODY_PARTS: "\n".join(
        f"{part}: moves." for part in ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")
    ),
    Step.CRITICAL_JOINTS: "1, 2, 3, 4",
    Step.JOINT_DETAILS: "1-nose: a.\n2-left eye: b.\n3-right eye: c.\n4-left ear: d.",
    Step.KEY_FEATURES: "It moves a lot.",
}
TOLD = "It is not {}."


def guide(
    asked: list[Question],
    failing: str = "",
    names: tuple[str, ...] = NAMES,
    joints: Mapping[str, tuple[int, ...]] | None = None,
    **settings: Any,
) -> GuidanceOrchestrator:
    """Return a guide; each class is told apart by joints of its own unless they are given."""

    def answer(question: Question, history: Sequence[Exchange]) -> str:
        asked.append(question)
        if question.action == failing:
            raise ChatError("script", question.action, question.step, 3, "offline")
        own = (7, 8 + names.index(question.action)) if joints is None else joints[question.action]
        listed = ", ".join(COCO_17.label(joint) for joint in own)
        rivals = " or ".join(question.rivals)
        return DESCRIPTION.get(
            question.step, f"Joints: {listed}\nDifference: {TOLD.format(rivals)}"
        )

    questioner = Questioner(ScriptedChat(answer), COCO_17)
    return GuidanceOrchestrator(questioner, Selector(COCO_17), Reviewer(COCO_17), names, **settings)


def confusions(counts: Mapping[tuple[int, int], int], y: int = 4) -> Confusions:
    table = torch.eye(y, dtype=torch.long) * 50
    for place, count in counts.items():
        table[place] = count
    return Confusions(table)


def test_every_class_is_described_at_the_start() -> None:
    asked: list[Question] = []
    told: list[tuple[int, int]] = []
    start = guide(asked).start(lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [g.action for g in start.classes] == list(NAMES)
    assert start.round == 0 and len(asked) == 20
    assert all(g.joints == (0, 1, 2, 3) for g in start.classes)
    assert all(g.sentence == "It moves a lot." and g.notes == () for g in start.classes)


def test_a_dialogue_that_has_begun_is_gone_on_with() -> None:
    asked: list[Question] = []
    guiding = guide(asked)
    begun = guiding.questioner.begin(NAMES[0])
    assert [q.step for q in asked] == [Step.OVERVIEW]
    start = guiding.start(begun=begun)
    assert len(asked) == 20
    assert start == guide([]).start()


def test_a_refresh_asks_about_the_confused_classes_worst_first() -> None:
    asked: list[Question] = []
    agent = guide(asked)
    start = agent.start()
    asked.clear()
    after = agent.refresh(confusions({(0, 2): 3, (0, 3): 9, (1, 0): 1}), start)
    assert [(q.action, q.rivals, q.counts, q.round) for q in asked] == [
        (WAVE, (PHONE, DRINK), (9, 3), 1),
        (CLAP, (WAVE,), (1,), 1),
    ]
    assert after.round == 1
    assert after.classes[0].joints == (7, 8)
    assert after.classes[0].sentence == TOLD.format(f"{PHONE} or {DRINK}")
    assert after.classes[2:] == start.classes[2:]


def test_only_a_changed_set_of_rivals_is_asked_about_again() -> None:
    asked: list[Question] = []
    agent = guide(asked)
    one = agent.refresh(confusions({(0, 2): 3, (0, 3): 9, (1, 0): 1}), agent.start())
    asked.clear()
    two = agent.refresh(confusions({(0, 2): 9, (0, 3): 3, (1, 0): 1, (1, 3): 1}), one)
    assert [(q.action, q.rivals) for q in asked] == [(CLAP, (WAVE, PHONE))]
    assert two.classes[0] == one.classes[0]
    asked.clear()
    three = agent.refresh(confusions({}), two)
    assert not asked and three.classes == two.classes and three.round == 3


def test_a_rival_takes_a_share_to_become_one_and_half_of_it_to_stay_one() -> None:
    asked: list[Question] = []
    agent = guide(asked, rival_share=0.1)  # of 50 to 59 clips
    start = agent.start()
    few, many = confusions({(0, 1): 5, (0, 2): 4}), confusions({(0, 1): 6, (0, 2): 3})
    assert agent.due(few, start) == {}
    assert agent.due(many, start) == {0: ConfusedClasses((CLAP,), (6,))}
    one = agent.refresh(many, start)
    assert one.classes[0].rivals == (CLAP,)
    assert agent.due(confusions({(0, 1): 4}), one) == {}
    both = confusions({(0, 1): 4, (0, 2): 7})
    assert agent.due(both, one) == {0: ConfusedClasses((DRINK, CLAP), (7, 4))}


def test_padded_rivals_are_always_as_many_in_order_of_their_labels() -> None:
    padded = guide([], max_rivals=3, padded_rivals=True, rival_share=0.5)
    due = padded.due(confusions({(0, 3): 2}), padded.start())
    assert due[0] == ConfusedClasses((WAVE, CLAP, PHONE), (0, 0, 2))
    assert due[2] == ConfusedClasses((WAVE, CLAP, DRINK), (0, 0, 0))


def test_the_number_of_rivals_is_limited() -> None:
    asked: list[Question] = []
    limited = guide(asked, max_rivals=1)
    limited.refresh(confusions({(0, 1): 1, (0, 2): 5, (0, 3): 2}), limited.start())
    assert asked[-1].rivals == (DRINK,)


def test_a_chat_failing_costs_only_its_class_and_is_tried_again() -> None:
    asked: list[Question] = []
    start = guide(asked).start()
    mistakes = confusions({(0, 2): 3, (1, 0): 1})
    after = guide(asked, failing=WAVE).refresh(mistakes, start)
    known, kept = start.classes[0], after.classes[0]
    assert (kept.joints, kept.sentence, kept.rivals) == (known.joints, known.sentence, ())
    assert "offline" in kept.notes[0]
    assert kept.dialogue.exchanges[:-1] == known.dialogue.exchanges
    assert kept.dialogue.exchanges[-1].outcome is Outcome.UNANSWERED
    assert after.classes[1].sentence == TOLD.format(WAVE)
    again = guide(asked).refresh(mistakes, after)
    assert again.classes[0].sentence == TOLD.format(DRINK) and again.classes[0].notes == ()


def test_a_class_that_could_not_be_described_is_described_later() -> None:
    asked: list[Question] = []
    start = guide(asked, failing=WAVE).start()
    assert start.classes[0].joints == () and WAVE in start.classes[0].sentence
    assert "offline" in start.classes[0].notes[0]
    asked.clear()
    after = guide(asked).refresh(confusions({}), start)
    assert [question.step for question in asked] == list(DESCRIPTION)
    assert after.classes[0].sentence == "It moves a lot."
    assert after.classes[0].notes == ()


def test_rivals_are_never_the_class_itself_or_named_twice() -> None:
    asked: list[Question] = []
    agent = guide(asked, names=(WAVE, CLAP, CLAP, WAVE))
    agent.refresh(confusions({(0, 1): 3, (0, 2): 2, (0, 3): 9, (3, 0): 1}), agent.start())
    assert [(q.action, q.rivals, q.counts) for q in asked[20:]] == [(WAVE, (CLAP,), (5,))]


def test_mutual_rivals_with_the_same_joints_are_asked_about_once_more() -> None:
    asked: list[Question] = []
    same = dict.fromkeys(NAMES, (7, 9))
    agent = guide(asked, joints=same)
    start = agent.start()
    asked.clear()
    after = agent.refresh(confusions({(0, 1): 3, (1, 0): 3, (2, 0): 1}), start)
    assert [q.action for q in asked] == [WAVE, CLAP, DRINK, CLAP]
    assert f'For "{WAVE}"' in asked[-1].text and "8-left elbow, 10-left wrist" in asked[-1].text
    assert after.classes[1].notes == (f"it has the same joints as its rival {WAVE!r}",)
    assert after.classes[0].notes == after.classes[2].notes == ()


def test_either_side_may_act_where_no_side_is_named() -> None:
    asked: list[Question] = []
    agent = guide(asked, names=("wave", "clap"), joints={"wave": (7, 9), "clap": (0, 1, 2)})
    after = agent.refresh(confusions({(0, 1): 3}, y=2), agent.start())
    assert "9-right elbow, 11-right wrist is left out" in asked[-1].text
    assert after.classes[0].joints == (7, 8, 9, 10)
    assert "either side may act" in after.classes[0].notes[0]


def test_what_is_late_keeps_its_guidance() -> None:
    answered = threading.Event()
    mistakes = confusions({(0, 1): 3, (1, 0): 3})
    start = guide([]).start()
    slow = guide([], seconds=0.3, workers=2)
    chat = slow.questioner.chat

    def answer(question: Question, history: Sequence[Exchange]) -> str:
        if question.action == WAVE:
            answered.wait(20)
        return chat.ask(question, history).text

    slow = replace(slow, questioner=replace(slow.questioner, chat=ScriptedChat(answer)))
    after = slow.refresh(mistakes, start)
    answered.set()
    assert after.classes[0].joints == start.classes[0].joints and after.classes[0].rivals == ()
    assert "round's time" in after.classes[0].notes[0]
    assert after.classes[1].rivals == (WAVE,)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_refresh_from_saved_guidance_equals_an_uninterrupted_one(workers: int) -> None:
    agent = guide([], workers=workers, seconds=30.0)
    one = agent.refresh(confusions({(0, 2): 3}), agent.start())
    restored = Guidance.from_json(one.to_json(), COCO_17)
    mistakes = confusions({(0, 3): 3, (2, 1): 4})
    assert agent.refresh(mistakes, restored) == agent.refresh(mistakes, one)


def test_an_old_answer_is_not_objected_to_because_the_description_is_completed() -> None:
    asked: list[Question] = []
    names = ("wave", "clap")
    joints = {"wave": (7, 9), "clap": (0, 1, 2)}
    agent = guide(asked, names=names, joints=joints)
    one = agent.refresh(confusions({(0, 1): 3}, y=2), agent.start())
    wave = one.classes[0]
    kept = [e for e in wave.dialogue.exchanges if e.question.step is not Step.KEY_FEATURES]
    gap = replace(wave, dialogue=replace(wave.dialogue, exchanges=tuple(kept)))
    asked.clear()
    two = agent.refresh(confusions({}, y=2), replace(one, classes=(gap, one.classes[1])))
    assert [question.step for question in asked] == [Step.KEY_FEATURES]
    assert (two.classes[0].joints, two.classes[0].rivals) == (wave.joints, wave.rivals)


def constrained(*classes: tuple[str, tuple[int, ...], tuple[str, ...]]) -> Guidance:
    return Guidance(
        COCO_17, tuple(ClassGuidance(name, joints, "", rivals) for name, joints, rivals in classes)
    )


def test_identical_sets_are_those_of_mutual_rivals() -> None:
    pairs = identical_sets(
        constrained(
            ("a", (1, 2), ("b", "c", "d")),
            ("b", (1, 2), ("a",)),
            ("c", (1, 2), ("b",)),  # the rival of none it is confused with
            ("d", (1, 3), ("a",)),
            ("e", (), ("f",)),
            ("f", (), ("e",)),
        )
    )
    assert pairs == ((0, 1),)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(), (1,), (1, 2)]),
            st.sets(st.integers(0, 4)),
        ),
        min_size=5,
        max_size=5,
    )
)
def test_identical_sets_equal_the_definition(
    drawn: list[tuple[tuple[int, ...], set[int]]],
) -> None:
    names = "abcde"
    classes = [
        (name, joints, tuple(names[rival] for rival in rivals))
        for name, (joints, rivals) in zip(names, drawn, strict=True)
    ]
    expected = set()
    for i in range(5):
        for j in range(i + 1, 5):
            mutual = j in drawn[i][1] and i in drawn[j][1]
            if mutual and drawn[i][0] == drawn[j][0] != ():
                expected.add((i, j))
    assert set(identical_sets(constrained(*classes))) == expected


def test_a_sentence_repaired_to_that_of_another_class_is_noted() -> None:
    """Long names, of which a text encoder takes in the beginning alone."""
    long = tuple(f"{'very ' * 40}slow walk, and then {end}" for end in ("a jump", "a fall", "rest"))
    asked = Question("", Step.KEY_FEATURES, COCO_17.joints, (), "Why?")

    def told(action: str, sentence: str, outcome: Outcome) -> ClassGuidance:
        said = Dialogue(action, (Exchange(asked, sentence, outcome),))
        return ClassGuidance(action, (1,), sentence, dialogue=said, notes=("late",))

    shared = [told(name, "In a very slow walk.", Outcome.REPAIRED) for name in long]
    plain = [told(name, "It  moves.", Outcome.ACCEPTED) for name in ("a", "b")]
    own = [told("c", "It jumps.", Outcome.REPAIRED)]
    noted = with_shared_notes(Guidance(COCO_17, (*shared, *plain, *own)))
    assert noted.identical_sentences == ((0, 1, 2), (3, 4))
    for label, current in enumerate(noted.classes[:3]):
        first, second = (repr(name) for name in long if name != long[label])
        note = f"its repaired sentence is also that of {first}, {second}"
        assert current.notes == ("late", note)
    assert all(current.notes == ("late",) for current in noted.classes[3:])
    assert with_shared_notes(noted) == noted
    apart = replace(noted, classes=(*noted.classes[:1], *noted.classes[3:]))
    assert all(current.notes == ("late",) for current in with_shared_notes(apart).classes)
