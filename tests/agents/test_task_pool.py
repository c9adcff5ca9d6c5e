from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from skeletonagent.agents.task_pool import run_tasks


def tasks(count: int, meet: threading.Barrier) -> dict[int, Callable[[], int]]:
    def task(n: int) -> Callable[[], int]:
        return lambda: meet.wait(20) * 0 + n * n

    return {n: task(n) for n in range(count)}


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_the_order_of_the_tasks(workers: int) -> None:
    calls: list[tuple[int, int]] = []
    done = run_tasks(
        {n: lambda n=n: n * n for n in (3, 1, 2)},  # type: ignore[misc]
        workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert list(done.items()) == [(3, 9), (1, 1), (2, 4)]
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_as_many_run_at_once_as_there_are_workers() -> None:
    meet = threading.Barrier(4)  # nobody passes before four have come
    assert run_tasks(tasks(4, meet), 4, 20) == {n: n * n for n in range(4)}


def test_what_is_late_is_left_out() -> None:
    never = threading.Event()
    done = run_tasks({"late": never.wait, "soon": lambda: True}, 2, 0.2)
    never.set()
    assert done == {"soon": True}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised(workers: int) -> None:
    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_tasks({"a": fail, "b": lambda: 1}, workers)


def test_run_tasks_raises_a_timeout_error_of_a_task() -> None:
    def fail() -> int:
        raise TimeoutError("of the task")

    with pytest.raises(TimeoutError, match="of the task"):
        run_tasks({"a": fail}, 2, 20)


def test_run_tasks_starts_no_task_after_the_limit() -> None:
    started: list[str] = []
    never = threading.Event()

    def task(name: str) -> Callable[[], bool]:
        return lambda: started.append(name) is not None or never.wait(20)

    assert run_tasks({name: task(name) for name in "ab"}, 1, 0.1) == {}
    never.set()
    for thread in threading.enumerate():
        if thread.name == "agents":
            thread.join(20)
    assert started == ["a"]


def test_nothing_to_do() -> None:
    assert run_tasks({}, 3, 1.0) == {}
