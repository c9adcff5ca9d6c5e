"""Bodies of requests, read within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from skeletonagent.server.server_errors import RequestError
from skeletonagent.server.settings import GRACE_SECONDS, LEAST_UPLOAD_RATE

AsgiReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""Function of ASGI that returns the next message of a client."""

_DRAINED_SECONDS = 2.0
"""Time for which the rest of a body that is too large is read, so that its sender reads why."""


class ClientGone(Exception):
    """Client that left before its request was read."""


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Return the value of a header, the empty text if it is not there.

    Args:
        headers: Headers as ASGI has them, names in lower case.
        name: Name in lower case.
    """
    found = next((value for key, value in headers if key == name), b"")
    return found.decode("latin-1")


async def body_parts(
    receive: AsgiReceive, headers: Iterable[tuple[bytes, bytes]], most: int, seconds: float
) -> AsyncIterator[bytes]:
    """Yield a body as it comes.

    Args:
        receive: Function that returns the next message.
        headers: Headers of the request.
        most: Largest number of bytes.
        seconds: Time in which all of it has to come.

    Raises:
        RequestError: If it is too large, or comes too slowly.
        ClientGone: If the client leaves.
    """
    too_large = RequestError(
        413, f"the body is larger than the {most / 1e6:g} MB that are taken", closes=True
    )
    length = header(headers, b"content-length")
    if length.isdecimal() and int(length) > most:
        await _drain(receive)
        raise too_large
    loop = asyncio.get_running_loop()
    begin, count = loop.time(), 0
    while True:
        limit = min(seconds, GRACE_SECONDS + count / LEAST_UPLOAD_RATE)
        try:
            async with asyncio.timeout_at(begin + limit):
                message = await receive()
        except TimeoutError as error:
            raise RequestError(
                408, f"the body did not come within {limit:g} seconds", closes=True
            ) from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        count += len(part)
        if count > most:
            await _drain(receive)
            raise too_large
        if part:
            yield part
        if not message.get("more_body", False):
            return


async def read_body(
    receive: AsgiReceive, headers: Iterable[tuple[bytes, bytes]], most: int, seconds: float
) -> bytes:
    """Return a body; arguments and errors as of :func:`body_parts`."""
    return b"".join([part async for part in body_parts(receive, headers, most, seconds)])


async def _drain(receive: AsgiReceive) -> None:
    """Read what else comes, for a short time."""
    try:
        async with asyncio.timeout(_DRAINED_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
