"""Suggestions for names that are misspelt."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a name is most like, whatever its case; None if it is like none.

    Args:
        name: A name as somebody wrote it.
        known: Names that there are.
    """
    by_spelling = {_spelling(one): one for one in known}
    near = get_close_matches(_spelling(name), by_spelling, n=1)
    return by_spelling[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question for the nearest known name, with a space behind it; else nothing."""
    near = nearest_name(name, known)
    return f"did you mean {near!r}? " if near else ""


def _spelling(name: str) -> str:
    return name.strip().lower().replace("_", "-")
