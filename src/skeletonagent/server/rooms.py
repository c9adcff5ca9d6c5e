"""Rooms for work that takes time: so much at once, so much that waits, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from skeletonagent.server.reader_process import ReaderProcess
from skeletonagent.server.reading import ReadUpload, UploadTask
from skeletonagent.server.server_errors import server_is_full

Result = TypeVar("Result")


class RequestRoom:
    """Room for requests that are worked on, each in a thread, and for some that wait.

    Args:
        active: Number of threads.
        waiting: Number of requests that may wait for one.
        name: Name of the threads.
    """

    def __init__(self, active: int, waiting: int, name: str = "request") -> None:
        self._threads = ThreadPoolExecutor(active, thread_name_prefix=name)
        self._active, self._most = active, active + waiting
        self._count = 0

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return max(0, self._count - self._active)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what a function returns in a thread.

        Raises:
            RequestError: If there is no room.
        """
        if self._count >= self._most:
            raise server_is_full("too many requests wait")
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Take no more requests; those that wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class FileRoom:
    """Room for files: one is read at a time, by a process of its own.

    Args:
        seconds: Longest time for a file.
        memory: Megabytes that a file may need.
        waiting: Number of files that may wait.
    """

    def __init__(self, seconds: float, memory: float, waiting: int) -> None:
        self._room = RequestRoom(1, waiting, "file")
        self._reader = ReaderProcess(seconds, memory)

    async def run(self, task: UploadTask, is_wanted: Callable[[], bool]) -> ReadUpload:
        """Return what is in a file.

        Args:
            task: The file.
            is_wanted: Function that returns whether anybody still waits for it.

        Raises:
            RequestError: If there is no room, or the file cannot be read.
            ClientGone: If nobody waits any more.
        """
        return await self._room.run(partial(self._reader.read, task, is_wanted))

    def close(self) -> None:
        """End what is read."""
        self._reader.close()
        self._room.close()
