"""Checks on the fields of an answer, whether they came typed or were read from text.

Every check takes the exchange, whose question it names in the :class:`AnswerError` that it raises.
They are strict: only spacing, letter case and asterisks are overlooked. What can be corrected
without a guess is corrected by :mod:`skeletonagent.agents.answers.repair`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from skeletonagent.agents.answers.joint_labels import (
    JointLabel,
    answer_lines,
    labels_in,
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
"""Most joints described."""
DETAILS_OF_MANY = (4, 8)
"""Fewest and most joints described if more than ``MAX_DETAILS`` are critical."""
MAX_DISTINGUISHING = 8
"""Most joints of a targeted answer."""
NEAR_ALL = 0.8
"""A choice of this share of the joints or more is no choice."""

BULLET = re.compile(r"^(?:[-•–—]\s*|[0-9]{1,3}[.)]\s+)")
HEADING = re.compile(
    r"^(?:final )?(?:answer|sentence|summary|overview|description|difference|key features?"
    r"|(?:critical |salient )?joints?(?: labels)?)\s*:\s*",
    re.IGNORECASE,
)
SEVERAL_PARTS = re.compile(rf"(?<!^)\b(?=(?:{'|'.join(BODY_PARTS)})\s*:)")
"""The place at which one body part follows another on the same line."""
_DASH = re.compile(r"[–—]|\s-\s")
_QUOTED = re.compile(r'^["“].*["”]$')

LabelCheck = Callable[[Exchange, str, JointLabel | None, SkeletonLayout], int]
"""A check that returns the joint of a label, given as written and as read."""


def answer_error(exchange: Exchange, problem: str) -> AnswerError:
    """Return the error about an exchange's answer."""
    question = exchange.question
    return AnswerError(question.action, question.step, exchange.answer, problem)


def check_wording(exchange: Exchange) -> list[str]:
    """Return the lines of an answer's text.

    Raises:
        AnswerError: If there are none, or they refuse or disclaim.
    """
    lines = answer_lines(exchange.answer)
    if not lines:
        raise answer_error(exchange, "the answer is empty")
    refusal = refusal_in(" ".join(lines))
    if refusal:
        raise answer_error(exchange, f"it refuses or disclaims ({refusal!r})")
    return lines


def check_entries(exchange: Exchange, entries: Sequence[tuple[str, str]]) -> None:
    """Check that every name has a text.

    Raises:
        AnswerError: If one has none.
    """
    for name, text in entries:
        if not text.strip():
            line = f"{name}:"
            raise answer_error(exchange, f"a line is not of the form 'name: text': {line[:40]!r}")


def check_sentence(exchange: Exchange, sentence: str, layout: SkeletonLayout, most: int) -> str:
    """Return a sentence of at most so many words.

    Raises:
        AnswerError: If it is longer, a list item, quoted, without words, or has a heading, dashes
            or joint labels.
    """
    problem = _sentence_problem(sentence, exchange.question, layout)
    if problem:
        raise answer_error(exchange, problem)
    words = len(sentence.split())
    if words > most:
        problem = f"the sentence has {words} words, at most {most} are allowed"
        raise answer_error(exchange, problem)
    return sentence


def check_body_parts(exchange: Exchange, entries: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the text of each body part, in the order asked for.

    Raises:
        AnswerError: If a part is missing, repeated, unknown or out of order, or several stand in
            one text.
    """
    if any(SEVERAL_PARTS.search(f"{part}: {text}") for part, text in entries):
        raise answer_error(exchange, "several body parts stand on one line")
    names = [part for part, _ in entries]
    if sorted(names) != sorted(BODY_PARTS):
        raise answer_error(exchange, f"the lines must be {', '.join(BODY_PARTS)}, once each")
    if names != list(BODY_PARTS):
        raise answer_error(exchange, f"the order of the lines is not {', '.join(BODY_PARTS)}")
    return dict(entries)


def check_detail_lines(exchange: Exchange, lines: Sequence[str], layout: SkeletonLayout) -> None:
    """Check that every line describes one joint.

    Raises:
        AnswerError: If one describes several.
    """
    if any(len(split_joints(line, layout)) > 1 for line in lines):
        raise answer_error(exchange, "several joints stand on one line")


def check_joints(
    exchange: Exchange,
    labels: Sequence[tuple[str, JointLabel | None]],
    layout: SkeletonLayout,
    check_label: LabelCheck,
    most: int,
) -> tuple[int, ...]:
    """Return the joints of labels, 0-based and ascending.

    Args:
        exchange: The question and the answer.
        labels: Each label as it is written and as it is read.
        layout: The skeleton of the joints.
        check_label: Check of a single label.
        most: Largest number of joints.

    Raises:
        AnswerError: If a label fails its check, or the joints are repeated, unordered, too many or
            nearly all there are.
    """
    joints = [check_label(exchange, written, label, layout) for written, label in labels]
    if len(set(joints)) != len(joints):
        raise answer_error(exchange, "a joint is named twice")
    if len(joints) >= NEAR_ALL * layout.num_joints:
        problem = f"{len(joints)} of {layout.num_joints} joints is no choice"
        raise answer_error(exchange, problem)
    if len(joints) > most:
        problem = f"{len(joints)} joints are named, at most {most} are allowed"
        raise answer_error(exchange, problem)
    if joints != sorted(joints):
        raise answer_error(exchange, "the joints are not in ascending order")
    return tuple(joints)


def check_choice(exchange: Exchange, joints: Sequence[int], before: Sequence[Exchange]) -> None:
    """Check that the joints described are a fair part of the critical ones.

    Args:
        exchange: The question and the answer.
        joints: The joints described.
        before: Exchanges before it; the latest about critical joints counts.

    Raises:
        AnswerError: If one is not critical, or they are too few or too many.
    """
    asked = [e for e in before if e.question.step is Step.CRITICAL_JOINTS]
    if not asked:
        return
    critical = _numbered_joints(asked[-1])
    stray = [joint + 1 for joint in joints if joint not in critical]
    if asked[-1].usable and stray:
        raise answer_error(exchange, f"label {stray[0]} is not among the critical joints")
    fewest, most = DETAILS_OF_MANY
    if len(critical) > MAX_DETAILS and not fewest <= len(joints) <= most:
        problem = f"{len(joints)} of {len(critical)} critical joints are described, "
        raise answer_error(exchange, f"{problem}{fewest} to {most} are to be chosen")


def check_number(
    exchange: Exchange, written: str, label: JointLabel | None, layout: SkeletonLayout
) -> int:
    """Return the joint of a label that is a number alone.

    Raises:
        AnswerError: If it is no number, or no joint has it.
    """
    if label is None or label.name:
        raise answer_error(exchange, f"{written[:40]!r} is not the number of a joint's label")
    return _existing(exchange, label.number, layout)


def check_name(
    exchange: Exchange, written: str, label: JointLabel | None, layout: SkeletonLayout
) -> int:
    """Return the joint of a label that has number and name.

    Raises:
        AnswerError: If either is missing, no joint has the number, or the name is another's.
    """
    if label is None or not label.name:
        raise answer_error(exchange, f"{written[:40]!r} is not a joint's label and name")
    joint = _existing(exchange, label.number, layout)
    if label.joint(layout) is None:
        problem = f"label {label.number} is {layout.display_name(joint)!r}, not {label.name!r}"
        raise answer_error(exchange, problem)
    return joint


def _existing(exchange: Exchange, number: int, layout: SkeletonLayout) -> int:
    if not 1 <= number <= layout.num_joints:
        raise answer_error(exchange, f"label {number} is outside 1 to {layout.num_joints}")
    return number - 1


def _numbered_joints(exchange: Exchange) -> set[int]:
    """Return the joints whose numbers stand in an answer, even in one that cannot be used."""
    if exchange.content is not None:
        return set(exchange.content.joints)
    return {int(number) - 1 for number in re.findall(r"[0-9]{1,3}", exchange.answer)}


def _sentence_problem(sentence: str, question: Question, layout: SkeletonLayout) -> str | None:
    """Return the problem with a sentence's form; names of classes may hold anything."""
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
