"""Guard before all routes: who may ask, how often, and what becomes of failures."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from skeletonagent.server.bodies import AsgiReceive, header
from skeletonagent.server.measurements import ServerMeasurements
from skeletonagent.server.server_errors import RequestError
from skeletonagent.server.settings import ServeSettings

AsgiScope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
Application = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]
"""Application of ASGI."""

_LOG = logging.getLogger(__name__)

_OPEN = frozenset({"/", "/health", "/openapi.json"})
"""Routes that need no token: they say nothing about the recognizer."""

_ROUTES = frozenset({"/", "/health", "/metrics", "/model", "/predict", "/stream", "/openapi.json"})
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST_CLIENTS = 10_000
_BURST_SECONDS = 2.0
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class RateLimit:
    """Requests that each client address still has, filled up with time.

    Args:
        rate: Requests a second; 0 for any number.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._most = max(1.0, rate * _BURST_SECONDS)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request.

        Raises:
            RequestError: If the client has none left.
        """
        if not self._rate:
            return
        now = self._clock()
        left, then = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - then) * self._rate)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        if not allowed:
            raise RequestError(
                429, f"more than {self._rate:g} requests a second; ask less often", retry_after=1
            )


class Guard:
    """Application of ASGI around another one.

    Args:
        inner: The application that answers.
        settings: Address and limits.
        token: What clients have to know; empty for nothing.
        measurements: Figures of the server.
    """

    def __init__(
        self,
        inner: Application,
        settings: ServeSettings,
        token: str,
        measurements: ServerMeasurements,
    ) -> None:
        self._inner, self._settings, self._token = inner, settings, token
        self._measurements = measurements
        self.rate = RateLimit(settings.rate)

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer a request, or open a stream."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._open(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _answer(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        begin, answer = time.perf_counter(), _Answer(send, self._settings.upload_seconds)
        try:
            try:
                self._check(scope, scope["method"] not in ("GET", "HEAD"))
                self._check_token(scope)
                await self._inner(scope, receive, answer.send)
            except RequestError as error:
                await answer.fail(error.status, error.detail, error.headers)
            except asyncio.CancelledError:  # the time to finish is over
                await answer.fail(503, "the server stops", {"Retry-After": "1"})
            except TimeoutError:
                raise  # an answer that nobody takes; the connection is ended
            except Exception:  # answered by then
                _LOG.exception("%s failed", _route(scope["path"]))
        finally:
            seconds = time.perf_counter() - begin
            self._measurements.count_request(_route(scope["path"]), answer.status, seconds)

    async def _open(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        try:
            self._check(scope, True)
            self.rate.take(_client(scope))
        except RequestError as error:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": error.detail})
            return
        await self._inner(scope, receive, send)

    def _check(self, scope: AsgiScope, changes: bool) -> None:
        """Refuse what a page of another site has a browser ask.

        Raises:
            RequestError: If host or origin are not this server's.
        """
        host = header(scope["headers"], b"host")
        if self._settings.is_loopback and _host_name(host) not in _LOCAL_NAMES:
            raise RequestError(403, "ask for 127.0.0.1 or localhost")
        origin = header(scope["headers"], b"origin")
        if changes and origin and urlsplit(origin).netloc.lower() != host.lower():
            raise RequestError(403, "pages of other sites may not ask this server")
        if scope["type"] == "http" and _route(scope["path"]) in ("/predict", "/model"):
            self.rate.take(_client(scope))

    def _check_token(self, scope: AsgiScope) -> None:
        """Refuse who does not know the token.

        Raises:
            RequestError: If it is missing or another.
        """
        path = scope["path"]
        if path in _OPEN or path.startswith("/page/"):
            return
        kind, _, given = header(scope["headers"], b"authorization").partition(" ")
        if self._token and not (kind.lower() == "bearer" and self.is_token(given.strip())):
            raise RequestError(401, "this server asks for its token: Authorization: Bearer TOKEN")

    def is_token(self, given: str) -> bool:
        """Return whether a text is the token, in a time that does not depend on the text."""
        return not self._token or hmac.compare_digest(given.encode(), self._token.encode())


class _Answer:
    """Answer that is sent, with the headers of every answer."""

    def __init__(self, send: AsgiSend, seconds: float) -> None:
        self._send, self._seconds = send, seconds
        self.status = 0

    async def send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            added = [pair for pair in _HEADERS if pair[0] not in given]
            message["headers"] = [*message["headers"], *added]
        async with asyncio.timeout(self._seconds):  # nobody has to wait for a slow reader
            await self._send(message)

    async def fail(self, status: int, detail: str, headers: Mapping[str, str]) -> None:
        """AsgiSend an error, unless an answer was begun."""
        if self.status:
            return
        content = json.dumps({"detail": detail}).encode()
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        pairs += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": content})


def _client(scope: AsgiScope) -> str:
    return str((scope.get("client") or ("",))[0])


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _route(path: str) -> str:
    if path.startswith("/page/"):
        return "/page"
    return path if path in _ROUTES else "other"
