"""Interruption by signals: remembered at once, obeyed where everything can be saved."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from skeletonagent.core.errors import TrainingInterrupted

_Result = TypeVar("_Result")

HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""A scheduler's or a user's ``kill``, Ctrl-C, the end of the terminal, and what SLURM can send."""

_POLL_SECONDS = 0.1
_PARENT_SECONDS = 0.5


class InterruptFlag:
    """Flag that a signal sets; ``signal`` is the first one received."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def is_set(self) -> bool:
        """Whether to save and end."""
        return self.signal is not None

    def raise_if_set(self) -> None:
        """Raise if a signal was received; call where everything is saved.

        Raises:
            TrainingInterrupted: If a signal was received.
        """
        if self.signal is not None:
            raise TrainingInterrupted(self.signal)

    def wait_for(self, work: Callable[[], _Result]) -> _Result:
        """Return the result of a function that may wait for long, such as for a language model.

        It runs in a thread, which is abandoned after a signal.

        Raises:
            TrainingInterrupted: If a signal was received meanwhile.
            Exception: What the function raised.
        """
        future: Future[_Result] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True, name="waited for").start()
        while not future.done():
            self.raise_if_set()
            wait([future], _POLL_SECONDS)
        return future.result()


@contextmanager
def interrupt_on_signals() -> Iterator[InterruptFlag]:
    """Yield a flag that signals set; a second signal of a kind has its usual effect.

    SIGUSR1 has no useful effect of its own and keeps setting the flag. Signals that this process
    ignores stay ignored. In threads other than the main one, which alone may handle signals,
    nothing sets the flag.
    """
    flag = InterruptFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous = {number: signal.getsignal(number) for number in HANDLED_SIGNALS}
    replaced = {n: old for n, old in previous.items() if old not in (None, signal.SIG_IGN)}

    def handle(number: int, _frame: FrameType | None) -> None:
        flag.signal = flag.signal or signal.Signals(number)
        if number != signal.SIGUSR1:
            signal.signal(number, replaced[signal.Signals(number)])

    for number in replaced:
        signal.signal(number, handle)
    try:
        yield flag
    finally:
        for number, old in replaced.items():
            signal.signal(number, old)


@contextmanager
def interrupt_without_parent(flag: InterruptFlag) -> Iterator[None]:
    """Set a flag, as by SIGHUP, once the process that started this one has ended.

    For processes that nobody ends then, such as the ranks of a torchrun that was killed.
    """
    parent, is_over = os.getppid(), threading.Event()

    def watch() -> None:
        while not is_over.wait(_PARENT_SECONDS):
            if os.getppid() != parent:
                flag.signal = flag.signal or signal.SIGHUP
                return

    watching = threading.Thread(target=watch, daemon=True, name="parent watched")
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()
