from __future__ import annotations

from skeletonagent.llm.retry import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_circuit_breaker_admits_one_try_per_rest() -> None:
    clock = Clock()
    breaker = CircuitBreaker(limit=2, rest=60.0, clock=clock)
    assert not breaker.failed()
    assert breaker.admits()
    assert breaker.failed(), "now it is unavailable"
    assert not breaker.admits()
    clock.now = 60.0
    assert [breaker.admits(), breaker.admits()] == [True, False]
    breaker.failed()
    clock.now = 119.0
    assert not breaker.admits()
    clock.now = 120.0
    assert breaker.admits()
    breaker.succeeded()
    assert [breaker.admits(), breaker.admits()] == [True, True]


def test_circuit_breaker_counts_only_failures_in_a_row() -> None:
    breaker = CircuitBreaker(limit=2, rest=60.0)
    for _ in range(3):
        breaker.failed()
        breaker.succeeded()
    assert breaker.admits()
