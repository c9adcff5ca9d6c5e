"""Errors that a client of the server sees, each with its status."""

from __future__ import annotations


class RequestError(Exception):
    """Request that is not answered as asked.

    Args:
        status: Status of HTTP.
        detail: What is wrong and what to do, in one sentence; nothing that the client sent.
        retry_after: Seconds after which to try again; None if that would not help.
        closes: Whether the connection ends, since the rest of the body is not read.
    """

    def __init__(
        self, status: int, detail: str, *, retry_after: int | None = None, closes: bool = False
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.closes = closes

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the answer."""
        found = {}
        if self.retry_after is not None:
            found["Retry-After"] = str(self.retry_after)
        if self.closes:
            found["Connection"] = "close"
        if self.status == 401:
            found["WWW-Authenticate"] = "Bearer"
        return found


def server_is_full(what: str) -> RequestError:
    """Return the error of a server that has no room."""
    return RequestError(503, f"the server is full: {what}; try again in a second", retry_after=1)
