"""YAML text from outside: bounded, and of plain values."""

from __future__ import annotations

from typing import Any

import yaml

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_text import printable_line

MOST_CHARACTERS = 2**20
MOST_VALUES = 2**16
"""Values that a text may stand for, those that are repeated by aliases counted each time."""


def parse_yaml(text: str, source: str) -> Any:
    """Return the value that a YAML text stands for.

    Args:
        text: The text.
        source: Origin of the text, for messages.

    Raises:
        ConfigError: If it is no YAML, or stands for more values than any configuration has.
    """
    problem = f"it is longer than {MOST_CHARACTERS} characters"
    if len(text) <= MOST_CHARACTERS:
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


def _count(value: Any, counts: dict[int, int]) -> int:
    """Return the number of values in a value; each is looked at once, however often it occurs."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) not in counts:
        counts[id(value)] = MOST_VALUES + 1  # what contains itself has no end
        items = [*value, *value.values()] if isinstance(value, dict) else value
        counts[id(value)] = min(1 + sum(_count(item, counts) for item in items), MOST_VALUES + 1)
    return counts[id(value)]
