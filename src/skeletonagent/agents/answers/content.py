"""Content of an answer: from its typed fields where it came in them, or else from its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from skeletonagent.agents.answers import checks, parsers
from skeletonagent.agents.answers.claim_lines import read_claims
from skeletonagent.agents.answers.joint_labels import JointLabel, answer_lines
from skeletonagent.core.dialogue import AnswerContent, Exchange, Step
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.answer_schemas import (
    AnswerSchema,
    BodyPartsAnswer,
    CriticalJointsAnswer,
    DistinctionAnswer,
    JointDetailsAnswer,
    KeyFeaturesAnswer,
    NamedJoint,
    OverviewAnswer,
)

Fits = Callable[[str], bool]
"""A function that returns whether a text encoder takes in a sentence without cutting it."""

_ENCODED = (Step.KEY_FEATURES, Step.DISTINGUISH)
"""The steps whose sentence reaches the text encoder."""


def answer_content(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
    """Return the content of an answer; its text is read at most once and only if need be.

    Args:
        exchange: The question and the answer.
        layout: The skeleton of the joints.

    Raises:
        AnswerError: If the text fails a check.
    """
    if layout.joints != exchange.question.joints:
        return parsers.parse_answer(exchange, layout)
    return exchange.read(lambda: parsers.parse_answer(exchange, layout))


def check_answer(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
    parsed: AnswerSchema | None = None,
) -> AnswerContent:
    """Return the content of an answer that passes every check; the exchange keeps it.

    Args:
        exchange: The question and the answer.
        layout: The skeleton of the joints.
        fits: Whether the text encoder takes in a sentence; None if it has no limit.
        before: Exchanges before it; joints are described of those that are critical there.
        parsed: The answer in its fields, where it came in them.

    Raises:
        AnswerError: If it cannot be used as it is.
    """
    if parsed is not None:
        content = exchange.read(lambda: check_typed_answer(exchange, parsed, layout))
    else:
        content = answer_content(exchange, layout)
    step = exchange.question.step
    if fits and step in _ENCODED and not fits(content.sentence):
        raise checks.answer_error(exchange, "the sentence is too long for the text encoder")
    if step is Step.JOINT_DETAILS:
        checks.check_choice(exchange, content.joints, before)
    return content


_LARGEST_NUMBER = 999
"""Largest number that is read as a joint's label, in fields as in text."""


def check_typed_answer(
    exchange: Exchange, answer: AnswerSchema, layout: SkeletonLayout
) -> AnswerContent:
    """Return the content of a typed answer.

    Args:
        exchange: The question, and the answer as text.
        answer: The answer in its fields.
        layout: The skeleton of the joints.

    Raises:
        AnswerError: If it fails a check.
    """
    lines = checks.check_wording(exchange)
    match answer:
        case OverviewAnswer():
            return _sentence(exchange, answer.sentence, layout, checks.MAX_OVERVIEW_WORDS)
        case KeyFeaturesAnswer():
            content = _sentence(exchange, answer.sentence, layout, checks.MAX_WORDS)
            claims, left_out = read_claims(
                _single_line(answer.claims_line()), exchange.question, layout
            )
            return replace(content, claims=claims, left_out=left_out)
        case BodyPartsAnswer():
            fields = answer.model_dump().items()
            entries = [(name.capitalize(), _single_line(text)) for name, text in fields]
            checks.check_entries(exchange, entries)
            return AnswerContent(parts=checks.check_body_parts(exchange, entries))
        case CriticalJointsAnswer():
            labels = [(str(number), _label(number)) for number in answer.joints]
            most = layout.num_joints
            return AnswerContent(
                checks.check_joints(exchange, labels, layout, checks.check_number, most)
            )
        case JointDetailsAnswer():
            checks.check_detail_lines(exchange, lines, layout)
            entries = [
                (_single_line(joint.spoken()), _single_line(joint.text)) for joint in answer.joints
            ]
            checks.check_entries(exchange, entries)
            return AnswerContent(_named(exchange, answer.joints, layout, checks.MAX_DETAILS))
        case DistinctionAnswer():
            sentence = _single_line(answer.difference)
            labels_line = " ".join(joint.spoken() for joint in answer.joints)
            checks.check_entries(exchange, [("Joints", labels_line), ("Difference", sentence)])
            claims, left_out = read_claims(
                _single_line(answer.claims_line()), exchange.question, layout
            )
            return AnswerContent(
                _named(exchange, answer.joints, layout, checks.MAX_DISTINGUISHING),
                checks.check_sentence(exchange, sentence, layout, checks.MAX_WORDS),
                claims=claims,
                left_out=left_out,
            )
    raise TypeError(f"no step is answered by {type(answer).__name__}")


def _sentence(exchange: Exchange, text: str, layout: SkeletonLayout, most: int) -> AnswerContent:
    sentence = checks.check_sentence(exchange, _single_line(text), layout, most)
    return AnswerContent(sentence=sentence)


def _named(
    exchange: Exchange, joints: Sequence[NamedJoint], layout: SkeletonLayout, most: int
) -> tuple[int, ...]:
    labels = []
    for joint in joints:
        written = _single_line(joint.spoken())
        labels.append((written, _label(joint.label, written.removeprefix(f"{joint.label}-"))))
    return checks.check_joints(exchange, labels, layout, checks.check_name, most)


def _label(number: int, name: str = "") -> JointLabel | None:
    return JointLabel(number, name.strip()) if 0 <= number <= _LARGEST_NUMBER else None


def _single_line(text: str) -> str:
    """Return a field as it stands in the lines of an answer's text."""
    return " ".join(answer_lines(" ".join(text.split())))
