"""Whoever answers the agents' questions: a language model, a program, or a script in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from skeletonagent.core.dialogue import Exchange, Provenance, Question, Step
from skeletonagent.core.errors import ChatError


@dataclass(frozen=True)
class Answer:
    """An answer in plain text, laid out as the question's form asks.

    Args:
        text: The words.
        source: How it came about, where that is worth recording.
    """

    text: str
    source: Provenance | None = None


@runtime_checkable
class Chat(Protocol):
    """Something that answers questions about actions, from several threads at once."""

    @property
    def name(self) -> str:
        """Who answers, as it stands in error messages and records."""
        ...

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the answer to a question.

        Args:
            question: What is asked.
            history: The exchanges the question builds on, oldest first.

        Raises:
            ChatError: If there is no answer.
        """
        ...


@dataclass(frozen=True)
class ScriptedChat:
    """A chat whose answers are known beforehand.

    Args:
        answers: Either a function of question and history, or a table by action and step.
        name: Who answers.
    """

    answers: Callable[[Question, Sequence[Exchange]], str] | Mapping[tuple[str, Step], str]
    name: str = "script"

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the scripted answer.

        Raises:
            ChatError: If the table has no answer to the question.
        """
        if callable(self.answers):
            return Answer(self.answers(question, history))
        try:
            return Answer(self.answers[question.action, question.step])
        except KeyError:
            raise ChatError(
                self.name, question.action, question.step, 1, "the script has no line for it"
            ) from None
