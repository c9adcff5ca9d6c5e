"""A question and the exchanges before it, as the messages of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from skeletonagent.core.dialogue import Exchange

ROLE = (
    "You are an expert on how people move. A recogniser learns to tell actions apart from the "
    "positions of body joints over time; it sees no objects, no faces and no surroundings. You are "
    "asked about one action at a time, step by step. Speak of visible body motion only: which "
    "parts move, along which path, how far, how fast and in what order. Be concrete and brief, "
    "stay consistent with your earlier answers, and give the answer alone, without preface, notes "
    "or warnings."
)
"""System message: the role of the language model."""


class Speaker(StrEnum):
    """Speaker of a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(NamedTuple):
    """Message of a conversation."""

    speaker: Speaker
    text: str


def to_messages(history: Sequence[Exchange], question: str) -> tuple[Message, ...]:
    """Return the conversation: the role, the answered questions so far, and the question.

    A question without an answer is left out, since a model would take it for one still open.
    """
    earlier = (
        message
        for exchange in history
        if exchange.answer
        for message in (
            Message(Speaker.USER, exchange.question.plain),
            Message(Speaker.ASSISTANT, exchange.answer),
        )
    )
    return (Message(Speaker.SYSTEM, ROLE), *earlier, Message(Speaker.USER, question))
