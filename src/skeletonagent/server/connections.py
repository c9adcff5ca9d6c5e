"""Connections of clients: heads in time, no more than there is room, and why one is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from skeletonagent.server.settings import ServeSettings

_FULL = b'{"detail":"the server is full: too many connections are open; try again in a second"}'
_FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
)
_MOST_SEEN = 64
_REFUSED_SECONDS = 1.0
"""Connections above the limit that are answered at once; further ones are ended without a word."""


class LimitedConnection(H11Protocol):
    """Connection that ends when the head of a request takes too long, or there are too many."""

    settings = ServeSettings()
    """Limits; a class for each server has its own, see :func:`connection_class`."""

    _timer: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client, or send it away."""
        super().connection_made(transport)
        over = len(self.connections) - self.settings.max_connections
        if over > 0:
            self._send_away(over)
        else:
            self._watch()

    def _send_away(self, over: int) -> None:
        """Say that the server is full; what the client sends meanwhile is not looked at."""
        self._is_refused = True
        if over > _MOST_SEEN:
            self.transport.abort()
            return
        self.transport.write(_FULL_ANSWER)
        self.transport.write_eof()
        self._timer = self.loop.call_later(_REFUSED_SECONDS, self._end)

    def data_received(self, data: bytes) -> None:
        """Take bytes, of which the first of a head start its time."""
        if not self._is_refused:
            super().data_received(data)
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client that is gone."""
        self._unwatch()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, or the rest of this one."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to its stream, which has times of its own."""
        self._unwatch()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all errors."""
        body = b'{"detail":"the request is no HTTP/1.1 that can be read"}'
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """Start the time of a head while none is being answered, and stop it otherwise."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        is_stream = self.transport.get_protocol() is not self
        if is_answering or is_stream or self.transport.is_closing():
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.settings.header_seconds, self._end)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


class StreamConnection(WebSocketsSansIOProtocol):
    """WebSocket whose client reads why it is ended, even while it sends what is too large.

    Closing a socket with unread bytes resets the connection, and the status can be lost on the way.
    """

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the stream is refused already."""
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Say why the stream ends; what the client sends meanwhile is not looked at."""
        refused = self.conn.close_sent
        assert refused is not None
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": refused.code, "reason": refused.reason}
        )
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)


def connection_class(settings: ServeSettings) -> type[LimitedConnection]:
    """Return the class of the connections of a server with these limits."""
    names: dict[str, Any] = {"settings": settings}
    return type("Connection", (LimitedConnection,), names)
