"""Ctrl-C without tracebacks, at whatever moment of the process it comes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Status after Ctrl-C, as shells report it."""


class InterruptGuard:
    """Handling of Ctrl-C for the whole process.

    During an import the process ends at once: nothing is being written then, and an exception
    raised inside an extension module's initialisation can surface as any other error or abort the
    process. At all other times a KeyboardInterrupt is raised as usual. Once there was one, errors
    that follow from it in destructors and threads are not printed.
    """

    def __init__(self) -> None:
        self.interrupted = False

    def install(self) -> None:
        """Install the handlers, for the rest of the process."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._drop_unraisable
        self._thread_hook, threading.excepthook = threading.excepthook, self._drop_in_thread

    def end(self) -> None:
        """Let Ctrl-C end the process at once from here on, while the interpreter shuts down."""
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        if _importing(frame):
            os.write(2, b"interrupted\n")
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    def _drop_unraisable(self, problem: Any) -> None:
        if not self.interrupted:
            self._unraisable(problem)

    def _drop_in_thread(self, problem: Any) -> None:
        if not self.interrupted:
            self._thread_hook(problem)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False
