"""First question of a training, asked before anything else is done."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from skeletonagent.agents.questioner import Questioner
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance
from skeletonagent.core.errors import ChatError

LASTING_FAULTS = ("http 401", "http 403", "http 404")
"""Faults of a request that no repetition mends: a wrong key, no permission, no such model."""


@dataclass
class FirstQuestion:
    """First question to a language model, which shows whether it can be asked at all.

    It is the question that a training asks first in any case, so that it costs nothing, and its
    answer is used.

    Args:
        questioner: Agent that asks.
        action: Name of the first class.
        must_answer: Whether a lasting fault is an error.
    """

    questioner: Questioner
    action: str
    must_answer: bool = True
    _asked: Dialogue | None = field(default=None, init=False)

    def ask(self) -> Dialogue:
        """Return the dialogue about the first class that has only the first question; asked once.

        Raises:
            ChatError: If the model does not answer for a lasting reason, and it must.
        """
        if self._asked is None:
            asked = self.questioner.begin(self.action)
            self._judge(asked.exchanges[0])
            self._asked = asked
        return self._asked

    def _judge(self, first: Exchange) -> None:
        """Say what is wrong."""
        source = first.source or Provenance(self.questioner.chat.name)
        if first.outcome is not Outcome.UNANSWERED:
            turned_down = [fault for fault in source.faults if fault in LASTING_FAULTS]
            if turned_down and source.model != self.questioner.chat.name:
                _warn(f"{source.model} answers in place of another model ({turned_down[0]})")
            return
        if self.must_answer and source.faults and source.faults[-1] in LASTING_FAULTS:
            raise ChatError(
                source.model,
                first.question.action,
                first.question.step,
                source.requests,
                f"{first.problem}. Nothing was trained: correct that, which 'skeletonagent "
                "dialogues ping' tests, or go on without answers with "
                "--set agents.must_answer=false",
                source.faults,
            )
        _warn(
            f"{source.model} did not answer the first question: {first.problem}; the training "
            "goes on and asks again"
        )


def _warn(problem: str) -> None:
    warnings.warn(problem, RuntimeWarning, stacklevel=4)
