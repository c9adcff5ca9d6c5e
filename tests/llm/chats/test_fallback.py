from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from skeletonagent.core.dialogue import Exchange, Provenance, Question
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.llm.answer_schemas import OverviewAnswer
from skeletonagent.llm.chat import Answer, ScriptedChat
from skeletonagent.llm.chats.fallback import FallbackChat


@dataclass(frozen=True)
class Failing:
    name: str
    attempts: int
    faults: tuple[str, ...] = ()

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        kind = ChatError if self.attempts else ChatClosedError
        raise kind(self.name, "wave", "overview", self.attempts, f"{self.name} broke", self.faults)


@dataclass(frozen=True)
class Answering:
    name: str = "good"

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        return Answer("A hand swings.", Provenance("good", requests=2, faults=("http 500",)))


def test_the_next_is_asked_and_the_source_tells_the_story(
    ask_about: Callable[..., Question],
) -> None:
    chats = (Failing("a", 2, ("http 429", "refusal")), Failing("b", 0), Answering())
    answer = FallbackChat(chats).ask(ask_about(), ())
    assert answer.text == "A hand swings."
    assert answer.source == Provenance(
        "good", requests=4, faults=("http 429", "refusal", "http 500")
    )


def test_without_trouble_the_first_answers_alone(ask_about: Callable[..., Question]) -> None:
    chat = FallbackChat((Answering(), Failing("a", 1)))
    assert chat.ask(ask_about(), ()) == Answering().ask(ask_about(), ())


def test_an_answer_without_a_source_gets_one(ask_about: Callable[..., Question]) -> None:
    script = ScriptedChat(lambda question, history: "x")
    answer = FallbackChat((Failing("a", 1, ("timeout",)), script)).ask(ask_about(), ())
    assert answer.source == Provenance("script", requests=1, faults=("timeout",))


def test_an_answer_stays_typed_after_a_failure(ask_about: Callable[..., Question]) -> None:
    schema = OverviewAnswer(sentence="It moves.")
    script = ScriptedChat(lambda question, history: schema)
    answer = FallbackChat((Failing("a", 1), script)).ask(ask_about(), ())
    assert (answer.text, answer.parsed) == ("It moves.", schema)


def test_when_all_fail_each_is_named(ask_about: Callable[..., Question]) -> None:
    chat = FallbackChat((Failing("a", 2, ("timeout", "timeout")), Failing("b", 0)))
    with pytest.raises(ChatError, match="a: a broke; b: b broke") as caught:
        chat.ask(ask_about(), ())
    assert not isinstance(caught.value, ChatClosedError)
    assert (caught.value.attempts, caught.value.faults) == (2, ("timeout", "timeout"))


def test_when_none_was_asked_the_chat_is_closed(ask_about: Callable[..., Question]) -> None:
    with pytest.raises(ChatClosedError):
        FallbackChat((Failing("a", 0), Failing("b", 0))).ask(ask_about(), ())
