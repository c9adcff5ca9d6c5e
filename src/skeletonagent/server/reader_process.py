"""Process that reads uploaded files, so that none of them can end or stop the server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from skeletonagent.server.bodies import ClientGone
from skeletonagent.server.reading import ReadFailure, ReadUpload, UploadTask, read_tasks
from skeletonagent.server.server_errors import RequestError

_LOG = logging.getLogger(__name__)

_ASKED_SECONDS = 0.2
_MEGABYTE = 1_000_000


class ReaderProcess:
    """Process that reads one file after another, started when it is needed, and after it ended.

    Args:
        seconds: Longest time for a file.
        memory: Megabytes that a file may need.
    """

    def __init__(self, seconds: float, memory: float) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_closed = False

    def read(self, task: UploadTask, is_wanted: Callable[[], bool]) -> ReadUpload:
        """Return what is in a file; one thread at a time calls this.

        Args:
            task: The file.
            is_wanted: Function that returns whether anybody still waits for it.

        Raises:
            RequestError: If it cannot be read, or not within its time and memory.
            ClientGone: If nobody waits any more.
        """
        if not is_wanted():
            raise ClientGone
        outcome = self._outcome(task, is_wanted)
        if isinstance(outcome, ReadFailure):
            if outcome.trace:
                _LOG.warning("a file could not be read: %s", outcome.trace)
            raise RequestError(outcome.status, outcome.detail)
        return outcome

    def close(self) -> None:
        """End the process, with what it reads."""
        self._is_closed = True
        self._end()

    def _outcome(self, task: UploadTask, is_wanted: Callable[[], bool]) -> ReadUpload | ReadFailure:
        pipe = self._connection()
        try:
            pipe.send(task)
            until = time.monotonic() + self._seconds
            while not pipe.poll(_ASKED_SECONDS):
                if self._is_closed or not is_wanted():
                    self._end()
                    raise ClientGone
                if time.monotonic() > until:
                    self._end()
                    raise RequestError(
                        422, f"reading the file took longer than {self._seconds:g} seconds"
                    )
            found: ReadUpload | ReadFailure = pipe.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise RequestError(
                422, "the file ended the process that read it; it is damaged, or far too large"
            ) from error
        return found

    def _connection(self) -> Connection:
        if self._is_closed:
            raise ClientGone
        if self._process is None or self._pipe is None or not self._process.is_alive():
            context = get_context("spawn")  # a fork would copy locks of threads
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=read_tasks, args=(theirs, int(self._memory * _MEGABYTE)), daemon=True
            )
            self._process.start()
            theirs.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
