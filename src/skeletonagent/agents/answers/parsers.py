"""Read answers and check them, so that nothing a chat makes up reaches the recognizer.

Every parser takes the exchange and the layout, and raises :class:`AnswerError` naming the check
that failed. They are strict: only spacing, blank lines, letter case and asterisks are overlooked.
What can be put right without guessing is put right by :mod:`skeletonagent.agents.answers.repair`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skeletonagent.agents.answers.joint_labels import (
    answer_lines,
    labels_in,
    parse_label,
    split_joints,
)
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.refusals import refusal_in

MAX_WORDS = 60
"""Longest sentence, in words; text encoders read about 77 tokens."""
MAX_OVERVIEW_WORDS = 120
"""Longest overview; it is background for later questions and reaches no text encoder."""
MAX_DETAILS = 10
DETAILS_OF_MANY = (4, 8)
"""Fewest and most joints described if more than ``MAX_DETAILS`` are critical."""
MAX_DISTINGUISHING = 8
NEAR_ALL = 0.8
"""A choice of this share of the joints or more chooses nothing."""
DISTINCTION = ("joints", "difference")
"""The keys of a targeted answer's lines, in order."""

Fits = Callable[[str], bool]
"""Whether a text encoder takes a whole sentence in."""

BULLET = re.compile(r"^(?:[-•–—]\s*|[0-9]{1,3}[.)]\s+)")
HEADING = re.compile(
    r"^(?:final )?(?:answer|sentence|summary|overview|description|difference|key features?"
    r"|(?:critical |salient )?joints?(?: labels)?)\s*:\s*",
    re.IGNORECASE,
)
SEVERAL_PARTS = re.compile(rf"(?<!^)\b(?=(?:{'|'.join(BODY_PARTS)})\s*:)")
"""Where one body part follows another on the same line."""
_DASH = re.compile(r"[–—]|\s-\s")
_QUOTED = re.compile(r'^["“].*["”]$')


@dataclass(frozen=True)
class Distinction:
    """What sets a class apart from its rivals.

    Args:
        joints: Salient joints, 0-based, ascending.
        sentence: The difference in words.
    """

    joints: tuple[int, ...]
    sentence: str


def check(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> None:
    """Check an answer against what its step asked for.

    Args:
        exchange: The question and the answer.
        layout: The skeleton whose joints are spoken of.
        fits: Whether the text encoder takes a whole sentence in; None if it has no limit.
        before: Exchanges before it. Joints are described of those found critical there.

    Raises:
        AnswerError: If it cannot be used as it is.
    """
    step = exchange.question.step
    told = _PARSERS[step](exchange, layout)
    sentence = told.sentence if isinstance(told, Distinction) else told
    if fits and step in _ENCODED and isinstance(sentence, str) and not fits(sentence):
        raise _error(exchange, "the sentence is too long for the text encoder")
    if step is Step.JOINT_DETAILS and isinstance(told, tuple):
        _check_choice(exchange, told, before)


def parse_overview(exchange: Exchange, layout: SkeletonLayout) -> str:
    """Return the overview's one sentence.

    Raises:
        AnswerError: As :func:`parse_sentence`, but it may be longer.
    """
    return _sentence(exchange, _lines(exchange), layout, MAX_OVERVIEW_WORDS)


def parse_sentence(exchange: Exchange, layout: SkeletonLayout) -> str:
    """Return the answer's one sentence.

    Raises:
        AnswerError: If it is empty, a refusal, too long, a list, of several lines, quoted, or has
            a heading, dashes or joint labels.
    """
    return _sentence(exchange, _lines(exchange), layout, MAX_WORDS)


def parse_body_parts(exchange: Exchange, layout: SkeletonLayout) -> Mapping[str, str]:
    """Return the text of each body part, in the order asked for.

    Raises:
        AnswerError: If a part is missing, repeated, unknown, out of order or without text, or
            several stand on one line.
    """
    entries = [(part.strip().capitalize(), text.strip()) for part, text in _entries(exchange)]
    if any(SEVERAL_PARTS.search(f"{part}: {text}") for part, text in entries):
        raise _error(exchange, "several body parts stand on one line")
    named = [part for part, _ in entries]
    if sorted(named) != sorted(BODY_PARTS):
        raise _error(exchange, f"the lines must be {', '.join(BODY_PARTS)}, once each")
    if named != list(BODY_PARTS):
        raise _error(exchange, f"the order of the lines is not {', '.join(BODY_PARTS)}")
    return dict(entries)


def parse_critical_joints(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints of a comma-separated line of numbers, 0-based and ascending.

    Raises:
        AnswerError: If it is not one line of numbers, or one of the checks on joints fails.
    """
    lines = _lines(exchange)
    if len(lines) != 1:
        raise _error(exchange, f"one line of labels is needed, not {len(lines)} lines")
    joints = [_numbered(exchange, label, layout) for label in _split(lines[0])]
    return _chosen(exchange, joints, layout, layout.num_joints)


def parse_joint_details(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints described line by line, 0-based and ascending.

    Raises:
        AnswerError: If a line is not ``label-name: text``, or one of the checks on joints fails.
    """
    if any(len(split_joints(line, layout)) > 1 for line in _lines(exchange)):
        raise _error(exchange, "several joints stand on one line")
    joints = [_named(exchange, label, layout) for label, _ in _entries(exchange)]
    return _chosen(exchange, joints, layout, MAX_DETAILS)


def parse_distinction(exchange: Exchange, layout: SkeletonLayout) -> Distinction:
    """Return the joints and the sentence that set the class apart.

    Raises:
        AnswerError: If it is not a ``Joints:`` and a ``Difference:`` line, or either is unusable.
    """
    entries = _entries(exchange)
    keys = [key.strip().lower() for key, _ in entries]
    if sorted(keys) != sorted(DISTINCTION):
        raise _error(exchange, "exactly a 'Joints:' and a 'Difference:' line are needed")
    if keys != list(DISTINCTION):
        raise _error(exchange, "the 'Joints:' line must come first")
    (_, labels), (_, sentence) = entries
    joints = [_named(exchange, label, layout) for label in _split(labels)]
    return Distinction(
        _chosen(exchange, joints, layout, MAX_DISTINGUISHING),
        _sentence(exchange, [sentence.strip()], layout, MAX_WORDS),
    )


_PARSERS: dict[Step, Callable[[Exchange, SkeletonLayout], object]] = {
    Step.OVERVIEW: parse_overview,
    Step.BODY_PARTS: parse_body_parts,
    Step.CRITICAL_JOINTS: parse_critical_joints,
    Step.JOINT_DETAILS: parse_joint_details,
    Step.KEY_FEATURES: parse_sentence,
    Step.DISTINGUISH: parse_distinction,
}
_ENCODED = (Step.KEY_FEATURES, Step.DISTINGUISH)
"""The steps whose sentence reaches the text encoder."""


def _error(exchange: Exchange, problem: str) -> AnswerError:
    question = exchange.question
    return AnswerError(question.action, question.step, exchange.answer, problem)


def _lines(exchange: Exchange) -> list[str]:
    """Return the answer's lines, if it is an answer at all."""
    lines = answer_lines(exchange.answer)
    if not lines:
        raise _error(exchange, "the answer is empty")
    refusal = refusal_in(" ".join(lines))
    if refusal:
        raise _error(exchange, f"it refuses or disclaims ({refusal!r})")
    return lines


def _entries(exchange: Exchange) -> list[tuple[str, str]]:
    """Return the ``key: text`` pairs of the answer's lines."""
    entries = []
    for line in _lines(exchange):
        key, colon, text = line.partition(":")
        if not colon or not text.strip():
            raise _error(exchange, f"a line is not of the form 'name: text': {line[:40]!r}")
        entries.append((key, text))
    return entries


def _sentence(exchange: Exchange, lines: Sequence[str], layout: SkeletonLayout, most: int) -> str:
    if len(lines) != 1:
        raise _error(exchange, f"one sentence on one line is needed, not {len(lines)} lines")
    problem = _fault(lines[0], exchange.question, layout)
    if problem:
        raise _error(exchange, problem)
    words = len(lines[0].split())
    if words > most:
        raise _error(exchange, f"the sentence has {words} words, at most {most} are allowed")
    return lines[0]


def _fault(sentence: str, question: Question, layout: SkeletonLayout) -> str | None:
    """Return what is wrong with a sentence's form; a class's name may hold what it likes."""
    for name in sorted((question.action, *question.rivals), key=len, reverse=True):
        sentence = sentence.replace(" ".join(name.replace("_", " ").split()), "it")
    if BULLET.match(sentence):
        return "the sentence is a list item"
    if not any(letter.isalpha() for letter in sentence):
        return "the sentence has no words"
    if HEADING.match(sentence):
        return "the sentence has a heading"
    if _QUOTED.match(sentence):
        return "the sentence is in quotation marks"
    if _DASH.search(sentence):
        return "the sentence has a dash"
    labels = labels_in(sentence, layout)
    return f"the sentence has the joint label {labels[0][0]!r}" if labels else None


def _split(line: str) -> list[str]:
    """Return the labels of a line; a comma inside a joint's name does not end it."""
    return re.split(r"\s*,\s*(?=[0-9])", line.strip(" ."))


def _chosen(
    exchange: Exchange, joints: Sequence[int], layout: SkeletonLayout, most: int
) -> tuple[int, ...]:
    if len(set(joints)) != len(joints):
        raise _error(exchange, "a joint is named twice")
    if len(joints) >= NEAR_ALL * layout.num_joints:
        raise _error(exchange, f"{len(joints)} of {layout.num_joints} joints is no choice")
    if len(joints) > most:
        raise _error(exchange, f"{len(joints)} joints are named, at most {most} are allowed")
    if list(joints) != sorted(joints):
        raise _error(exchange, "the joints are not in ascending order")
    return tuple(joints)


def _check_choice(exchange: Exchange, joints: Sequence[int], before: Sequence[Exchange]) -> None:
    """Raise unless the joints described are a fair part of those found critical before."""
    asked = [e for e in before if e.question.step is Step.CRITICAL_JOINTS]
    if not asked:
        return
    critical = {int(number) - 1 for number in re.findall(r"[0-9]{1,3}", asked[-1].answer)}
    stray = [joint + 1 for joint in joints if joint not in critical]
    if asked[-1].usable and stray:
        raise _error(exchange, f"label {stray[0]} is not among the critical joints")
    fewest, most = DETAILS_OF_MANY
    if len(critical) > MAX_DETAILS and not fewest <= len(joints) <= most:
        problem = f"{len(joints)} of {len(critical)} critical joints are described, "
        raise _error(exchange, f"{problem}{fewest} to {most} are to be chosen")


def _numbered(exchange: Exchange, text: str, layout: SkeletonLayout) -> int:
    label = parse_label(text)
    if label is None or label.name:
        raise _error(exchange, f"{text[:40]!r} is not the number of a joint's label")
    return _existing(exchange, label.number, layout)


def _named(exchange: Exchange, text: str, layout: SkeletonLayout) -> int:
    label = parse_label(text)
    if label is None or not label.name:
        raise _error(exchange, f"{text[:40]!r} is not a joint's label and name")
    joint = _existing(exchange, label.number, layout)
    if label.joint(layout) is None:
        problem = f"label {label.number} is {layout.display_name(joint)!r}, not {label.name!r}"
        raise _error(exchange, problem)
    return joint


def _existing(exchange: Exchange, number: int, layout: SkeletonLayout) -> int:
    if not 1 <= number <= layout.num_joints:
        raise _error(exchange, f"label {number} is outside 1 to {layout.num_joints}")
    return number - 1
