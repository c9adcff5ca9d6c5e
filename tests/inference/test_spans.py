from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.inference.spans import SpanFinder, SpanRules

RULES = SpanRules(speed=0.5, pause=3, shortest=2, pad=1)


def spans_of(text: str, rules: SpanRules = RULES) -> tuple[list[tuple[int, int]], SpanFinder]:
    """Return the spans of frames that move (M), are still (.) or show nobody (space)."""
    finder = SpanFinder(rules)
    found = [finder.push(float(sign == "M"), sign != " ") for sign in text]
    return [span for span in [*found, finder.finish()] if span], finder


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("....", []),
        ("..MM...", [(2, 5)]),
        ("MM", [(0, 2)]),
        ("..MM..MM...", [(2, 9)]),  # too short a pause
        ("..MM...MM...", [(2, 5), (7, 10)]),
        ("  MM   MM", [(2, 4), (7, 9)]),  # nobody there before and after
        ("  .MM  M ", [(3, 8)]),
        (".M...MM.", [(5, 8)]),  # one frame is no movement
    ],
)
def test_spans_lie_between_pauses(text: str, spans: list[tuple[int, int]]) -> None:
    assert spans_of(text)[0] == spans


def test_the_speed_sees_a_movement_before_it_begins() -> None:
    rules = SpanRules(speed=0.5, pause=3, shortest=2, pad=1, lead=2)
    assert spans_of("....MMMMM...", rules)[0] == [(6, 10)]
    assert spans_of(".MMMMM...", rules)[0] == [(2, 7)]  # one frame of stillness before
    assert spans_of("MMMMM...", rules)[0] == [(0, 6)]  # it may have begun before
    assert spans_of("....MMM...", rules)[0] == []


def test_short_movements_are_counted() -> None:
    assert spans_of("M...M...MM...")[1].too_short == 2


def test_without_a_speed_whoever_is_seen_moves() -> None:
    rules = SpanRules(speed=None, pause=3, shortest=2, pad=0)
    assert spans_of("  ..M..  ..    M ...", rules)[0] == [(2, 11), (15, 20)]


@given(st.text("M. ", max_size=60), st.integers(1, 5), st.integers(0, 2))
def test_spans_are_apart_and_begin_and_end_with_movement(text: str, pause: int, pad: int) -> None:
    rules = SpanRules(0.5, pause, 1, min(pad, pause // 2))
    spans, finder = spans_of(text, rules)
    covered = np.zeros(len(text) + 1, dtype=int)
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        covered[start:end] += 1
        assert " " not in (text[start], text[end - 1])
    assert covered.max() <= 1
    assert all(covered[place] for place, sign in enumerate(text) if sign == "M")
    assert finder.start is None and finder.frame == len(text)
