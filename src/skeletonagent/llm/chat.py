"""Whoever answers the agents' questions: a language model, a program, or a script in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import ChatError


@runtime_checkable
class Chat(Protocol):
    """Something that answers questions about actions."""

    @property
    def name(self) -> str:
        """Who answers, as it stands in error messages and records."""
        ...

    def ask(self, question: Question, history: Sequence[Exchange]) -> str:
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

    def ask(self, question: Question, history: Sequence[Exchange]) -> str:
        """Return the scripted answer.

        Raises:
            ChatError: If the table has no answer to the question.
        """
        if callable(self.answers):
            return self.answers(question, history)
        try:
            return self.answers[question.action, question.step]
        except KeyError:
            raise ChatError(
                self.name, question.action, question.step, 1, "the script has no line for it"
            ) from None
