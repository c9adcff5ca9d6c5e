"""The agents' rounds beside the training: begun after one epoch, applied before a later one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.guidance import Guidance

Refresh = Callable[[Confusions, Guidance], Guidance]
"""The agents, seen from the loop. Static guidance is ``lambda _, guidance: guidance``."""


@dataclass(frozen=True)
class UpdateResult:
    """What the asking process tells the others: new guidance, or why there is none."""

    guidance: Guidance | None = None
    problem: str = ""


BroadcastResult = Callable[[UpdateResult], UpdateResult]
"""Hand the first process's message to all; each process calls it and gets that message."""


class GuidanceUpdater:
    """Let the agents work while the training goes on, or wait for them.

    Only the first process asks; the others learn what came of it at the same epoch boundary.
    Whatever goes wrong in a round costs its guidance, never the training.
    """

    def __init__(
        self,
        refresh: Refresh,
        *,
        wait: bool,
        asking: bool = True,
        share: BroadcastResult = lambda message: message,
    ) -> None:
        """Take the agents in.

        Args:
            refresh: The agents; bounded in time by themselves.
            wait: Whether :meth:`collect` waits for the round, so that runs can be repeated
                exactly, or else takes its guidance at the first boundary at which it is complete.
            asking: Whether this process asks.
            share: How the processes learn what came of a round.
        """
        self._refresh, self._wait, self._asks, self._broadcast = refresh, wait, asking, share
        self._thread: threading.Thread | None = None
        self._result = UpdateResult()
        self.pending: Confusions | None = None
        """The counts of the round that is under way."""

    def start(self, confusions: Confusions, guidance: Guidance) -> None:
        """Begin a round with a copy of the counts; nothing happens if one is under way."""
        if self.pending is not None:
            return
        self.pending = Confusions(confusions.counts.detach().to("cpu", copy=True))
        if not self._asks:
            return
        arguments = (self.pending, guidance)
        if self._wait:
            self._ask(*arguments)
            return
        self._thread = threading.Thread(target=self._ask, args=arguments, daemon=True, name="round")
        self._thread.start()

    def collect(self, guidance: Guidance) -> tuple[Guidance, str]:
        """Return the guidance to go on with, and what went wrong if anything did.

        Args:
            guidance: The guidance so far, returned as long as no round is complete.
        """
        if self.pending is None:
            return guidance, ""
        running = self._thread is not None and self._thread.is_alive()
        message = self._broadcast(UpdateResult() if running else self._result)
        if message == UpdateResult():
            return guidance, ""
        self.pending, self._thread, self._result = None, None, UpdateResult()
        if message.guidance is None:
            return replace(guidance, round=guidance.round + 1), message.problem
        return message.guidance, ""

    def _ask(self, confusions: Confusions, guidance: Guidance) -> None:
        try:
            self._result = UpdateResult(self._refresh(confusions, guidance))
        except Exception as error:  # a round's failure is told, and never ends a training
            self._result = UpdateResult(problem=f"{type(error).__name__}: {error}")
