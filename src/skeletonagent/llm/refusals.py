"""Refusals and disclaimers in the text of an answer."""

from __future__ import annotations

import re

_DECLINE = (
    r"\bi(?: am|'m) (?:sorry|unable|not able)\b|\bi apologi[sz]e\b|\bi can(?:not|'t| not)\b"
    r"|\b(?:cannot|can't|unable to) (?:assist|help|provide|comply)\b|\bas an ai\b"
    r"|\bagainst (?:my|the) (?:policy|rules)\b"
)
_DISCLAIMER = r"\bdisclaimer\b|\blanguage model\b|\bplease note\b"
_DECLINES = re.compile(_DECLINE, re.IGNORECASE)
_REFUSES = re.compile(f"{_DECLINE}|{_DISCLAIMER}", re.IGNORECASE)


def refusal_in(text: str) -> str | None:
    """Return the words by which a text refuses or disclaims, or None if it does neither."""
    return _first(_REFUSES, text)


def declined_in(text: str) -> str | None:
    """Return the words by which a text declines to answer at all, or None if it does not.

    A mere disclaimer beside an answer is no reason to give the question up: asked again with the
    reason, a model leaves it out.
    """
    return _first(_DECLINES, text)


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text.replace("\u2019", "'"))
    return match.group() if match else None
