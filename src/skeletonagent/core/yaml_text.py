"""YAML text from outside: bounded, and of plain values."""

from __future__ import annotations

import re
from typing import Any

import yaml

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_text import printable_line

MOST_CHARACTERS = 2**20
MOST_VALUES = 2**16
"""Values that a text may stand for, those that are repeated by aliases counted each time."""

MOST_BRACKETS = 200
"""Brackets in brackets, those in quoted text counted as well."""
_BRACKET = re.compile(r"[\[\]{}]")


def parse_yaml(text: str, source: str) -> Any:
    """Return the value that a YAML text stands for.

    Args:
        text: The text.
        source: Origin of the text, for messages.

    Raises:
        ConfigError: If it is no YAML, or stands for more values than any configuration has.
    """
    problem = f"it is longer than {MOST_CHARACTERS} characters"
    if _bracket_depth(text) > MOST_BRACKETS:
        problem = "it is nested too deeply"
    elif len(text) <= MOST_CHARACTERS:
        try:
            value = yaml.safe_load(text)
            count = _count(value, {})
        except (yaml.YAMLError, ValueError, TypeError, AttributeError, OverflowError) as error:
            problem = printable_line(error, 300)
        except RecursionError:
            problem = "it is nested too deeply"
        else:
            if count <= MOST_VALUES:
                return value
            problem = f"with its aliases it stands for more than {MOST_VALUES} values"
    raise ConfigError(f"{source} cannot be read as YAML: {problem}")


def _bracket_depth(text: str) -> int:
    """Return how many brackets are open at once, of which YAML takes the square in time."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text[:MOST_CHARACTERS]):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _count(value: Any, counts: dict[int, int]) -> int:
    """Return the number of values in a value; each is looked at once, however often it occurs."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) not in counts:
        counts[id(value)] = MOST_VALUES + 1  # what contains itself has no end
        items = [*value, *value.values()] if isinstance(value, dict) else value
        counts[id(value)] = min(1 + sum(_count(item, counts) for item in items), MOST_VALUES + 1)
    return counts[id(value)]
