from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import Answer
from skeletonagent.llm.chats.recorded import RecordedChat

SOURCE = Provenance(
    "openai:gpt-4o", {"temperature": 0.0}, "2026-01-01T00:00:00+00:00", 1.5, 10, 5, 1
)


def recorded(*exchanges: Exchange) -> RecordedChat:
    return RecordedChat(DialogueCollection(COCO_17, (Dialogue("wave", exchanges),)))


def test_the_same_question_gets_the_models_own_words(ask_about: Callable[..., Question]) -> None:
    question = ask_about(Step.CRITICAL_JOINTS)
    given = Exchange(question, "10,  8 ", Outcome.REJECTED, "out of order", SOURCE)
    repaired = Exchange(question, "8, 10", Outcome.REPAIRED, "put in order", earlier=(given,))
    assert recorded(repaired).ask(question, ()) == Answer("10,  8 ", SOURCE)


def test_every_attempt_is_found_by_its_words(ask_about: Callable[..., Question]) -> None:
    question = ask_about(Step.DISTINGUISH, round_number=2)
    again = replace(question, text=f"{question.text} Again.")
    chat = recorded(
        Exchange(again, "good", source=SOURCE, earlier=(Exchange(question, "bad", source=SOURCE),))
    )
    assert chat.ask(question, ()).text == "bad"
    assert chat.ask(again, ()).text == "good"


def test_a_description_in_other_words_gets_its_usable_answer(
    ask_about: Callable[..., Question],
) -> None:
    question = ask_about(Step.OVERVIEW)
    chat = recorded(Exchange(replace(question, text="imported"), "A hand swings.", source=SOURCE))
    assert chat.ask(question, ()) == Answer("A hand swings.", SOURCE)


def test_rounds_are_told_apart_and_other_words_are_not_guessed(
    ask_about: Callable[..., Question],
) -> None:
    chat = recorded(Exchange(ask_about(Step.DISTINGUISH, round_number=1), "x", source=SOURCE))
    with pytest.raises(ChatError, match="was not recorded"):
        chat.ask(ask_about(Step.DISTINGUISH, round_number=2), ())


@pytest.mark.parametrize(("requests", "kind"), [(4, ChatError), (0, ChatClosedError)])
def test_what_was_unanswered_stays_so(
    ask_about: Callable[..., Question], requests: int, kind: type[ChatError]
) -> None:
    source = replace(SOURCE, requests=requests, faults=("timeout",) * requests)
    question = ask_about()
    chat = recorded(Exchange(question, "", Outcome.UNANSWERED, "no answer in time", source))
    with pytest.raises(ChatError) as caught:
        chat.ask(question, ())
    error = caught.value
    assert type(error) is kind
    assert (error.provider, error.problem) == (source.model, "no answer in time")
    assert (error.attempts, error.faults) == (requests, source.faults)
