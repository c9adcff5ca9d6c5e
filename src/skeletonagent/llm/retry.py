"""Faults of requests to a language model, what helps against them, and a circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock


class Remedy(Enum):
    """Remedy against a fault."""

    WAIT = auto()
    """The fault passes: send the same request again, after a pause."""
    REFORM = auto()
    """The server does not support this form of output: use the next form, at once."""
    REPEAT = auto()
    """The answer does not fit its form: send the request once more, then use the next form."""
    NONE = auto()
    """No remedy in this run."""


class Fault(Exception):
    """A request without a usable answer.

    Args:
        code: Short code of the fault, such as ``timeout``.
        problem: Description of the fault, without secrets.
        remedy: Remedy against it.
        wait: Seconds that the server asks to wait.
        status: HTTP status, where there is one.
    """

    def __init__(
        self,
        code: str,
        problem: str,
        remedy: Remedy,
        *,
        wait: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.wait = wait
        self.status = status


REFUSAL = "refusal"
"""Code of a refusal, which says nothing about the health of the server."""


@dataclass
class CircuitBreaker:
    """Circuit breaker: after too many failures in a row, one try per period is admitted.

    Args:
        limit: Number of failures in a row after which the server is taken for unavailable.
        rest: Seconds between the tries of an unavailable server.
        clock: Monotonic clock, in seconds.
    """

    limit: int
    rest: float
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def admits(self) -> bool:
        """Return whether a try is admitted now; an unavailable server has one per period."""
        with self._lock:
            if self._failures < self.limit:
                return True
            now = self.clock()
            if now - self._since < self.rest:
                return False
            self._since = now
            return True

    def succeeded(self) -> None:
        """Note that the server answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> bool:
        """Note that the server gave no answer; return whether it is unavailable from now on."""
        with self._lock:
            self._failures += 1
            self._since = self.clock()
            return self._failures == self.limit
