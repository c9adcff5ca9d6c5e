from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skeletonagent.llm.background import run_coroutine


async def where() -> tuple[int, int]:
    await asyncio.sleep(0)
    return threading.get_ident(), id(asyncio.get_running_loop())


def test_all_callers_share_one_loop_in_a_thread_of_its_own() -> None:
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: run_coroutine(where()), range(32)))
    assert len(places) == 1
    assert threading.get_ident() not in places.pop()


async def fail() -> None:
    raise KeyError("reason")


def test_an_exception_reaches_the_caller() -> None:
    with pytest.raises(KeyError, match="reason"):
        run_coroutine(fail())
