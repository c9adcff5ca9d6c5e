"""The Questioner: questions about a class, coarse to fine at first and about its rivals later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.content import Fits, check_answer
from skeletonagent.agents.answers.repair import repair, repair_answer, repair_lossless
from skeletonagent.core.dialogue import (
    DESCRIPTION,
    Dialogue,
    Exchange,
    Outcome,
    Provenance,
    Question,
    Step,
)
from skeletonagent.core.errors import AnswerError, ChatClosedError, ChatError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.chat import Chat

REMEMBERED_ROUNDS = 2
"""Number of earlier targeted exchanges that a new targeted question sees in full."""
RECALLED_ROUNDS = 8
"""Number of targeted exchanges before these whose answers a new targeted question summarises."""
TRIES = 3
"""Number of rounds in which a step of the description is asked before it is given up."""


@dataclass(frozen=True)
class Questioner:
    """Turn recognition feedback into targeted questions (paper section 3.3).

    An answer that fails a check is asked for once more, with the reason; if that fails too, it is
    repaired where its meaning is beyond doubt. Nothing here raises: a question without an answer
    is an exchange too, so that the dialogue documents all that happened.

    Args:
        chat: Chat that answers the questions.
        layout: The skeleton of the joints.
        fits: Whether the text encoder takes in a sentence; None if it has no limit.
    """

    chat: Chat
    layout: SkeletonLayout
    fits: Fits | None = None

    def begin(self, action: str) -> Dialogue:
        """Ask the first question of the description alone."""
        return self._describe_step(Dialogue(action), DESCRIPTION[0], 0)

    def describe(self, dialogue: Dialogue, round_number: int = 0) -> Dialogue:
        """Ask what is missing of the coarse-to-fine description; each question sees the others.

        Args:
            dialogue: The exchanges about the class so far, possibly none.
            round_number: Number of the agents' round.
        """
        for step in self.undescribed(dialogue):
            dialogue = self._describe_step(dialogue, step, round_number)
            if not _was_sent(dialogue.exchanges[-1]):
                break
        return dialogue

    def _describe_step(self, dialogue: Dialogue, step: Step, round_number: int) -> Dialogue:
        question = prompts.question(step, dialogue.action, self.layout, round_number=round_number)
        history = tuple(
            exchange
            for other in DESCRIPTION[: DESCRIPTION.index(step)]
            if (exchange := dialogue.latest(other))
        )
        return _append(dialogue, self._ask(question, history))

    def undescribed(self, dialogue: Dialogue) -> tuple[Step, ...]:
        """Return the steps of the description that have no usable answer and may yet get one."""
        asked = [e.question.step for e in dialogue.exchanges if _was_sent(e)]
        return tuple(
            step
            for step in DESCRIPTION
            if dialogue.latest(step) is None and asked.count(step) < TRIES
        )

    def distinguish(
        self,
        dialogue: Dialogue,
        rivals: Sequence[str],
        counts: Sequence[int] = (),
        round_number: int = 0,
    ) -> Dialogue:
        """Ask afresh what sets the class apart from ``rivals``; without rivals nothing is asked.

        The question sees the description and the latest targeted exchanges, and a summary of
        earlier ones, so that constraints stay consistent over a training.
        """
        if not rivals:
            return dialogue
        targeted = _targeted(dialogue)
        older = targeted[:-REMEMBERED_ROUNDS][-RECALLED_ROUNDS:]
        question = prompts.question(
            Step.DISTINGUISH,
            dialogue.action,
            self.layout,
            rivals,
            counts=counts,
            round_number=round_number,
            before=older,
        )
        history = (*_description(dialogue), *targeted[-REMEMBERED_ROUNDS:])
        return _append(dialogue, self._ask(question, history))

    def reconsider(self, dialogue: Dialogue, step: Step, reason: str) -> Dialogue:
        """Ask the latest question of a step once more, with a reason.

        A usable answer replaces the earlier one; any other is only recorded with it.
        """
        index = max(i for i, e in enumerate(dialogue.exchanges) if e.question.step is step)
        first = dialogue.exchanges[index]
        question = replace(first.question, text=f"{first.question.text}\n\n{reason}")
        before = replace(dialogue, exchanges=dialogue.exchanges[:index])
        history = (*_description(before), *_targeted(before)[-REMEMBERED_ROUNDS:], first)
        second = self._attempt(question, history)
        if second.outcome is Outcome.REJECTED:
            second = self._repaired(second, history)
        if second.usable:
            kept = replace(second, earlier=(*first.attempts, *second.earlier))
        else:
            kept = replace(first, earlier=(*first.earlier, second))
        exchanges = (*dialogue.exchanges[:index], kept, *dialogue.exchanges[index + 1 :])
        return replace(dialogue, exchanges=exchanges)

    def _ask(self, question: Question, history: Sequence[Exchange]) -> Exchange:
        """Return the exchange of a question: asked, asked again, then repaired."""
        first = self._attempt(question, history)
        if first.outcome is not Outcome.REJECTED:
            return first
        text = (
            f"{question.text}\n\nYour previous answer could not be used: {first.problem}. Answer "
            "again and keep to the form exactly."
        )
        second = self._attempt(replace(question, text=text), (*history, first))
        if second.outcome is Outcome.REJECTED:
            second = self._repaired(second, history)
        if second.usable:
            return replace(second, earlier=(first, *second.earlier))
        repaired = self._repaired(first, history)
        if repaired.usable:
            return replace(repaired, earlier=(*repaired.earlier, second))
        return replace(second, earlier=(first,))

    def _attempt(self, question: Question, history: Sequence[Exchange]) -> Exchange:
        """Return the exchange of one request; a slip that leaves no doubt is repaired at once."""
        try:
            answer = self.chat.ask(question, history)
        except ChatError as error:
            sent = 0 if isinstance(error, ChatClosedError) else error.attempts
            source = Provenance(error.provider, requests=sent, faults=error.faults)
            return Exchange(question, "", Outcome.UNANSWERED, error.problem, source)
        exchange = Exchange(question, answer.text, source=answer.source, caveats=answer.caveats)
        try:
            check_answer(exchange, self.layout, self.fits, before=history, parsed=answer.parsed)
        except AnswerError as error:
            failed = replace(exchange, outcome=Outcome.REJECTED, problem=error.problem)
            return repair_answer(
                failed, repair_lossless(failed, self.layout, self.fits, before=history)
            )
        return exchange

    def _repaired(self, failed: Exchange, history: Sequence[Exchange]) -> Exchange:
        return repair_answer(failed, repair(failed, self.layout, self.fits, before=history))


def _append(dialogue: Dialogue, exchange: Exchange) -> Dialogue:
    """Return the longer dialogue; a question that was not sent stays only until the next one."""
    exchanges = tuple(e for e in dialogue.exchanges if _was_sent(e))
    return replace(dialogue, exchanges=(*exchanges, exchange))


def _was_sent(exchange: Exchange) -> bool:
    unsent = exchange.source is not None and exchange.source.requests == 0
    return not (exchange.outcome is Outcome.UNANSWERED and unsent)


def _description(dialogue: Dialogue) -> tuple[Exchange, ...]:
    """Return the usable exchanges of the description, in the order of its steps."""
    return tuple(e for e in map(dialogue.latest, DESCRIPTION) if e)


def _targeted(dialogue: Dialogue) -> tuple[Exchange, ...]:
    """Return the usable targeted exchanges, oldest first."""
    return tuple(e for e in dialogue.exchanges if e.question.step is Step.DISTINGUISH and e.usable)
