"""HTTP transport to language models: answers are bounded while read, loopback is never proxied."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx2

from skeletonagent.llm.settings import is_loopback

MOST_BYTES = 2**20
"""Largest body of an answer, in bytes after decompression; a long answer has some thousand."""
MOST_ITEMS = 2_000
"""Most objects and lists in an answer; each takes a library part of a millisecond to read."""
_TIMEOUT = httpx2.Timeout(600, connect=5)
"""The library's own; the time limit of a request is set with each."""
_ENCODINGS = ("gzip", "identity", "")


_COMPLETION = {"id": "", "object": "chat.completion", "created": 0, "model": ""}
_CHOICE = {"finish_reason": "stop"}
"""Fields beside the message of an answer with OpenAI's chat completions."""


class OversizedAnswerError(Exception):
    """Answer that is not read to its end, since it is far larger than one can be."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Transport that reads the whole answer, up to a limit.

    Proxies are those of the environment, as for any client, except for addresses of this machine:
    a key for a server of one's own must not reach a proxy.
    """

    def __init__(self) -> None:
        # Made before the time of a request runs: certificates take a moment to load, and a
        # connection without TLS needs none.
        self._transports: dict[tuple[str, str | None], httpx2.AsyncHTTPTransport] = {
            ("http", None): httpx2.AsyncHTTPTransport(verify=False),
            ("https", None): httpx2.AsyncHTTPTransport(),
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, decompressed.

        Raises:
            OversizedAnswerError: If it is too large.
        """
        request.headers["Accept-Encoding"] = "gzip"
        response = await self._transport(request.url).handle_async_request(request)
        try:
            body = await _body(response)
        finally:
            await response.aclose()
        if response.is_success and b'"choices"' in body:
            body = _with_bookkeeping(body)
        kept = [(name, value) for name, value in response.headers.items() if name not in _FRAMING]
        return httpx2.Response(response.status_code, headers=kept, content=body)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, url: httpx2.URL) -> httpx2.AsyncHTTPTransport:
        key = (url.scheme, proxy_of(url.scheme, url.host))
        if key not in self._transports:
            self._transports[key] = httpx2.AsyncHTTPTransport(proxy=key[1])
        return self._transports[key]


_FRAMING = ("content-encoding", "content-length", "transfer-encoding")
"""Headers about the body as it was sent."""


def bounded_client() -> httpx2.AsyncClient:
    """Return a client whose answers are bounded."""
    return httpx2.AsyncClient(transport=BoundedTransport(), timeout=_TIMEOUT)


def proxy_of(scheme: str, host: str) -> str | None:
    """Return the address of the proxy between this machine and a host, None if there is none."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


async def _body(response: httpx2.Response) -> bytes:
    """Return the body; that of an error is cut, so that its status is not lost."""
    unpack = _unpacker(response)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += unpack(chunk, MOST_BYTES + 1 - len(body))
        if len(body) > MOST_BYTES:
            if response.is_success:
                raise OversizedAnswerError(f"the answer has more than {MOST_BYTES:,} bytes")
            return bytes(body[:MOST_BYTES])
    if response.is_success and _has_too_many_items(body):
        raise OversizedAnswerError(f"the answer has more than {MOST_ITEMS:,} parts")
    return bytes(body)


def _with_bookkeeping(body: bytes) -> bytes:
    """Return a chat completion with the fields beside its message, which some gateways leave out.

    The library reads no answer without them, and nothing here depends on them.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        return body
    numbered = [
        _CHOICE | {"index": number} | _given(choice) for number, choice in enumerate(choices)
    ]
    whole = _COMPLETION | _given(value) | {"choices": numbered}
    return body if whole == value else json.dumps(whole).encode()


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _unpacker(response: httpx2.Response) -> Callable[[bytes, int], bytes]:
    """Return what unpacks a chunk of the body to at most so many bytes."""
    encoding = response.headers.get("content-encoding", "").lower()
    if encoding not in _ENCODINGS:
        raise OversizedAnswerError(f"the answer is packed with {encoding[:20]!r}, not with gzip")
    if encoding == "gzip":
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
    return lambda chunk, most: chunk[:most]


def _has_too_many_items(body: bytearray) -> bool:
    if body.count(b"{") + body.count(b"[") <= MOST_ITEMS:
        return False  # most of them stand in no text
    try:
        return _items(json.loads(body)) > MOST_ITEMS
    except (ValueError, RecursionError):
        return True


def _items(value: Any) -> int:
    """Return the number of objects and lists in a value of JSON."""
    number, open_ = 0, [value]
    while open_:
        item = open_.pop()
        if isinstance(item, dict | list):
            number += 1
            open_.extend(item.values() if isinstance(item, dict) else item)
    return number
