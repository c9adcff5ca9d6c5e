from __future__ import annotations

import pytest

from skeletonagent.agents import prompts
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.answer_schemas import KeyFeaturesAnswer, OverviewAnswer
from skeletonagent.llm.chat import LONGEST_ANSWER, Answer, Chat, ScriptedChat

WAVE = prompts.question(Step.OVERVIEW, "wave", COCO_17)


def test_a_script_answers_by_action_and_step() -> None:
    chat = ScriptedChat({("wave", Step.OVERVIEW): "A hand swings."})
    assert isinstance(chat, Chat)
    assert chat.ask(WAVE, ()) == Answer("A hand swings.")


def test_a_script_answers_by_question_and_history() -> None:
    chat = ScriptedChat(lambda question, history: f"{question.action} after {len(history)}")
    assert chat.ask(WAVE, (Exchange(WAVE, "hello"),)) == Answer("wave after 1")


def test_a_typed_answer_has_the_text_of_its_fields() -> None:
    schema = KeyFeaturesAnswer(sentence="A hand\n swings.")
    answer = ScriptedChat({("wave", Step.OVERVIEW): schema}).ask(WAVE, ())
    assert answer == Answer("A hand swings.")
    assert answer.parsed is schema


def test_a_missing_line_is_a_chat_error_that_names_the_question() -> None:
    with pytest.raises(ChatError, match=r"script gave no answer about 'wave' \(overview\)"):
        ScriptedChat({("wave", Step.BODY_PARTS): "x"}).ask(WAVE, ())


def test_an_answer_is_cleaned_and_cut_where_it_enters() -> None:
    assert Answer("walks \ud83d\x1b]0;title\x07 on\u2028twice").text == "walks \ufffd on\ntwice"
    assert len(Answer("word " * 400_000).text) == LONGEST_ANSWER
    typed = Answer.typed(OverviewAnswer(sentence="It\x1b[2J\u2028walks " + "on " * 10**6))
    assert typed.text.startswith("It walks on on") and len(typed.text) <= LONGEST_ANSWER
    assert typed.parsed.sentence.startswith("It\nwalks on")
