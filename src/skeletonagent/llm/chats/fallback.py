"""Several chats as one: where one gives no answer, the next is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.core.dialogue import Exchange, Provenance, Question
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.llm.chat import Answer, Chat


@dataclass(frozen=True)
class FallbackChat:
    """Chat that asks several chats in order.

    Args:
        chats: The chats, at least one.
    """

    chats: tuple[Chat, ...]

    @property
    def name(self) -> str:
        """Names of the chats."""
        return ", else ".join(chat.name for chat in self.chats)

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the first answer; its provenance has the faults before it.

        Raises:
            ChatClosedError: If none of the chats was asked.
            ChatError: If none gives an answer; the message has the problem of every chat.
        """
        errors: list[ChatError] = []
        for chat in self.chats:
            try:
                return _after(errors, chat.name, chat.ask(question, history))
            except ChatError as error:
                errors.append(error)
        kind = ChatError if any(error.attempts for error in errors) else ChatClosedError
        raise kind(
            self.name,
            question.action,
            question.step,
            sum(error.attempts for error in errors),
            "; ".join(f"{error.provider}: {error.problem}" for error in errors),
            _faults(errors),
        )


def _after(errors: Sequence[ChatError], name: str, answer: Answer) -> Answer:
    """Return an answer whose provenance includes the chats that failed before."""
    if not errors:
        return answer
    source = answer.source or Provenance(name)
    requests = source.requests + sum(error.attempts for error in errors)
    faults = (*_faults(errors), *source.faults)
    return replace(answer, source=replace(source, requests=requests, faults=faults))


def _faults(errors: Sequence[ChatError]) -> tuple[str, ...]:
    return tuple(fault for error in errors for fault in error.faults)
