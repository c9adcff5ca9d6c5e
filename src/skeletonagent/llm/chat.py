"""Protocol of those that answer the agents' questions: a language model, a program, a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from skeletonagent.core.dialogue import Exchange, Provenance, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.outside_text import printable_text
from skeletonagent.llm.answer_schemas import AnswerSchema

LONGEST_ANSWER = 10_000
"""Longest answer, in characters, several times the longest that can be used."""


@dataclass(frozen=True)
class Answer:
    """An answer to a question; its text is cleaned and, beyond all measure, cut.

    Args:
        text: The answer in plain text, laid out as the question's form asks; it is recorded, shown
            and shown to language models again.
        source: Provenance of the answer, where it is worth recording.
        parsed: The answer in its fields, where it was given in them.
        caveats: What the one who answers says against the own answer, in words.
    """

    text: str
    source: Provenance | None = None
    parsed: AnswerSchema | None = field(default=None, compare=False, kw_only=True)
    caveats: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Clean the text."""
        object.__setattr__(self, "text", printable_text(self.text, LONGEST_ANSWER))

    @classmethod
    def typed(
        cls,
        parsed: AnswerSchema,
        source: Provenance | None = None,
        caveats: tuple[str, ...] = (),
    ) -> Answer:
        """Return an answer given in fields."""
        return cls(parsed.text(), source, parsed=parsed, caveats=caveats)


@runtime_checkable
class Chat(Protocol):
    """Something that answers questions about actions, from several threads at once."""

    @property
    def name(self) -> str:
        """Name of the chat in error messages and records."""
        ...

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the answer to a question.

        Args:
            question: The question.
            history: The exchanges that the question builds on, oldest first.

        Raises:
            ChatError: If there is no answer.
        """
        ...


@dataclass(frozen=True)
class ScriptedChat:
    """A chat with scripted answers.

    Args:
        answers: Either a function of question and history, or a table by action and step.
        name: Name of the chat.
    """

    answers: (
        Callable[[Question, Sequence[Exchange]], str | AnswerSchema]
        | Mapping[tuple[str, Step], str | AnswerSchema]
    )
    name: str = "script"

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the scripted answer.

        Raises:
            ChatError: If the table has no answer to the question.
        """
        if callable(self.answers):
            answer = self.answers(question, history)
        else:
            try:
                answer = self.answers[question.action, question.step]
            except KeyError:
                raise ChatError(
                    self.name, question.action, question.step, 1, "the script has no line for it"
                ) from None
        return Answer(answer) if isinstance(answer, str) else Answer.typed(answer)
