"""Read answers and check them, so that nothing a chat makes up reaches the recognizer.

Every parser takes the exchange and the layout, and raises :class:`AnswerError` naming the check
that failed. What can be repaired without guessing (order, spacing, asterisks) is repaired.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout

MAX_WORDS = 60
"""Longest sentence, in words; text encoders read about 77 tokens."""
MAX_OVERVIEW_WORDS = 120
"""Longest overview; it is background for later questions and reaches no text encoder."""
MAX_DETAILS = 10
MAX_DISTINGUISHING = 8
NEAR_ALL = 0.8
"""A choice of this share of the joints or more chooses nothing."""

_REFUSAL = re.compile(
    r"\bi(?: am|'m) (?:sorry|unable|not able)\b|\bi apologi[sz]e\b|\bi can(?:not|'t| not)\b"
    r"|\b(?:cannot|can't|unable to) (?:assist|help|provide|comply)\b|\bdisclaimer\b"
    r"|\bas an ai\b|\blanguage model\b|\bplease note\b|\bagainst (?:my|the) (?:policy|rules)\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(?:[-•–—]\s*|\d+[.)]\s+)")
_LABEL = re.compile(r"^(\d+)(?:\s*-\s*(.+))?$")


@dataclass(frozen=True)
class Distinction:
    """What sets a class apart from its rivals.

    Args:
        joints: Salient joints, 0-based, ascending.
        sentence: The difference in words.
    """

    joints: tuple[int, ...]
    sentence: str


def check(exchange: Exchange, layout: SkeletonLayout) -> None:
    """Check an answer against what its step asked for.

    Raises:
        AnswerError: If it cannot be used.
    """
    _PARSERS[exchange.question.step](exchange, layout)


def parse_overview(exchange: Exchange, layout: SkeletonLayout) -> str:
    """Return the overview's one sentence.

    Raises:
        AnswerError: As :func:`parse_sentence`, but it may be longer.
    """
    return _sentence(exchange, _lines(exchange), layout, MAX_OVERVIEW_WORDS)


def parse_sentence(exchange: Exchange, layout: SkeletonLayout) -> str:
    """Return the answer's one sentence, joint labels replaced by names.

    Raises:
        AnswerError: If it is empty, a refusal, too long, a list or of several lines.
    """
    return _sentence(exchange, _lines(exchange), layout, MAX_WORDS)


def parse_body_parts(exchange: Exchange, layout: SkeletonLayout) -> Mapping[str, str]:
    """Return the text of each body part, in the order asked for.

    Raises:
        AnswerError: If a part is missing, repeated, unknown or has no text.
    """
    texts = {part.strip().capitalize(): text.strip() for part, text in _entries(exchange)}
    if sorted(texts) != sorted(BODY_PARTS) or len(_lines(exchange)) != len(BODY_PARTS):
        raise _error(exchange, f"the lines must be {', '.join(BODY_PARTS)}, once each")
    return {part: texts[part] for part in BODY_PARTS}


def parse_critical_joints(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints of a comma-separated line of labels, 0-based and ascending.

    Raises:
        AnswerError: If it is not one line of labels, or one of the checks on joints fails.
    """
    lines = _lines(exchange)
    if len(lines) != 1:
        raise _error(exchange, f"one line of labels is needed, not {len(lines)} lines")
    return _joints(exchange, _split(lines[0]), layout, layout.num_joints)


def parse_joint_details(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints described line by line, 0-based and ascending.

    Raises:
        AnswerError: If a line is not ``label-name: text``, or one of the checks on joints fails.
    """
    labels = [label for label, _ in _entries(exchange)]
    return _joints(exchange, labels, layout, MAX_DETAILS)


def parse_distinction(exchange: Exchange, layout: SkeletonLayout) -> Distinction:
    """Return the joints and the sentence that set the class apart.

    Raises:
        AnswerError: If it is not a ``Joints:`` and a ``Difference:`` line, or either is unusable.
    """
    entries = {key.strip().lower(): value for key, value in _entries(exchange)}
    if sorted(entries) != ["difference", "joints"] or len(_lines(exchange)) != 2:
        raise _error(exchange, "exactly a 'Joints:' and a 'Difference:' line are needed")
    joints = _joints(exchange, _split(entries["joints"]), layout, MAX_DISTINGUISHING)
    sentence = _sentence(exchange, [entries["difference"].strip()], layout, MAX_WORDS)
    return Distinction(joints, sentence)


_PARSERS: dict[Step, Callable[[Exchange, SkeletonLayout], object]] = {
    Step.OVERVIEW: parse_overview,
    Step.BODY_PARTS: parse_body_parts,
    Step.CRITICAL_JOINTS: parse_critical_joints,
    Step.JOINT_DETAILS: parse_joint_details,
    Step.KEY_FEATURES: parse_sentence,
    Step.DISTINGUISH: parse_distinction,
}


def _error(exchange: Exchange, problem: str) -> AnswerError:
    question = exchange.question
    return AnswerError(question.action, question.step, exchange.answer, problem)


def _lines(exchange: Exchange) -> list[str]:
    """Return the answer's lines without decoration, if it is an answer at all."""
    text = exchange.answer.replace("*", "").replace("\u2019", "'")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        raise _error(exchange, "the answer is empty")
    refusal = _REFUSAL.search(text)
    if refusal:
        raise _error(exchange, f"it refuses or disclaims ({refusal.group()!r})")
    return lines


def _entries(exchange: Exchange) -> list[tuple[str, str]]:
    """Return the ``key: text`` pairs of the answer's lines."""
    entries = []
    for line in _lines(exchange):
        key, colon, text = _BULLET.sub("", line).partition(":")
        if not colon or not text.strip():
            raise _error(exchange, f"a line is not of the form 'name: text': {line[:40]!r}")
        entries.append((key, text))
    return entries


def _sentence(exchange: Exchange, lines: Sequence[str], layout: SkeletonLayout, most: int) -> str:
    if len(lines) != 1:
        raise _error(exchange, f"one sentence on one line is needed, not {len(lines)} lines")
    sentence = lines[0].strip('" ')
    if _BULLET.match(sentence):
        raise _error(exchange, "the sentence is a list item")
    if not any(letter.isalpha() for letter in sentence):
        raise _error(exchange, "the sentence has no words")
    words = len(sentence.split())
    if words > most:
        raise _error(exchange, f"the sentence has {words} words, at most {most} are allowed")
    for joint in range(layout.num_joints):
        label = re.compile(rf"(?<!\d){re.escape(layout.label(joint))}\b")
        sentence = label.sub(layout.spoken(joint), sentence)
    return sentence


def _split(line: str) -> list[str]:
    """Return the labels of a line; a comma inside a joint's name does not end it."""
    return re.split(r"\s*[,;]\s*(?=\d)", line.strip(" ."))


def _joints(
    exchange: Exchange, labels: Sequence[str], layout: SkeletonLayout, most: int
) -> tuple[int, ...]:
    joints = sorted(_joint(exchange, label, layout) for label in labels)
    if len(set(joints)) != len(joints):
        raise _error(exchange, "a joint is named twice")
    if len(joints) >= NEAR_ALL * layout.num_joints:
        raise _error(exchange, f"{len(joints)} of {layout.num_joints} joints is no choice")
    if len(joints) > most:
        raise _error(exchange, f"{len(joints)} joints are named, at most {most} are allowed")
    return tuple(joints)


def _joint(exchange: Exchange, label: str, layout: SkeletonLayout) -> int:
    match = _LABEL.match(label.strip())
    if match is None:
        raise _error(exchange, f"{label[:40]!r} is not a joint's label")
    number, name = int(match.group(1)), match.group(2)
    if not 1 <= number <= layout.num_joints:
        raise _error(exchange, f"label {number} is outside 1 to {layout.num_joints}")
    if name is not None and _words(name) != _words(layout.joints[number - 1]):
        raise _error(exchange, f"label {number} is {layout.spoken(number - 1)!r}, not {name!r}")
    return number - 1


def _words(name: str) -> frozenset[str]:
    """Return the words that make up a joint's name, however they are put together.

    ``tip of the left hand`` is ``left hand tip``, and ``mid hip`` is ``middle of hips``.
    """
    words = {word.removesuffix("s") for word in re.findall(r"[^\W_]+", name.lower())}
    return frozenset("mid" if word == "middle" else word for word in words - {"of", "the"})
