"""Put answers right where what was meant is beyond doubt.

An answer is first tidied, which loses nothing of it: order, repetitions, bullets, quotation marks,
dashes, broken lines, labels without names. What is still wrong then may be pruned: notes around
the answer, joints that exist nowhere, the end of a sentence that is too long. Whatever comes of
it must pass :func:`skeletonagent.agents.answers.parsers.check`, or there is no repair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents.answers import cleanup
from skeletonagent.agents.answers.joint_labels import answer_lines
from skeletonagent.agents.answers.parsers import Fits, check
from skeletonagent.core.dialogue import Exchange, Outcome
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.refusals import refusal_in


@dataclass(frozen=True)
class Repair:
    """An answer put right.

    Args:
        text: The answer as it should have been.
        problem: The check the given answer failed; empty if it failed none and stays as it is.
    """

    text: str
    problem: str


Rewriting = Callable[[Exchange, SkeletonLayout], Iterator[str]]
"""Answers an exchange's answer may have been meant as, closest first."""


def repair_lossless(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> Repair | None:
    """Return a repair that loses nothing of the answer, so that it need not be asked for again.

    Args:
        exchange: The question and the answer.
        layout: The skeleton whose joints are spoken of.
        fits: Whether the text encoder takes a whole sentence in; None if it has no limit.
        before: Exchanges before it, as :func:`check` takes them.
    """
    return _first(exchange, layout, fits, before, _cleaned)


def repair(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> Repair | None:
    """Return the answer as it must have been meant, or None if that would be a guess.

    Arguments as :func:`repair_lossless`, whose repairs come first; others leave out what cannot be used.
    """
    return repair_lossless(exchange, layout, fits, before=before) or _first(
        exchange, layout, fits, before, _pruned_answer
    )


def validated(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> Exchange:
    """Return the exchange with what has become of its answer: accepted, repaired or rejected.

    Arguments as :func:`repair_lossless`.
    """
    try:
        check(exchange, layout, fits, before=before)
    except AnswerError as error:
        failed = replace(exchange, outcome=Outcome.REJECTED, problem=error.problem)
        return repair_answer(failed, repair(exchange, layout, fits, before=before))
    return replace(exchange, outcome=Outcome.ACCEPTED, problem="")


def repair_answer(failed: Exchange, mended: Repair | None) -> Exchange:
    """Return the exchange with its repaired answer, the given one kept as an attempt."""
    if mended is None:
        return failed
    return Exchange(
        question=failed.question,
        answer=mended.text,
        outcome=Outcome.REPAIRED,
        problem=mended.problem,
        earlier=(*failed.earlier, replace(failed, earlier=())),
    )


def _first(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None,
    before: Sequence[Exchange],
    rewriting: Rewriting,
) -> Repair | None:
    """Return the first rewriting that passes every check."""
    problem = _problem(exchange, layout, fits, before)
    if not problem:
        return Repair(exchange.answer, "")
    if refusal_in(" ".join(answer_lines(exchange.answer))):
        return None
    for text in rewriting(exchange, layout):
        if not _problem(replace(exchange, answer=text), layout, fits, before):
            return Repair(text, problem)
    return None


def _problem(
    exchange: Exchange, layout: SkeletonLayout, fits: Fits | None, before: Sequence[Exchange]
) -> str:
    try:
        check(exchange, layout, fits, before=before)
    except AnswerError as error:
        return error.problem
    return ""


def _cleaned(exchange: Exchange, layout: SkeletonLayout) -> Iterator[str]:
    step = exchange.question.step
    yield cleanup.clean_answer(step, answer_lines(exchange.answer), layout)


def _pruned_answer(exchange: Exchange, layout: SkeletonLayout) -> Iterator[str]:
    step = exchange.question.step
    lines = cleanup.prune_answer(step, answer_lines(exchange.answer), layout)
    text = cleanup.clean_answer(step, lines, layout)
    yield text
    yield from cleanup.shorten_sentence(step, text)
