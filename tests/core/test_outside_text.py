from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.outside_text import printable_line, printable_text, printable_values

ANY_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF, categories=None))


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "A person waves.",
        "Head: still.\nHand: rises\tslowly.",
        "挥手 – straße “é” 👋🏽",
        "می‌رود",
    ],
)
def test_plain_text_stays_as_it_is(plain: str) -> None:
    assert printable_text(plain, 1000) == plain


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("A person\x1b]0;title\x1b\\ walks", "A person walks"),
        ("A person\x1b]52;c;ZXZpbA==\x07 walks", "A person walks"),
        ("\x1b[2J\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b2Jred\x9d0;title\x9c", "red"),
        ("cut off\x1b]0;title", "cut off"),
        ("cut off\x1b[1", "cut off"),
        ("cut off\x1b", "cut off"),
        ("walks \ud83d forward", "walks \ufffd forward"),
        ("walks \ud83d\udc4b forward", "walks 👋 forward"),
        ("1\u20282\u20293\x854\r\n5\r6\x0b7", "1\n2\n3\n4\n5\n6\n7"),
        ("a\x00b\x07c\x7fd\u202ee\ufefff", "abcdef"),
        ("e\u0301", "é"),
        ("don\x92t", "dont"),
    ],
)  # fmt: skip
def test_what_steers_a_terminal_or_cannot_be_written_goes(given: str, cleaned: str) -> None:
    assert printable_text(given, 1000) == cleaned


@given(ANY_TEXT, st.integers(2, 40))
def test_any_text_becomes_one_that_can_be_written_and_read_line_by_line(
    text: str, most: int
) -> None:
    cleaned = printable_text(text, most)
    assert len(cleaned) <= most
    assert cleaned.encode().decode() == cleaned
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in cleaned if c not in "\n\t")
    assert cleaned.splitlines() == cleaned.removesuffix("\n").split("\n") or not cleaned
    assert printable_text(cleaned, most) == cleaned
    assert "\n" not in printable_line(text)


def test_long_text_is_cut_and_says_so() -> None:
    assert printable_text("word " * 10**6, 12) == "word word w…"
    assert printable_text("x" * 12, 12) == "x" * 12


def test_values_of_a_record_are_cleaned_keys_included() -> None:
    record = json.loads(r'{"a\u001b[2J": ["\ud83d", 1, null, {"b": "c\u2028d"}]}')
    assert printable_values(record, 100) == {"a": ["\ufffd", 1, None, {"b": "c\nd"}]}
