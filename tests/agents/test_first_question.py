from __future__ import annotations

import warnings
from collections.abc import Sequence

import pytest

from skeletonagent.agents.first_question import FirstQuestion
from skeletonagent.agents.questioner import Questioner
from skeletonagent.core.dialogue import Exchange, Outcome, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import Answer, Chat
from skeletonagent.llm.chats.fallback import FallbackChat


class Model:
    """A model that answers, or does not, and counts what it was asked."""

    def __init__(self, *faults: str, name: str = "model") -> None:
        self.faults, self.name = faults, name
        self.asked: list[Question] = []

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        self.asked.append(question)
        if not self.faults:
            return Answer("A hand rises.")
        number = len(self.faults)
        raise ChatError(self.name, question.action, question.step, number, "no", self.faults)


def first(chat: Chat, *, must_answer: bool = True) -> FirstQuestion:
    return FirstQuestion(Questioner(chat, COCO_17), "wave", must_answer)


def test_it_is_asked_once_and_its_answer_is_kept() -> None:
    model = Model()
    question = first(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dialogue = question.ask()
    assert question.ask() is dialogue
    assert [q.step for q in model.asked] == [Step.OVERVIEW]
    assert dialogue.answer(Step.OVERVIEW) == "A hand rises."


@pytest.mark.parametrize("fault", ["http 401", "http 403", "http 404"])
def test_a_lasting_fault_ends_the_training_unless_told_otherwise(fault: str) -> None:
    with pytest.raises(ChatError, match=r"no\. Nothing was trained.*agents.must_answer=false"):
        first(Model("http 429", fault)).ask()
    with pytest.warns(RuntimeWarning, match="model did not answer the first question: no"):
        dialogue = first(Model("http 429", fault), must_answer=False).ask()
    assert dialogue.exchanges[0].outcome is Outcome.UNANSWERED


@pytest.mark.parametrize("fault", ["http 500", "timeout", "connection", "refusal", "http 429"])
def test_any_other_fault_is_said(fault: str) -> None:
    with pytest.warns(RuntimeWarning, match="the training goes on and asks again"):
        first(Model("http 404", fault)).ask()


def test_a_model_that_stands_in_is_named() -> None:
    chat = FallbackChat((Model("http 401"), Model(name="second")))
    with pytest.warns(RuntimeWarning, match=r"second answers in place of another.*http 401"):
        assert first(chat).ask().exchanges[0].usable
