"""A question and what was said before it, as the turns of a conversation."""

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
"""What a language model is told about its part."""


class Speaker(StrEnum):
    """Whose turn it is."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(NamedTuple):
    """Something said in a conversation."""

    speaker: Speaker
    text: str


def to_messages(history: Sequence[Exchange], question: str) -> tuple[Message, ...]:
    """Return the conversation: the role, what was answered so far, and a question's words.

    A question nobody answered is left out, for a model would take it for one still open.
    """
    told = (
        turn
        for exchange in history
        if exchange.answer
        for turn in (
            Message(Speaker.USER, exchange.question.plain),
            Message(Speaker.ASSISTANT, exchange.answer),
        )
    )
    return (Message(Speaker.SYSTEM, ROLE), *told, Message(Speaker.USER, question))
