"""Answers out of dialogues on record, so that a training can be repeated without the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skeletonagent.core.dialogue import DESCRIPTION, Exchange, Outcome, Provenance, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.llm.chat import Answer

_Asked = tuple[str, Step, int, str]


class RecordedChat:
    """A chat that says again what was said.

    A question on record, in its very words, gets the answer the model gave, also one that could
    not be used, and stays unanswered where it was. A question about the class itself in other
    words gets the usable answer of its step. Of two classes with one name the first counts.

    Args:
        transcripts: What was said.
    """

    name = "record"

    def __init__(self, transcripts: DialogueCollection) -> None:
        self._attempts: dict[_Asked, Exchange] = {}
        self._described: dict[tuple[str, Step], Exchange] = {}
        for dialogue in transcripts.dialogues:
            for exchange in dialogue.exchanges:
                for attempt in _given_first(exchange):
                    self._attempts.setdefault(_asked(attempt.question), attempt)
            for step in DESCRIPTION:
                if told := dialogue.latest(step):
                    self._described.setdefault((dialogue.action, step), told)

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the recorded answer.

        Raises:
            ChatError: If there is none on record, or nobody answered then.
        """
        found = self._attempts.get(_asked(question)) or self._described.get(
            (question.action, question.step)
        )
        if found is None:
            raise ChatError(self.name, question.action, question.step, 1, "was not recorded")
        if found.outcome is Outcome.UNANSWERED:
            raise _unanswered(found)
        return Answer(found.answer, found.source)


def _asked(question: Question) -> _Asked:
    return (question.action, question.step, question.round, question.text)


def _given_first(exchange: Exchange) -> Iterator[Exchange]:
    """Yield the attempts, those with a model's own words before those that were repaired."""
    attempts = exchange.attempts
    yield from (attempt for attempt in attempts if attempt.outcome is not Outcome.REPAIRED)
    yield from (attempt for attempt in attempts if attempt.outcome is Outcome.REPAIRED)


def _unanswered(exchange: Exchange) -> ChatError:
    source, question = exchange.source or Provenance("record"), exchange.question
    kind = ChatError if source.requests else ChatClosedError
    return kind(
        source.model,
        question.action,
        question.step,
        source.requests,
        exchange.problem,
        source.faults,
    )
