"""Ending on request: a signal is remembered, and heeded where everything can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from skeletonagent.core.errors import TrainingInterrupted

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""A scheduler's or a user's ``kill``, Ctrl-C, and what SLURM can send before the time is up."""


class InterruptFlag:
    """Whether training has been asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def is_set(self) -> bool:
        """Whether to save and end."""
        return self.signal is not None

    def raise_if_set(self) -> None:
        """Return if nothing was asked; to be called where everything is saved.

        Raises:
            Stopped: If training has been asked to end.
        """
        if self.signal is not None:
            raise TrainingInterrupted(self.signal)


@contextmanager
def interrupt_on_signals() -> Iterator[InterruptFlag]:
    """Give a flag that signals set, once each; a second one of a kind acts as it always did.

    SIGUSR1 has no usual meaning worth having and goes on to set the flag. What this process was
    told to ignore stays ignored. In other threads than the main one, which alone may handle
    signals, nothing sets the flag.
    """
    stop = InterruptFlag()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in HANDLED}
    heeded = {n: old for n, old in before.items() if old not in (None, signal.SIG_IGN)}

    def remember(number: int, _frame: FrameType | None) -> None:
        stop.signal = stop.signal or signal.Signals(number)
        if number != signal.SIGUSR1:
            signal.signal(number, heeded[signal.Signals(number)])

    for number in heeded:
        signal.signal(number, remember)
    try:
        yield stop
    finally:
        for number, old in heeded.items():
            signal.signal(number, old)
