"""The Questioner: ask about a class, coarse to fine first and about its rivals later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.parsers import Fits
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
"""How many earlier targeted exchanges a new targeted question sees word for word."""
RECALLED_ROUNDS = 8
"""Of how many rounds before these a new targeted question recalls the outcome."""
TRIES = 3
"""In how many rounds a step of the description is asked until it is given up."""


@dataclass(frozen=True)
class Questioner:
    """Turn recognition feedback into targeted questions (paper section 3.3).

    An answer that fails its check is asked for once more, with the reason; if that fails too,
    what is meant beyond doubt is repaired. Nothing here raises: a question nobody answers is an
    exchange too, so that the dialogue tells all that happened.

    Args:
        chat: Whoever answers.
        layout: The skeleton whose joints are spoken of.
        fits: Whether the text encoder takes a whole sentence in.
    """

    chat: Chat
    layout: SkeletonLayout
    fits: Fits | None = None

    def describe(self, dialogue: Dialogue, round_number: int = 0) -> Dialogue:
        """Ask what is missing of the coarse-to-fine description; each question sees the others.

        Args:
            dialogue: What was said about the class so far, possibly nothing.
            round_number: Number of the agents' round.
        """
        for step in self.undescribed(dialogue):
            question = prompts.question(
                step, dialogue.action, self.layout, round_number=round_number
            )
            history = tuple(
                exchange
                for other in DESCRIPTION[: DESCRIPTION.index(step)]
                if (exchange := dialogue.latest(other))
            )
            dialogue = _added(dialogue, self._ask(question, history))
            if not _sent(dialogue.exchanges[-1]):
                break
        return dialogue

    def undescribed(self, dialogue: Dialogue) -> tuple[Step, ...]:
        """Return the steps of the description that have no usable answer and may yet get one."""
        asked = [e.question.step for e in dialogue.exchanges if _sent(e)]
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

        The question sees the description and the latest targeted rounds, and recalls what earlier
        ones came to, so that constraints stay consistent over a training.
        """
        if not rivals:
            return dialogue
        rounds = _rounds(dialogue)
        older = rounds[:-REMEMBERED_ROUNDS][-RECALLED_ROUNDS:]
        question = prompts.question(
            Step.DISTINGUISH,
            dialogue.action,
            self.layout,
            rivals,
            counts=counts,
            round_number=round_number,
            before=older,
        )
        history = (*_description(dialogue), *rounds[-REMEMBERED_ROUNDS:])
        return _added(dialogue, self._ask(question, history))

    def reconsider(self, dialogue: Dialogue, step: Step, reason: str) -> Dialogue:
        """Put the latest question of a step once more, with a reason to think again.

        A usable answer takes the earlier one's place; any other is only remembered with it.
        """
        index = max(i for i, e in enumerate(dialogue.exchanges) if e.question.step is step)
        first = dialogue.exchanges[index]
        question = replace(first.question, text=f"{first.question.text}\n\n{reason}")
        before = replace(dialogue, exchanges=dialogue.exchanges[:index])
        history = (*_description(before), *_rounds(before)[-REMEMBERED_ROUNDS:], first)
        second = self._attempt(question, history)
        if second.outcome is Outcome.REJECTED:
            second = self._mended(second, history)
        if second.usable:
            kept = replace(second, earlier=(*first.attempts, *second.earlier))
        else:
            kept = replace(first, earlier=(*first.earlier, second))
        exchanges = (*dialogue.exchanges[:index], kept, *dialogue.exchanges[index + 1 :])
        return replace(dialogue, exchanges=exchanges)

    def _ask(self, question: Question, history: Sequence[Exchange]) -> Exchange:
        """Return the exchange that comes of a question: asked, asked again, then repaired."""
        first = self._attempt(question, history)
        if first.outcome is not Outcome.REJECTED:
            return first
        text = (
            f"{question.text}\n\nYour previous answer could not be used: {first.problem}. Answer "
            "again and keep to the form exactly."
        )
        second = self._attempt(replace(question, text=text), (*history, first))
        if second.outcome is Outcome.REJECTED:
            second = self._mended(second, history)
        if second.usable:
            return replace(second, earlier=(first, *second.earlier))
        mended = self._mended(first, history)
        if mended.usable:
            return replace(mended, earlier=(*mended.earlier, second))
        return replace(second, earlier=(first,))

    def _attempt(self, question: Question, history: Sequence[Exchange]) -> Exchange:
        """Return what one question brings; a slip that leaves no doubt is repaired at once."""
        try:
            answer = self.chat.ask(question, history)
        except ChatError as error:
            sent = 0 if isinstance(error, ChatClosedError) else error.attempts
            source = Provenance(error.provider, requests=sent, faults=error.faults)
            return Exchange(question, "", Outcome.UNANSWERED, error.problem, source)
        exchange = Exchange(question, answer.text, source=answer.source)
        try:
            parsers.check(exchange, self.layout, self.fits, before=history)
        except AnswerError as error:
            failed = replace(exchange, outcome=Outcome.REJECTED, problem=error.problem)
            return repair_answer(
                failed, repair_lossless(failed, self.layout, self.fits, before=history)
            )
        return exchange

    def _mended(self, failed: Exchange, history: Sequence[Exchange]) -> Exchange:
        return repair_answer(failed, repair(failed, self.layout, self.fits, before=history))


def _added(dialogue: Dialogue, exchange: Exchange) -> Dialogue:
    """Return the longer dialogue; what was never sent is remembered only until the next try."""
    sent = tuple(e for e in dialogue.exchanges if _sent(e))
    return replace(dialogue, exchanges=(*sent, exchange))


def _sent(exchange: Exchange) -> bool:
    unsent = exchange.source is not None and exchange.source.requests == 0
    return not (exchange.outcome is Outcome.UNANSWERED and unsent)


def _description(dialogue: Dialogue) -> tuple[Exchange, ...]:
    """Return the usable exchanges of the description, in the order of its steps."""
    return tuple(e for e in map(dialogue.latest, DESCRIPTION) if e)


def _rounds(dialogue: Dialogue) -> tuple[Exchange, ...]:
    """Return the usable targeted exchanges, oldest first."""
    return tuple(e for e in dialogue.exchanges if e.question.step is Step.DISTINGUISH and e.usable)
