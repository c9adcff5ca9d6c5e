"""JSON files that are read back, and checked against a schema as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import UNREADABLE, problem_line, read_outside_text
from skeletonagent.core.outside_text import brief, printable_line

_MISTAKES_SHOWN, _LONGEST_MISTAKE = 3, 250


class JsonRecord(BaseModel):
    """Base class of what a JSON object must hold; further keys are allowed."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


def read_json(path: Path, schema: Any) -> Any:
    """Return the content of a JSON file as plain values.

    Args:
        path: File.
        schema: Type that the content must have, such as ``dict[str, float]`` or a
            :class:`JsonRecord`.

    Raises:
        DataError: If it cannot be read, or has other content.
    """
    return parse_json(read_outside_text(path), schema, path)


def parse_json(text: str, schema: Any, path: Path) -> Any:
    """Return a JSON text as plain values.

    Args:
        text: The text.
        schema: Type that it must have.
        path: File it is from.

    Raises:
        DataError: If it is no JSON, or has other content.
    """
    try:
        value = json.loads(text)
        _check(schema)(value)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)[:_MISTAKES_SHOWN]
        lines = "; ".join(_mistake_line(mistake) for mistake in mistakes)
        raise DataError(f"is damaged: {lines}", path=path) from error
    except UNREADABLE as error:
        raise DataError(f"is damaged: {problem_line(error)}", path=path) from error
    return value


@cache
def _check(schema: Any) -> Callable[[Any], Any]:
    """Return the function that raises where a value is not of a schema."""
    is_record = isinstance(schema, type) and issubclass(schema, BaseModel)
    config = None if is_record else ConfigDict(strict=True)
    return TypeAdapter(schema, config=config).validate_python


def _mistake_line(mistake: Any) -> str:
    place = ".".join(str(part) for part in mistake["loc"])
    line = f"{place}: {mistake['msg']}" if place else str(mistake["msg"])
    return printable_line(f"{line}, got {brief(mistake['input'])}", _LONGEST_MISTAKE)
