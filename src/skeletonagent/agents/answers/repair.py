"""Correction of answers whose meaning is beyond doubt.

A first correction loses nothing of the answer: order, repetitions, bullets, quotation marks,
dashes, broken lines, labels without names. If the answer is still wrong, a second one leaves out
notes around the answer, joints that do not exist, or the end of a sentence that is too long. The
result must pass :func:`skeletonagent.agents.answers.content.check_answer`, or there is no repair.

A typed answer that failed a check is corrected by its text as well, so that there is one set of
rules for all answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from skeletonagent.agents.answers import cleanup
from skeletonagent.agents.answers.content import Fits, check_answer
from skeletonagent.agents.answers.joint_labels import answer_lines
from skeletonagent.core.dialogue import AnswerContent, Exchange, Outcome
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.refusals import refusal_in


@dataclass(frozen=True)
class Repair:
    """A corrected answer.

    Args:
        text: The answer as it should have been.
        problem: The check the given answer failed; empty if it failed none and stays as it is.
        content: Content of the corrected answer.
    """

    text: str
    problem: str
    content: AnswerContent | None = field(default=None, compare=False, repr=False)


Rewriting = Callable[[Exchange, SkeletonLayout], Iterator[str]]
"""Yield the answers that an exchange's answer may have been meant as, the closest first."""


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
        layout: The skeleton of the joints.
        fits: Whether the text encoder takes in a sentence; None if it has no limit.
        before: Exchanges before it, as :func:`check_answer` takes them.
    """
    return _first_valid(exchange, layout, fits, before, _cleaned_answers)


def repair(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> Repair | None:
    """Return the answer as it must have been meant, or None if that would be a guess.

    Arguments as of :func:`repair_lossless`, whose repairs are tried first; others leave out what
    cannot be used.
    """
    return repair_lossless(exchange, layout, fits, before=before) or _first_valid(
        exchange, layout, fits, before, _pruned_answers
    )


def validated(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None = None,
    *,
    before: Sequence[Exchange] = (),
) -> Exchange:
    """Return the exchange with the outcome of the checks: accepted, repaired or rejected.

    Arguments as of :func:`repair_lossless`.
    """
    try:
        check_answer(exchange, layout, fits, before=before)
    except AnswerError as error:
        failed = replace(exchange, outcome=Outcome.REJECTED, problem=error.problem)
        return repair_answer(failed, repair(exchange, layout, fits, before=before))
    return replace(exchange, outcome=Outcome.ACCEPTED, problem="")


def repair_answer(failed: Exchange, correction: Repair | None) -> Exchange:
    """Return the exchange with its corrected answer, the given one kept as an attempt."""
    if correction is None:
        return failed
    return Exchange(
        question=failed.question,
        answer=correction.text,
        outcome=Outcome.REPAIRED,
        problem=correction.problem or failed.problem,
        earlier=(*failed.earlier, replace(failed, earlier=())),
        caveats=failed.caveats,
        content=correction.content,
    )


def _first_valid(
    exchange: Exchange,
    layout: SkeletonLayout,
    fits: Fits | None,
    before: Sequence[Exchange],
    rewriting: Rewriting,
) -> Repair | None:
    """Return the first rewriting that passes every check."""
    content, problem = _checked(exchange, layout, fits, before)
    if not problem:
        return Repair(exchange.answer, "", content)
    if refusal_in(" ".join(answer_lines(exchange.answer))):
        return None
    for text in rewriting(exchange, layout):
        content, remaining = _checked(exchange.with_answer(text), layout, fits, before)
        if not remaining:
            return Repair(text, problem, content)
    return None


def _checked(
    exchange: Exchange, layout: SkeletonLayout, fits: Fits | None, before: Sequence[Exchange]
) -> tuple[AnswerContent | None, str]:
    """Return the content of an answer, or else the check that it fails."""
    try:
        return check_answer(exchange, layout, fits, before=before), ""
    except AnswerError as error:
        return None, error.problem


def _cleaned_answers(exchange: Exchange, layout: SkeletonLayout) -> Iterator[str]:
    step = exchange.question.step
    yield cleanup.clean_answer(step, answer_lines(exchange.answer), layout)


def _pruned_answers(exchange: Exchange, layout: SkeletonLayout) -> Iterator[str]:
    step = exchange.question.step
    lines = cleanup.prune_answer(step, answer_lines(exchange.answer), layout)
    text = cleanup.clean_answer(step, lines, layout)
    yield text
    yield from cleanup.shorten_sentence(step, text)
