"""What can go wrong with one request to a language model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock


class Remedy(Enum):
    """What helps against a fault."""

    WAIT = auto()
    """It passes: the same request again, after a while."""
    REFORM = auto()
    """The server cannot do this form of output: the next form, at once."""
    REPEAT = auto()
    """The answer does not fit its form: once more, then the next form."""
    NONE = auto()
    """Nothing this run can do."""


class Fault(Exception):
    """A request that brought no usable answer.

    Args:
        code: What went wrong, in a word or two.
        problem: The same in a sentence, free of secrets.
        remedy: What helps.
        wait: Seconds the server asks to wait.
        status: The HTTP status, where there is one.
    """

    def __init__(
        self,
        word: str,
        problem: str,
        remedy: Remedy,
        *,
        wait: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.code = word
        self.problem = problem
        self.remedy = remedy
        self.wait = wait
        self.status = status


REFUSAL = "refusal"
"""The word of a fault that tells nothing about the health of the server."""


@dataclass
class CircuitBreaker:
    """Count failures in a row; after too many, let one try through per period of rest.

    Args:
        limit: Failures in a row after which the server is taken for dead.
        rest: Seconds between the tries of a dead server.
        clock: Seconds that never run backwards.
    """

    limit: int
    rest: float
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def admits(self) -> bool:
        """Return whether a try is worth it now; of a dead server, this takes the period's try."""
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

    def failed(self) -> None:
        """Note that the server gave no answer."""
        with self._lock:
            self._failures += 1
            self._since = self.clock()
