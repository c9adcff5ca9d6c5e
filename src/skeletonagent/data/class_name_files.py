"""Class names in a text file: one a line, for the labels 0, 1, 2 and so on."""

from __future__ import annotations

import re
from pathlib import Path

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.core.outside_text import printable_line
from skeletonagent.data.validation import check_class_names

_LARGEST = 1 << 20
_HEADERS = {"class", "classes", "class_name", "class_names", "name", "names", "label", "labels",
            "action", "actions"}  # fmt: skip
"""First lines that are no class but the head of a column."""
_NUMBERED = re.compile(r"(\d+)[\s,;:.)]+(\S.*)")


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the class names in a text file, one a line, in the order of the labels.

    Lines that all begin with the numbers 0, 1, 2 and so on, or 1, 2, 3, lose them.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read, has a line without a name between others or a header,
            since labels after it would get the names of others, or has a name twice.
    """
    text = read_outside_text(path, _LARGEST, "class names")
    lines = [printable_line(line).strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError("holds no class names; write one a line", path=path)
    if "" in lines:
        raise DataError(
            f"line {lines.index('') + 1} is empty; each line is the name of one label, counted "
            "from 0, also of a label without samples",
            path=path,
        )
    if lines[0].lower().strip("#\"' ") in _HEADERS and len(lines) > 1:
        raise DataError(
            f"begins with {lines[0]!r}, which looks like a header; the first line is the name of "
            "label 0",
            path=path,
        )
    names = _without_numbers(lines)
    check_class_names(names, path)
    return names


def _without_numbers(lines: list[str]) -> tuple[str, ...]:
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    numbers = [int(match[1]) if match else -1 for match in numbered]
    counted = numbers == list(range(numbers[0], numbers[0] + len(lines)))
    if counted and len(lines) > 1 and numbers[0] in (0, 1):
        return tuple(match[2] for match in numbered if match)
    return tuple(lines)
