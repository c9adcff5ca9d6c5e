"""Pool of daemon threads that runs tasks at the same time, within a time limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, as_completed
from contextlib import suppress
from threading import Thread
from typing import TypeVar

_K = TypeVar("_K")
_T = TypeVar("_T")


def run_tasks(
    tasks: Mapping[_K, Callable[[], _T]],
    workers: int,
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[_K, _T]:
    """Return the results of tasks, in their order; those not done in time are left out.

    With one worker and no limit everything happens in the caller's thread, in order. Otherwise the
    threads are daemons, since an answer that is still awaited must not keep a finished training
    alive; a pool of the standard library is joined when the program ends.

    Args:
        tasks: The tasks by key.
        workers: Largest number of tasks that run at the same time.
        seconds: Time limit of all tasks together; None for no limit.
        progress: Called with the number of tasks done and the number of tasks.

    Raises:
        Exception: The first error of a task; no further task is started then.
    """
    if workers == 1 and seconds is None:
        results = {}
        for done, (key, task) in enumerate(tasks.items(), start=1):
            results[key] = task()
            progress(done, len(tasks))
        return results
    pending = deque(tasks.items())
    futures: dict[_K, Future[_T]] = {key: Future() for key in tasks}
    for _ in range(min(workers, len(tasks))):
        Thread(target=_work, args=(pending, futures), daemon=True, name="agents").start()
    keys = {future: key for key, future in futures.items()}
    results, error = {}, None
    try:
        with suppress(TimeoutError):
            for future in as_completed(keys, seconds):
                error = future.exception()
                if error is not None:
                    break
                results[keys[future]] = future.result()
                progress(len(results), len(tasks))
    finally:
        pending.clear()
    if error is not None:
        raise error
    return {key: results[key] for key in tasks if key in results}


def _work(pending: deque[tuple[_K, Callable[[], _T]]], futures: Mapping[_K, Future[_T]]) -> None:
    """Run pending tasks until none is left."""
    while True:
        try:
            key, task = pending.popleft()
        except IndexError:
            return
        try:
            futures[key].set_result(task())
        except Exception as error:  # the caller raises it
            futures[key].set_exception(error)
