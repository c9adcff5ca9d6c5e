"""Answers in plain text, read into the fields that are checked.

They serve language models that answer in plain text, recordings, cached answers and the authors'
files; typed answers are checked by :mod:`skeletonagent.agents.answers.content`. Every parser takes
the exchange and the layout, and raises :class:`AnswerError` naming the check that failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from skeletonagent.agents.answers import checks
from skeletonagent.agents.answers.checks import answer_error, check_wording
from skeletonagent.agents.answers.claim_lines import CLAIMS_KEY, read_claims
from skeletonagent.agents.answers.joint_labels import JointLabel, parse_label
from skeletonagent.core.dialogue import AnswerContent, Exchange, Step
from skeletonagent.core.layout import SkeletonLayout

DISTINCTION = ("joints", "difference")
"""The keys of a targeted answer's lines, in order; a line of claims may follow."""

Parser = Callable[[Exchange, SkeletonLayout], AnswerContent]
"""Return the content of an answer's text."""


def parse_answer(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the content of an answer's text, read as its step asks.

    Raises:
        AnswerError: If it fails a check.
    """
    return _PARSERS[exchange.question.step](exchange, layout)


def parse_overview(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the overview's one sentence.

    Raises:
        AnswerError: If it is empty, a refusal, of several lines, or fails a check on sentences.
    """
    sentence = _single_line(exchange, "one sentence on one line is needed")
    return AnswerContent(
        sentence=checks.check_sentence(exchange, sentence, layout, checks.MAX_OVERVIEW_WORDS)
    )


def parse_body_parts(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the text of each body part, in the order asked for.

    Raises:
        AnswerError: If a line is not ``part: text``, or a check on body parts fails.
    """
    entries = [(part.strip().capitalize(), text.strip()) for part, text in _entries(exchange)]
    return AnswerContent(parts=checks.check_body_parts(exchange, entries))


def parse_critical_joints(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the joints of a comma-separated line of numbers, 0-based and ascending.

    Raises:
        AnswerError: If it is not one line of numbers, or a check on joints fails.
    """
    labels = _labels(_single_line(exchange, "one line of labels is needed"))
    most = layout.num_joints
    return AnswerContent(checks.check_joints(exchange, labels, layout, checks.check_number, most))


def parse_joint_details(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the joints described line by line, 0-based and ascending.

    Raises:
        AnswerError: If a line is not ``label-name: text``, or a check on joints fails.
    """
    checks.check_detail_lines(exchange, check_wording(exchange), layout)
    labels = [(key, parse_label(key)) for key, _ in _entries(exchange)]
    most = checks.MAX_DETAILS
    return AnswerContent(checks.check_joints(exchange, labels, layout, checks.check_name, most))


def parse_distinction(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the joints, the sentence and the claims that set the class apart.

    Raises:
        AnswerError: If it is not a ``Joints:`` and a ``Difference:`` line, and perhaps one of
            ``Claims:`` after them, or one of the first two fails a check.
    """
    *entries, claims_line = _apart_from_claims(_entries(exchange))
    keys = [key.strip().lower() for key, _ in entries]
    if sorted(keys) != sorted(DISTINCTION):
        raise answer_error(exchange, "exactly a 'Joints:' and a 'Difference:' line are needed")
    if keys != list(DISTINCTION):
        raise answer_error(exchange, "the 'Joints:' line must come first")
    (_, labels), (_, sentence) = entries
    _require_apart(exchange, sentence)
    most = checks.MAX_DISTINGUISHING
    claims, left_out = read_claims(claims_line[1], exchange.question, layout)
    return AnswerContent(
        checks.check_joints(exchange, _labels(labels), layout, checks.check_name, most),
        checks.check_sentence(exchange, sentence.strip(), layout, checks.MAX_WORDS),
        claims=claims,
        left_out=left_out,
    )


def parse_key_features(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the sentence and the claims that set the class apart from all others.

    Raises:
        AnswerError: If it is not one line, and perhaps one of ``Claims:`` after it, or the sentence
            fails a check.
    """
    *lines, last = check_wording(exchange)
    key, _, claims_line = last.partition(":")
    if not lines or key.strip().lower() != CLAIMS_KEY:
        lines, claims_line = [*lines, last], ""
    if len(lines) != 1:
        raise answer_error(exchange, f"one sentence on one line is needed, not {len(lines)} lines")
    _require_apart(exchange, lines[0])
    claims, left_out = read_claims(claims_line, exchange.question, layout)
    sentence = checks.check_sentence(exchange, lines[0], layout, checks.MAX_WORDS)
    return AnswerContent(sentence=sentence, claims=claims, left_out=left_out)


def _require_apart(exchange: Exchange, sentence: str) -> None:
    """Refuse a sentence that claims follow on the same line."""
    if re.search(rf"\b{CLAIMS_KEY}\s*:", sentence, re.IGNORECASE):
        raise answer_error(exchange, "the claims need a line of their own")


def _apart_from_claims(entries: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the entries with that of the claims as the last, empty if there is none."""
    if entries and entries[-1][0].strip().lower() == CLAIMS_KEY:
        return entries
    return [*entries, (CLAIMS_KEY, "")]


_PARSERS: Mapping[Step, Parser] = MappingProxyType(
    {
        Step.OVERVIEW: parse_overview,
        Step.BODY_PARTS: parse_body_parts,
        Step.CRITICAL_JOINTS: parse_critical_joints,
        Step.JOINT_DETAILS: parse_joint_details,
        Step.KEY_FEATURES: parse_key_features,
        Step.DISTINGUISH: parse_distinction,
    }
)


def _single_line(exchange: Exchange, needed: str) -> str:
    lines = check_wording(exchange)
    if len(lines) != 1:
        raise answer_error(exchange, f"{needed}, not {len(lines)} lines")
    return lines[0]


def _entries(exchange: Exchange) -> list[tuple[str, str]]:
    """Return the ``key: text`` pairs of the answer's lines."""
    entries = []
    for line in check_wording(exchange):
        key, colon, text = line.partition(":")
        if not colon or not text.strip():
            problem = f"a line is not of the form 'name: text': {line[:40]!r}"
            raise answer_error(exchange, problem)
        entries.append((key, text))
    return entries


def _labels(line: str) -> list[tuple[str, JointLabel | None]]:
    """Return the labels of a line; a comma inside a joint's name does not end it."""
    labels = re.split(r"\s*,\s*(?=[0-9])", line.strip(" ."))
    return [(label, parse_label(label)) for label in labels]
