"""Cleaning of text from outside: answers, recordings, names in files.

Whatever comes from outside is cleaned where it enters, once, so that nothing later has to expect
sequences that steer a terminal, characters that cannot be written to a file, or endless lines.
"""

from __future__ import annotations

import re
import reprlib
import unicodedata
from typing import Any

LONGEST_NAME = 500
"""Longest name of a class, a split, a data set or a sample, in characters."""

_STRING = r"[^\x07\x1b\x9c\n]*"
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # colours, movements of the cursor
    rf"|\x1b[\]PX^_]{_STRING}(?:\x07|\x1b\\|\x9c)?"  # titles, the clipboard, links
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    rf"|[\x90\x98\x9d-\x9f]{_STRING}(?:\x07|\x1b\\|\x9c)"
)
"""Sequences that steer a terminal, also those that are not ended."""
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters, and what hides or reorders the characters beside it."""


_SHOWN = 80

_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxother, _brief.maxstring = 2, _SHOWN, _SHOWN
_brief.maxlist = _brief.maxtuple = _brief.maxdict = _brief.maxset = _brief.maxfrozenset = 3


def printable_text(text: str, most: int) -> str:
    """Return a text without anything that steers a terminal or cannot be written to a file.

    Every kind of line end becomes a line feed, half a surrogate pair U+FFFD; composed characters
    are normalised (NFC). Plain text stays as it is.

    Args:
        text: Text from outside.
        most: Longest result, in characters; a longer one ends in an ellipsis.
    """
    if text.isascii() and text.isprintable() and len(text) <= most:
        return text
    text = text[: 4 * most]  # nothing is spent on what is cut off
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _LINE_END.sub("\n", _SEQUENCE.sub("", text))
    text = unicodedata.normalize("NFC", _HIDDEN.sub("", text))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable_line(text: object, most: int = LONGEST_NAME) -> str:
    """Return a text in one line, cleaned as :func:`printable_text` does."""
    return re.sub(r"[\n\t]", " ", printable_text(str(text), most))


def printable_values(value: Any, most: int) -> Any:
    """Return values of JSON with every text in them, keys included, cleaned."""
    if isinstance(value, str):
        return printable_text(value, most)
    if isinstance(value, dict):
        return {printable_line(key): printable_values(item, most) for key, item in value.items()}
    if isinstance(value, list):
        return [printable_values(item, most) for item in value]
    return value


def brief(value: object) -> str:
    """Return a value from a file as a message shows it: in one line, of bounded length and cost."""
    try:
        shown = _brief.repr(value)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        shown = f"a {type(value).__name__}"  # a number of too many digits
    return printable_line(shown, _SHOWN)
