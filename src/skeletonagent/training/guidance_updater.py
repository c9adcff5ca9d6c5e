"""Rounds of the agents beside the training: started after one epoch, applied before a later one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.core.guidance import Guidance

Refresh = Callable[[Confusions, Guidance], Guidance]
"""The agents, as training calls them. Static guidance is ``lambda _, guidance: guidance``."""


@dataclass(frozen=True)
class UpdateResult:
    """Result of a round: new guidance, or the problem that prevented it, or neither yet."""

    guidance: Guidance | None = None
    problem: str = ""


BroadcastResult = Callable[[UpdateResult], UpdateResult]
"""Broadcast of the first rank's result, called by all ranks."""


class GuidanceUpdater:
    """Scheduler of the agents' rounds, in a thread beside the training or waited for.

    Only the first rank asks the agents; the others get its result at the same epoch boundary.
    Whatever fails in a round costs its guidance, never the training.

    Args:
        refresh: Function that asks the agents; it limits its own time. An interrupt that it raises
            ends the training, as nothing else does.
        wait: Whether :meth:`start` waits for the round, so that runs can be repeated exactly;
            otherwise its guidance is taken at the first epoch boundary at which it is complete.
        is_main: Whether this rank asks the agents.
        broadcast: Broadcast of the first rank's result.
    """

    def __init__(
        self,
        refresh: Refresh,
        *,
        wait: bool,
        is_main: bool = True,
        broadcast: BroadcastResult = lambda result: result,
    ) -> None:
        self._refresh, self._wait = refresh, wait
        self._is_main, self._broadcast = is_main, broadcast
        self._thread: threading.Thread | None = None
        self._result = UpdateResult()
        self.pending: Confusions | None = None
        """Confusions of the round under way."""

    def start(self, confusions: Confusions, guidance: Guidance) -> None:
        """Start a round with a copy of the confusions; does nothing while one is under way."""
        if self.pending is not None:
            return
        self.pending = Confusions(confusions.counts.detach().to("cpu", copy=True))
        if not self._is_main:
            return
        arguments = (self.pending, guidance)
        if self._wait:
            self._run(*arguments)
            return
        self._thread = threading.Thread(target=self._run, args=arguments, daemon=True, name="round")
        self._thread.start()

    def collect(self, guidance: Guidance) -> tuple[Guidance, str]:
        """Return the guidance to train with, and the problem of a round that failed.

        Args:
            guidance: Present guidance, returned as long as no round is complete.
        """
        if self.pending is None:
            return guidance, ""
        running = self._thread is not None and self._thread.is_alive()
        result = self._broadcast(UpdateResult() if running else self._result)
        if result == UpdateResult():
            return guidance, ""
        self.pending, self._thread, self._result = None, None, UpdateResult()
        if result.guidance is None:
            return replace(guidance, round=guidance.round + 1), result.problem
        return result.guidance, ""

    def _run(self, confusions: Confusions, guidance: Guidance) -> None:
        try:
            self._result = UpdateResult(self._refresh(confusions, guidance))
        except TrainingInterrupted:
            raise
        except Exception as error:  # a round that fails is reported, and never ends a training
            self._result = UpdateResult(problem=f"{type(error).__name__}: {error}")
