from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from skeletonagent.agents.questioner import Questioner
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import ScriptedChat

GOOD = {
    Step.OVERVIEW: "A hand swings.",
    Step.BODY_PARTS: "\n".join(
        f"{part}: moves." for part in ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")
    ),
    Step.CRITICAL_JOINTS: "10, 11",
    Step.JOINT_DETAILS: "10-left wrist: swings.\n11-right wrist: swings.",
    Step.KEY_FEATURES: "A hand swings beside the head.",
    Step.DISTINGUISH: "Joints: 11-right wrist\nDifference: It swings higher.",
}


@dataclass
class Listener:
    """A chat that remembers what it was asked."""

    answers: dict[Step, list[str]] = field(default_factory=dict)
    asked: list[tuple[Question, tuple[Exchange, ...]]] = field(default_factory=list)
    name: str = "listener"

    def ask(self, question: Question, history: Sequence[Exchange]) -> str:
        self.asked.append((question, tuple(history)))
        scripted = self.answers.get(question.step)
        return scripted.pop(0) if scripted else GOOD[question.step]


def test_a_description_goes_from_coarse_to_fine_and_each_question_sees_the_earlier_ones() -> None:
    chat = Listener()
    dialogue = Questioner(chat, COCO_17).describe("wave")
    assert [question.step for question, _ in chat.asked] == list(Step)[:5]
    for n, (_, history) in enumerate(chat.asked):
        assert history == dialogue.exchanges[:n]
    assert dialogue.answer(Step.KEY_FEATURES) == GOOD[Step.KEY_FEATURES]


def test_without_rivals_nothing_is_asked() -> None:
    chat, dialogue = Listener(), Dialogue("wave")
    assert Questioner(chat, COCO_17).distinguish(dialogue, ()) is dialogue
    assert not chat.asked


def test_a_targeted_question_sees_the_description_and_the_last_two_rounds() -> None:
    chat = Listener()
    questioner = Questioner(chat, COCO_17)
    described = dialogue = questioner.describe("wave")
    for rival in "abcde":
        dialogue = questioner.distinguish(dialogue, (rival,))
    history = chat.asked[-1][1]
    assert history[:5] == described.exchanges
    assert [exchange.question.rivals for exchange in history[5:]] == [("c",), ("d",)]
    rounds = [e.question.rivals for e in dialogue.exchanges if e.question.step is Step.DISTINGUISH]
    assert rounds == [("c",), ("d",), ("e",)]
    assert dialogue.before(Step.DISTINGUISH) == described


def test_an_unusable_answer_is_asked_for_once_more_with_the_reason() -> None:
    chat = Listener({Step.DISTINGUISH: ["Joints: 99\nDifference: x.", GOOD[Step.DISTINGUISH]]})
    dialogue = Questioner(chat, COCO_17).distinguish(Dialogue("wave"), ("clap",))
    assert [exchange.answer for exchange in dialogue.exchanges] == [GOOD[Step.DISTINGUISH]]
    (_, first), (again, history) = chat.asked
    assert first == () and history[-1].answer.startswith("Joints: 99")
    assert "label 99 is outside 1 to 17" in again.text


def test_a_second_unusable_answer_stands() -> None:
    chat = Listener({Step.DISTINGUISH: ["no", "no again"]})
    dialogue = Questioner(chat, COCO_17).distinguish(Dialogue("wave"), ("clap",))
    assert dialogue.answer(Step.DISTINGUISH) == "no again"
    assert len(chat.asked) == 2


def test_a_silent_chat_raises() -> None:
    with pytest.raises(ChatError):
        Questioner(ScriptedChat({}), COCO_17).describe("wave")
