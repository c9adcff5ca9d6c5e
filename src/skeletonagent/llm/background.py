"""Run coroutines for callers that know nothing of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")

_LOCK = Lock()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine comes to on the process's one background event loop.

    May be called from several threads at once; an interrupted caller cancels the coroutine.
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
