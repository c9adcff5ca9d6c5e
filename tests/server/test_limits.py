"""Limits of the server: who may ask, how often, how slowly, and what becomes of the rest."""

from __future__ import annotations

import io
import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.server.serving import TOKEN, Served, as_lists, form, served
from tests.small_run import swinging

from skeletonagent.core.errors import ConfigError
from skeletonagent.inference.predictor import Predictor
from skeletonagent.server.guard import RateLimit
from skeletonagent.server.running import TOKEN_VARIABLE, open_socket, read_token
from skeletonagent.server.server_errors import RequestError
from skeletonagent.server.settings import ServeSettings

BODY = {"keypoints": as_lists(swinging(0, 1, 16)[0]), "fps": 30}


@contextmanager
def connected(server: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        yield client


def received(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def head(length: int, kind: str = "application/json", host: str = "localhost") -> bytes:
    return (
        f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_settings_out_of_their_range_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"max_batch is 0.*stop_seconds is -1.*port is 70000"):
        ServeSettings(max_batch=0, stop_seconds=-1, port=70_000)
    with pytest.raises(ConfigError, match="rate is nan"):
        ServeSettings(rate=float("nan"))


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("name", False)],
)
def test_a_token_is_needed_where_others_can_connect(
    host: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    given = ServeSettings(host=host)
    assert given.is_loopback is local
    if local:
        assert read_token(None, given) == ""
    else:
        with pytest.raises(ConfigError, match="need a token"):
            read_token(None, given)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert read_token(None, given) == TOKEN


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for text, problem in (("", "no token"), ("short", "16"), ("t\u00f6ken" * 8, "ASCII")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=problem) as refused:
            read_token(file, ServeSettings())
        assert not text or text not in str(refused.value)
    file.write_text(f"{TOKEN}\n")
    assert read_token(file, ServeSettings()) == TOKEN


def test_a_port_that_is_taken_is_said() -> None:
    with (
        open_socket(ServeSettings(port=0)) as taken,
        pytest.raises(ConfigError, match="choose others with --host and --port"),
    ):
        open_socket(ServeSettings(port=taken.getsockname()[1]))


def test_who_lacks_the_token_learns_nothing(model: Predictor) -> None:
    with served(model, TOKEN) as server:
        for path in ("/model", "/metrics", "/predict", "/other"):
            answer = server.ask(path)
            assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer other", f"Basic {TOKEN}", "Bearer \xff", TOKEN):
            assert server.ask("/model", headers={"Authorization": wrong}).status == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert server.ask("/model", headers=right).status == 200
        assert server.predict(BODY, **right).status == 200
        for path in ("/", "/health", "/page/start.js"):
            assert server.ask(path).status == 200


def test_names_and_pages_of_other_sites_are_refused(server: Served) -> None:
    assert server.ask("/model", headers={"Host": "evil.example"}).status == 403
    assert server.ask("/health", headers={"Host": "localhost.evil.example"}).status == 403
    assert server.ask("/model", headers={"Host": f"localhost:{server.port}"}).status == 200
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        assert server.predict(BODY, Origin=origin).status == 403
    own = f"http://127.0.0.1:{server.port}"
    assert server.predict(BODY, Origin=own).status == 200
    allowed = server.ask("/predict", headers={"Origin": "http://evil.example"}, method="OPTIONS")
    assert allowed.status == 403
    assert not [name for name in allowed.headers if name.startswith("access-control")]


def test_a_client_that_asks_too_often_has_to_wait() -> None:
    now = [0.0]
    limit = RateLimit(5, clock=lambda: now[0])
    for _ in range(10):
        limit.take("a")
    with pytest.raises(RequestError) as refused:
        limit.take("a")
    assert refused.value.status == 429 and refused.value.headers["Retry-After"] == "1"
    limit.take("b")
    now[0] = 0.25
    limit.take("a")
    with pytest.raises(RequestError):
        limit.take("a")


def test_the_rate_is_kept(model: Predictor) -> None:
    with served(model, rate=2) as server:
        statuses = [server.ask("/model").status for _ in range(8)]
        assert statuses[:4] == [200] * 4 and 429 in statuses
        assert server.ask("/health").status == 200


def test_a_body_that_is_too_large_is_refused(model: Predictor) -> None:
    with served(model, max_body=0.02, max_upload=0.02) as server:
        large = server.predict(b" " * 20_001)
        assert large.status == 413 and "0.02 MB" in large.detail
        assert server.upload(b"x" * 40_000, "a.npy").status == 413
        with connected(server) as client:  # chunks, whose length nobody says before
            client.sendall(head(1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked"))
            client.sendall(b"4e21\r\n" + b" " * 20_001 + b"\r\n0\r\n\r\n")
            assert received(client).startswith(b"HTTP/1.1 413 ")
        assert server.predict(BODY).status == 200


def test_slow_clients_harm_nobody(model: Predictor) -> None:
    with served(model, header_seconds=1, upload_seconds=1.5, max_active=1, max_queue=0) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(20)]
        for number, client in enumerate(slow):
            client.sendall(head(1000)[:9] if number % 2 else head(1000) + b"{")
        begin = time.monotonic()
        assert server.predict(BODY).status == 200
        while any(client.fileno() >= 0 for client in slow) and time.monotonic() < begin + 15:
            for client in slow:
                try:
                    client.sendall(b" ")
                except OSError:
                    client.close()
            time.sleep(0.3)
        assert all(client.fileno() < 0 for client in slow)
        with connected(server) as client:
            client.sendall(head(1000) + b"{")
            answer = received(client)
        assert answer.startswith(b"HTTP/1.1 408 ") and b'{"detail":' in answer


def test_a_file_that_comes_slowly_leaves_nothing(model: Predictor, tmp_path: Path) -> None:
    with served(model, upload_seconds=0.5) as server, connected(server) as client:
        body, kind = form(("file", "a.npy", b"x" * 1000))
        client.sendall(head(len(body), kind) + body[:200])
        assert received(client).startswith(b"HTTP/1.1 408 ")


def test_what_is_no_http_gets_a_sentence(server: Served) -> None:
    for junk in (b"\x16\x03\x01 hello\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header\r\n\r\n"):
        with connected(server) as client:
            client.sendall(junk)
            answer = received(client)
        assert answer.startswith(b"HTTP/1.1 400 ") and b'{"detail"' in answer
    assert server.ask("/health").status == 200


class HeldModel:
    """Recognizer that waits until it may go on."""

    def __init__(self, model: Any) -> None:
        self._model, self.may_go_on, self.reached = model, threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict_samples(self, *samples: Any) -> Any:
        self.reached.set()
        self.may_go_on.wait(20)
        return self._model.predict_samples(*samples)


@contextmanager
def held(model: Predictor, **settings: Any) -> Iterator[tuple[Served, HeldModel]]:
    held_model = HeldModel(model.models[0])
    changed = replace(model, models=(held_model,))
    with served(changed, **settings) as server:
        try:
            yield server, held_model
        finally:
            held_model.may_go_on.set()


def asked(server: Served, found: list[int]) -> threading.Thread:
    thread = threading.Thread(
        target=lambda: found.append(server.predict(BODY, "?clips=true").status)
    )
    thread.start()
    return thread


def test_a_full_queue_is_said_and_what_waits_is_answered(model: Predictor) -> None:
    with held(model, max_active=2, max_queue=2) as (server, held_model):
        found: list[int] = []
        threads = [asked(server, found) for _ in range(4)]
        assert held_model.reached.wait(10)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            full = server.predict(BODY, "?clips=true") if _queued(server) == 2 else None
            if full is not None:
                break
            time.sleep(0.02)
        assert full is not None and full.status == 503
        assert full.headers["retry-after"] == "1" and "full" in full.detail
        held_model.may_go_on.set()
        for thread in threads:
            thread.join(20)
        assert found == [200] * 4


def _queued(server: Served) -> int:
    lines = server.ask("/metrics").content.decode().splitlines()
    line = next(line for line in lines if line.startswith("skeletonagent_queue_length "))
    return int(float(line.split()[1]))


def test_a_stop_finishes_what_is_under_way(model: Predictor) -> None:
    found: list[int] = []
    with held(model) as (server, held_model):
        thread = asked(server, found)
        assert held_model.reached.wait(10)
        threading.Timer(0.5, held_model.may_go_on.set).start()
    thread.join(20)
    assert found == [200]


def test_a_stop_waits_only_so_long(model: Predictor) -> None:
    found: list[int] = []
    with held(model, stop_seconds=0.5) as (server, held_model):
        original, held_model.may_go_on.set = held_model.may_go_on.set, lambda: None  # type: ignore[method-assign]
        thread = asked(server, found)
        assert held_model.reached.wait(10)
    original()
    thread.join(20)
    assert found == [503]


def test_too_many_connections_are_sent_away(model: Predictor) -> None:
    with served(model, max_connections=4) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        time.sleep(0.2)
        with connected(server) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = received(client)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in answer
        for client in clients:
            client.close()
        time.sleep(0.2)
        assert server.ask("/health").status == 200


def test_clients_that_leave_are_no_failures(server: Served) -> None:
    content = json.dumps(BODY).encode()
    for end in (0, 50, len(content)):
        with connected(server) as client:
            client.sendall(head(len(content)) + content[:end])
    time.sleep(0.3)
    text = server.ask("/metrics").content.decode()
    assert 'status="5' not in text
    assert server.predict(BODY).status == 200


def test_a_file_is_gone_after_its_request(
    model: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    np.save(content, swinging(0, 1, 16))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with served(model) as server:
        assert server.ask("/health").status == 200  # it has begun
        (folder,) = tmp_path.glob("skeletonagent-*")
        assert folder.stat().st_mode & 0o77 == 0
        assert server.upload(content.getvalue(), "a.npy").status == 200
        assert server.upload(b"junk", "a.npy").status == 422
        with connected(server) as client:
            body, kind = form(("file", "a.npy", b"x" * 1000))
            client.sendall(head(len(body), kind) + body[:200])
        assert server.ask("/health").status == 200
        until = time.monotonic() + 10
        while list(folder.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)
        assert list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
