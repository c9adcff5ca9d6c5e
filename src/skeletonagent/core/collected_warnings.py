"""Collection of warnings that threads do not take from one another."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)
"""Texts that the innermost collection of this thread or task has."""


class _Hook:
    """Hook for the warnings of the process, which is there while anybody collects some.

    The module ``warnings`` keeps filters and hook for the whole process, so that its own
    ``catch_warnings`` mixes up threads that use it at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                self._show = warnings.showwarning
                warnings.simplefilter("always", UserWarning)
                warnings.showwarning = self._take

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._before.__exit__(None, None, None)

    def _take(self, message: Warning | str, *place: Any, **options: Any) -> None:
        texts = _collected.get()
        if texts is None:
            self._show(message, *place, **options)
        else:
            texts.append(str(message))


_hook = _Hook()


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the texts of the warnings that this thread or task gives, in place of showing them.

    Examples:
        >>> with collected_warnings() as texts:
        ...     warnings.warn("joints are missing", stacklevel=1)
        >>> texts
        ['joints are missing']
    """
    texts: list[str] = []
    _hook.enter()
    token = _collected.set(texts)
    try:
        yield texts
    finally:
        _collected.reset(token)
        _hook.leave()
