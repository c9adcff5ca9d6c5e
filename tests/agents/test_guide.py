from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from skeletonagent.agents.guide import Guide
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import ScriptedChat

NAMES = ("wave", "clap", "drink", "phone")
DESCRIPTION = {
    Step.OVERVIEW: "It moves.",
    Step.BODY_PARTS: "\n".join(
        f"{part}: moves." for part in ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")
    ),
    Step.CRITICAL_JOINTS: "1, 2",
    Step.JOINT_DETAILS: "1-nose: moves.",
    Step.KEY_FEATURES: "It moves a lot.",
}


def guide(asked: list[Question], failing: str = "", names: tuple[str, ...] = NAMES) -> Guide:
    def answer(question: Question, history: Sequence[Exchange]) -> str:
        asked.append(question)
        if question.action == failing:
            raise ChatError("script", question.action, question.step, 3, "offline")
        targeted = f"Joints: 11\nDifference: Not {' or '.join(question.rivals)}."
        return DESCRIPTION.get(question.step, targeted)

    return Guide(Questioner(ScriptedChat(answer), COCO_17), Selector(COCO_17), names)


def confusions(counts: Mapping[tuple[int, int], int], y: int = 4) -> Confusions:
    table = torch.eye(y, dtype=torch.long) * 50
    for place, count in counts.items():
        table[place] = count
    return Confusions(table)


def test_every_class_is_described_at_the_start() -> None:
    asked: list[Question] = []
    start = guide(asked).start()
    assert [g.action for g in start.classes] == list(NAMES)
    assert start.round == 0 and len(asked) == 20
    assert all(g.joints == (0,) and g.sentence == "It moves a lot." for g in start.classes)


def test_a_refresh_asks_about_the_confused_classes_worst_first() -> None:
    asked: list[Question] = []
    agent = guide(asked)
    start = agent.start()
    asked.clear()
    after = agent.refresh(confusions({(0, 2): 3, (0, 3): 9, (1, 0): 1}), start)
    assert [(q.action, q.rivals) for q in asked] == [
        ("wave", ("phone", "drink")),
        ("clap", ("wave",)),
    ]
    assert after.round == 1
    assert after.classes[0].joints == (10,) and after.classes[0].sentence == "Not phone or drink."
    assert after.classes[2:] == start.classes[2:]


def test_only_a_changed_set_of_rivals_is_asked_about_again() -> None:
    asked: list[Question] = []
    agent = guide(asked)
    one = agent.refresh(confusions({(0, 2): 3, (0, 3): 9, (1, 0): 1}), agent.start())
    asked.clear()
    two = agent.refresh(confusions({(0, 2): 9, (0, 3): 3, (1, 0): 1, (1, 3): 1}), one)
    assert [(q.action, q.rivals) for q in asked] == [("clap", ("wave", "phone"))]
    assert two.classes[0] == one.classes[0]
    asked.clear()
    three = agent.refresh(confusions({}), two)
    assert not asked and three.classes == two.classes and three.round == 3


def test_the_number_of_rivals_is_limited() -> None:
    asked: list[Question] = []
    agent = guide(asked)
    limited = Guide(agent.questioner, agent.selector, NAMES, max_rivals=1)
    limited.refresh(confusions({(0, 1): 1, (0, 2): 5, (0, 3): 2}), agent.start())
    assert asked[-1].rivals == ("drink",)


def test_a_chat_failing_costs_only_its_class_and_is_tried_again() -> None:
    asked: list[Question] = []
    start = guide(asked).start()
    mistakes = confusions({(0, 2): 3, (1, 0): 1})
    after = guide(asked, failing="wave").refresh(mistakes, start)
    known, kept = start.classes[0], after.classes[0]
    assert (kept.joints, kept.sentence, kept.rivals, kept.dialogue) == (
        known.joints, known.sentence, known.rivals, known.dialogue
    )  # fmt: skip
    assert "offline" in kept.notes[0]
    assert after.classes[1].sentence == "Not wave."
    again = guide(asked).refresh(mistakes, after)
    assert again.classes[0].sentence == "Not drink." and again.classes[0].notes == ()


def test_a_class_that_could_not_be_described_is_described_later() -> None:
    asked: list[Question] = []
    start = guide(asked, failing="wave").start()
    assert start.classes[0].joints == () and "wave" in start.classes[0].sentence
    assert "offline" in start.classes[0].notes[0]
    asked.clear()
    after = guide(asked).refresh(confusions({(0, 2): 3}), start)
    assert [question.step for question in asked] == list(Step)
    assert after.classes[0].sentence == "Not drink."


def test_rivals_are_never_the_class_itself_or_named_twice() -> None:
    asked: list[Question] = []
    agent = guide(asked, names=("wave", "clap", "clap", "wave"))
    agent.refresh(confusions({(0, 1): 3, (0, 2): 2, (0, 3): 9, (3, 0): 1}), agent.start())
    assert [(q.action, q.rivals) for q in asked[20:]] == [("wave", ("clap",))]


def test_a_refresh_from_saved_guidance_equals_an_uninterrupted_one() -> None:
    agent = guide([])
    one = agent.refresh(confusions({(0, 2): 3}), agent.start())
    restored = Guidance.from_json(one.to_json(), COCO_17)
    mistakes = confusions({(0, 3): 3, (2, 1): 4})
    assert agent.refresh(mistakes, restored) == agent.refresh(mistakes, one)
