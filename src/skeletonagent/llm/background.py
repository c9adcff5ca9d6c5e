"""Event loop of the process, in a thread of its own, for callers that are not coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, TypeVar

_T = TypeVar("_T")

_LOCK = Lock()


def run_coroutine(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine, run on the process's one background event loop.

    May be called from several threads at the same time; an interrupted caller cancels the
    coroutine. There is one loop since a provider's library shares its connections between requests,
    and connections belong to the loop that opened them.
    """
    with _LOCK:
        loop = _loop(os.getpid())
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@lru_cache(maxsize=1)
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """Return a process's event loop; the thread of a loop does not survive a fork."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="language models", daemon=True).start()
    return loop
