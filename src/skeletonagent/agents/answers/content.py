"""Content of an answer: from its typed fields where it came in them, or else from its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skeletonagent.agents.answers import checks, parsers
from skeletonagent.agents.answers.typed import check_typed_answer
from skeletonagent.core.dialogue import AnswerContent, Exchange, Step
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.answer_schemas import AnswerSchema

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
