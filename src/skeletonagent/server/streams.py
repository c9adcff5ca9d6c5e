"""Streams of clients over a WebSocket: frames in, actions out while they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.server.measurements import ServerMeasurements
from skeletonagent.server.request_json import parse_body
from skeletonagent.server.server_errors import RequestError, server_is_full
from skeletonagent.server.service import RecognitionService
from skeletonagent.server.stream_frames import (
    FrameMessage,
    StreamHead,
    StreamToken,
    frame_bodies,
)
from skeletonagent.server.stream_session import PictureSession, StreamSession

_REFUSED = 1008
"""Status of a stream that is ended since its client did something that is not taken."""

_GOING_AWAY = 1012
"""Status of a stream that is ended since the server stops."""

_LONGEST_PROBLEM = 300


@dataclass
class StreamRoom:
    """Room for the streams that are open at once.

    Args:
        service: The recognizer.
        is_token: Function that returns whether a text is the token.
        measurements: Figures of the server.
    """

    service: RecognitionService
    is_token: Callable[[str], bool]
    measurements: ServerMeasurements

    def __post_init__(self) -> None:
        """Prepare a thread for each stream."""
        self._most = self.service.settings.max_streams
        self._threads = ThreadPoolExecutor(max(1, self._most), thread_name_prefix="stream")
        self._open = 0

    def close(self) -> None:
        """Take no more frames."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def serve(self, socket: WebSocket) -> None:
        """Recognize the actions in the frames of a client until it ends."""
        await socket.accept()
        try:
            if self._open >= self._most:
                raise server_is_full("too many streams are open")
            self._open += 1
            self.measurements.streams_changed(self._open)
            try:
                await self._frames(_Client(socket, self.service.settings.upload_seconds))
            finally:
                self._open -= 1
                self.measurements.streams_changed(self._open)
        except RequestError as error:
            await _refuse(socket, error.detail)
        except SkeletonAgentError as error:
            await _refuse(socket, printable_line(str(error), _LONGEST_PROBLEM))
        except TimeoutError:
            await _refuse(socket, "the client took or sent nothing for too long")
        except WebSocketDisconnect:
            return
        except asyncio.CancelledError:
            with suppress(RuntimeError):
                await socket.close(_GOING_AWAY)
            raise

    async def _frames(self, client: _Client) -> None:
        limits = self.service.settings
        head = await self._head(client)
        session, words = await self._run(partial(self._session, head))
        await client.send_warnings(words)
        while True:
            message = await client.receive(limits.idle_seconds)
            events, ended = await self._run(partial(self._step, session, message))
            for event in events:
                await client.send(event)
            if ended:
                await client.send({"type": "end"})
                await client.socket.close()
                return

    async def _head(self, client: _Client) -> StreamHead:
        """Return the first message, after that with the token if there has to be one.

        Raises:
            RequestError: If it has another form, or the token is wrong.
        """
        seconds = self.service.settings.header_seconds
        text = await client.receive(seconds)
        if isinstance(text, str) and '"token"' in text:
            if not self.is_token(parse_body(text.encode(), StreamToken).token):
                raise RequestError(401, "the token is another")
            text = await client.receive(seconds)
        elif not self.is_token(""):
            raise RequestError(401, "this server asks for its token in the first message")
        if not isinstance(text, str):
            raise RequestError(422, "the first message says fps and kind, as JSON")
        return parse_body(text.encode(), StreamHead)

    def _session(self, head: StreamHead) -> tuple[StreamSession, list[str]]:
        if head.kind == "pictures":
            if self.service.no_pictures:
                raise RequestError(415, self.service.no_pictures)
            return PictureSession.begin(self.service, head)
        return StreamSession.begin(self.service, head)

    def _step(
        self, session: StreamSession, message: str | bytes
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return what a message brings, and whether it is the last."""
        with self.service.thread.request():
            if isinstance(message, bytes):
                return session.picture(message), False
            frame = parse_body(message.encode(), FrameMessage)
            if frame.end:
                return session.finish(), True
            most = self.service.settings.max_persons
            bodies = frame_bodies(frame, session.input_format, most)
            return session.push(frame.t, bodies), False

    async def _run(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


@dataclass
class _Client:
    """Client of a stream, who is waited for only so long."""

    socket: WebSocket
    seconds: float

    async def receive(self, seconds: float) -> str | bytes:
        """Return the next message.

        Raises:
            RequestError: If none comes for so many seconds.
            WebSocketDisconnect: If the client left.
        """
        try:
            async with asyncio.timeout(seconds):
                message = await self.socket.receive()
        except TimeoutError as error:
            raise RequestError(408, f"nothing came for {seconds:g} seconds") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        found: str | bytes = message["bytes"] if text is None else text
        return found

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event."""
        async with asyncio.timeout(self.seconds):
            await self.socket.send_text(json.dumps(event, allow_nan=False))

    async def send_warnings(self, words: list[str]) -> None:
        """Send sentences that the client should know."""
        for word in words:
            await self.send({"type": "warning", "text": word})


async def _refuse(socket: WebSocket, detail: str) -> None:
    """End a stream, and say why."""
    with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(1):
            await socket.send_text(json.dumps({"type": "error", "text": detail, "detail": detail}))
            await socket.close(_REFUSED, detail[:100])
