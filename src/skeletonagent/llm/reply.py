"""In which form a model answers, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Output(StrEnum):
    """In which form a model gives its answer."""

    TOOL = "tool"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True)
class Reply:
    """What came back from one request.

    Args:
        text: The answer, as JSON unless plain text was asked for.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        refused: Whether the provider marked it as a refusal.
        cut: Whether the answer was cut off at its longest length.
    """

    text: str
    input_tokens: int
    output_tokens: int
    refused: bool = False
    cut: bool = False
