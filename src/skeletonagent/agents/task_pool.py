"""Several questions at once, within a time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def run_tasks(
    tasks: Mapping[K, Callable[[], T]],
    workers: int,
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[K, T]:
    """Return the results of tasks, in their order; those not done in time are left out.

    The threads are daemons, for an answer that is still awaited must not keep a finished training
    alive. With one worker and no limit everything happens in the caller's thread, in order.

    Args:
        tasks: What to do, by name.
        workers: How many at once.
        seconds: Limit for all together.
        progress: Told how many of how many are done.

    Raises:
        Exception: The first error of a task, once it is seen; no further task is begun then.
    """
    if workers == 1 and seconds is None:
        results = {}
        for done, (key, task) in enumerate(tasks.items(), start=1):
            results[key] = task()
            progress(done, len(tasks))
        return results
    waiting: queue.SimpleQueue[tuple[K, Callable[[], T]]] = queue.SimpleQueue()
    for item in tasks.items():
        waiting.put(item)
    finished: queue.SimpleQueue[tuple[K, T | None, Exception | None]] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                key, task = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                finished.put((key, task(), None))
            except Exception as error:  # handed to the caller, who raises it
                finished.put((key, None, error))

    for _ in range(min(workers, len(tasks))):
        threading.Thread(target=work, daemon=True, name="agents").start()
    try:
        return _collect(tasks, finished, seconds, progress)
    finally:
        stop.set()


def _collect(
    tasks: Mapping[K, Callable[[], T]],
    finished: queue.SimpleQueue[tuple[K, T | None, Exception | None]],
    seconds: float | None,
    progress: Callable[[int, int], None],
) -> dict[K, T]:
    end = None if seconds is None else time.monotonic() + seconds
    results: dict[K, T] = {}
    while len(results) < len(tasks):
        try:
            left = None if end is None else max(0.0, end - time.monotonic())
            key, result, error = finished.get(timeout=left)
        except queue.Empty:
            break
        if error is not None:
            raise error
        results[key] = result  # type: ignore[assignment]  # without an error it is a result
        progress(len(results), len(tasks))
    return {key: results[key] for key in tasks if key in results}
