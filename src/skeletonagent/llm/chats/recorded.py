"""Answers from recorded dialogues, so that a training can be repeated without the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skeletonagent.core.dialogue import DESCRIPTION, Exchange, Outcome, Provenance, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.llm.chat import Answer

_Key = tuple[str, Step, int, str]


class RecordedChat:
    """Chat that repeats recorded answers.

    A recorded question, with the same text, gets the answer that the model gave, also one that
    could not be used, and stays unanswered if it was. A question of the description with another
    text gets the usable answer of its step. Of two classes with one name the first counts.

    Args:
        transcripts: The recorded dialogues.
    """

    name = "record"

    def __init__(self, transcripts: DialogueCollection) -> None:
        self._attempts: dict[_Key, Exchange] = {}
        self._described: dict[tuple[str, Step], Exchange] = {}
        for dialogue in transcripts.dialogues:
            for exchange in dialogue.exchanges:
                for attempt in _originals_first(exchange):
                    self._attempts.setdefault(_key(attempt.question), attempt)
            for step in DESCRIPTION:
                if latest := dialogue.latest(step):
                    self._described.setdefault((dialogue.action, step), latest)

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the recorded answer.

        Raises:
            ChatError: If none is recorded, or the question was not answered.
        """
        recorded = self._attempts.get(_key(question)) or self._described.get(
            (question.action, question.step)
        )
        if recorded is None:
            raise ChatError(self.name, question.action, question.step, 1, "was not recorded")
        if recorded.outcome is Outcome.UNANSWERED:
            raise _unanswered(recorded)
        return Answer(recorded.answer, recorded.source, caveats=recorded.caveats)


def _key(question: Question) -> _Key:
    return (question.action, question.step, question.round, question.text)


def _originals_first(exchange: Exchange) -> Iterator[Exchange]:
    """Yield the attempts, those with a model's original answers before repaired ones."""
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
