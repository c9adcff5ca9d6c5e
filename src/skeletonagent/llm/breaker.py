"""Leave a server alone that is found dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Breaker:
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
