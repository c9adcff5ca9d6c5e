"""A server in a thread of the tests, and a plain client of it."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from skeletonagent.inference.predictor import Predictor
from skeletonagent.server.running import build_server, open_socket
from skeletonagent.server.settings import ServeSettings

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content, parse_constant=lambda name: f"no JSON: {name}")

    @property
    def detail(self) -> str:
        assert set(self.json) == {"detail"}
        detail: str = self.json["detail"]
        return detail


@dataclass(frozen=True)
class Served:
    port: int
    settings: ServeSettings

    @property
    def streams(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream"

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            verb = method or ("GET" if body is None else "POST")
            connection.request(verb, path, body, dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def predict(self, body: object, query: str = "", **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(
            f"/predict{query}", content, {"Content-Type": "application/json", **headers}
        )

    def upload(self, content: bytes, name: str, query: str = "", field: str = "file") -> Answer:
        body, kind = form((field, name, content))
        return self.ask(f"/predict{query}", body, {"Content-Type": kind})


def form(*fields: tuple[str, str, bytes], boundary: str = "xyz") -> tuple[bytes, str]:
    parts = [
        b"--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n%s\r\n"
        % (boundary.encode(), field.encode(), name.encode(), content)
        for field, name, content in fields
    ]  # fmt: skip
    end = f"--{boundary}--\r\n".encode()
    return b"".join([*parts, end]), f"multipart/form-data; boundary={boundary}"


@contextmanager
def served(predictor: Predictor, token: str = "", **settings: Any) -> Iterator[Served]:
    limits = ServeSettings(**{"port": 0, "rate": 0, **settings})
    with open_socket(limits) as listening:
        server = build_server(predictor, "mine", limits, token)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
        )
        thread.start()
        try:
            yield Served(listening.getsockname()[1], limits)
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()


def as_lists(joints: np.ndarray) -> Any:
    """Return joints of (..., C) as JSON has them: null where one was not seen."""
    if joints.ndim == 1:
        return None if np.isnan(joints).any() else joints.tolist()
    return [as_lists(part) for part in joints]
