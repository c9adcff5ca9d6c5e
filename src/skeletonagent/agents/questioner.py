"""The Questioner: ask about a class, coarse to fine first and about its rivals later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents import answers, prompts
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.chat import Chat

REMEMBERED_ROUNDS = 2
"""How many earlier targeted exchanges a new targeted question sees."""


@dataclass(frozen=True)
class Questioner:
    """Turn recognition feedback into targeted questions (paper section 3.3).

    An answer that fails its check is asked for once more, with the reason; the second answer
    stands, usable or not, for the Selector to judge.

    Args:
        chat: Whoever answers.
        layout: The skeleton whose joints are spoken of.
    """

    chat: Chat
    layout: SkeletonLayout

    def describe(self, action: str) -> Dialogue:
        """Return the coarse-to-fine dialogue about a class; each question sees the ones before.

        Raises:
            ChatError: If the chat gives no answer.
        """
        dialogue = Dialogue(action)
        for step in Step:
            if step is not Step.DISTINGUISH:
                dialogue = self._ask(dialogue, prompts.question(step, action, self.layout))
        return dialogue

    def distinguish(self, dialogue: Dialogue, rivals: Sequence[str]) -> Dialogue:
        """Ask afresh what sets the class apart from ``rivals``; without rivals nothing is asked.

        The question sees the description and the latest targeted rounds, so that constraints stay
        consistent over a training; older rounds are forgotten.

        Raises:
            ChatError: If the chat gives no answer.
        """
        if not rivals:
            return dialogue
        description = dialogue.before(Step.DISTINGUISH).exchanges
        recent = dialogue.exchanges[len(description) :][-REMEMBERED_ROUNDS:]
        question = prompts.question(Step.DISTINGUISH, dialogue.action, self.layout, rivals)
        return self._ask(replace(dialogue, exchanges=(*description, *recent)), question)

    def _ask(self, dialogue: Dialogue, question: Question) -> Dialogue:
        exchange = Exchange(question, self.chat.ask(question, dialogue.exchanges))
        try:
            answers.check(exchange, self.layout)
        except AnswerError as error:
            exchange = self._retry(dialogue, exchange, error.problem)
        return dialogue.with_exchange(exchange)

    def _retry(self, dialogue: Dialogue, failed: Exchange, reason: str) -> Exchange:
        """Return the exchange that takes the place of one whose answer cannot be used."""
        text = (
            f"{failed.question.text}\n\nYour previous answer could not be used: {reason}. "
            "Answer again and keep to the form exactly."
        )
        question = replace(failed.question, text=text)
        return Exchange(question, self.chat.ask(question, (*dialogue.exchanges, failed)))
