"""Remarks of readers on files, gathered so that many files say the same thing once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from skeletonagent.core.outside_text import printable_line

_MOST_PLACES = 2
_LONGEST = 1000

RemarkPlaces = dict[str, dict[str, None]]
"""Places of each remark, by its text."""

_gathered: ContextVar[RemarkPlaces | None] = ContextVar("gathered", default=None)
"""Places of each remark, while remarks are gathered."""


def remark(where: object, text: str) -> None:
    """Warn of what a reader assumed about a file, or left out of it.

    Args:
        where: The file, and the recording in it.
        text: What was assumed or left out.
    """
    gathered = _gathered.get()
    said, place = printable_line(text, _LONGEST), printable_line(where, _LONGEST)
    if gathered is None:
        warnings.warn(f"{place}: {said}", stacklevel=3)
    else:
        gathered.setdefault(said, {})[place] = None


@contextmanager
def remarks_collected() -> Iterator[RemarkPlaces]:
    """Collect remarks in place of warning of them, to be repeated by another process."""
    collected: RemarkPlaces = {}
    token = _gathered.set(collected)
    try:
        yield collected
    finally:
        _gathered.reset(token)


def repeat_remarks(collected: RemarkPlaces) -> None:
    """Make remarks that were collected."""
    for text, places in collected.items():
        for place in places:
            remark(place, text)


@contextmanager
def remarks_gathered() -> Iterator[None]:
    """Gather remarks that differ in their place only, and warn of each once, at the end."""
    gathered: dict[str, dict[str, None]] = {}
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
    for text, places in gathered.items():
        more = len(places) - _MOST_PLACES
        listed = ", ".join(list(places)[:_MOST_PLACES])
        where = f"{listed} and {more} more" if more > 0 else listed
        warnings.warn(f"{where}: {text}", stacklevel=5)
