from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from chat_server import Server

from skeletonagent.core.dialogue import Question
from skeletonagent.core.errors import ChatError
from skeletonagent.llm.answer_schemas import OverviewAnswer
from skeletonagent.llm.chats.provider import ProviderChat
from skeletonagent.llm.client import Connection, Output, Reply
from skeletonagent.llm.messages import to_messages
from skeletonagent.llm.retry import Fault, Remedy
from skeletonagent.llm.settings import LanguageModel
from skeletonagent.llm.transport import MOST_BYTES, MOST_ITEMS, proxy_of

SAID = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
WHOLE: Mapping[str, Any] = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [SAID],
}  # fmt: skip


class Canned(ThreadingHTTPServer):
    """A server with one answer to everything."""

    daemon_threads = True

    def __init__(self, body: bytes, headers: Mapping[str, str], status: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.headers, self.status = body, headers, status

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Canned

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)


@pytest.fixture
def answered() -> Iterator[Callable[..., Reply]]:
    """Ask a server that has this body for everything."""
    servers: list[Canned] = []

    def asked(
        body: bytes,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
        output: Output = Output.TEXT,
    ) -> Reply:
        server = Canned(body, headers or {}, status)
        servers.append(server)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        settings = LanguageModel(
            model="m", base_url=f"http://127.0.0.1:{server.server_port}/v1", timeout=20.0
        )
        return Connection(settings).send(to_messages((), "How?"), OverviewAnswer, output)

    yield asked
    for server in servers:
        server.shutdown()
        server.server_close()


def bomb(megabytes: int) -> bytes:
    """Return the answer with padding, packed some thousand times smaller."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    head = json.dumps(WHOLE)[:-1] + ', "pad": "'
    parts = [packer.compress(head.encode())]
    parts += [packer.compress(b"a" * 2**20) for _ in range(megabytes)]
    return b"".join([*parts, packer.compress(b'"}'), packer.flush()])


def test_a_packed_answer_is_read(answered: Callable[..., Reply]) -> None:
    packed = {"Content-Encoding": "gzip"}
    assert answered(gzip.compress(json.dumps(WHOLE).encode()), packed).text == "hi"
    assert answered(json.dumps(WHOLE).encode()).text == "hi"


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": [{"message": SAID["message"]}]},
        {**WHOLE, "id": None, "created": None, "model": None, "usage": None},
        {**WHOLE, "choices": [{**SAID, "finish_reason": None, "index": None}]},
    ],
)
def test_what_a_gateway_leaves_out_beside_the_message_is_not_needed(
    answered: Callable[..., Reply], fields: Mapping[str, Any]
) -> None:
    assert answered(json.dumps(fields).encode()).text == "hi"


@pytest.mark.parametrize(
    "body", [b'{"choices": ', b'["choices"]', b'{"choices": 5}', b'{"choices": [5]}', b'"choices"']
)
def test_other_bodies_are_no_answers(answered: Callable[..., Reply], body: bytes) -> None:
    with pytest.raises(Fault):
        answered(body)


def test_braces_in_a_text_are_no_parts(answered: Callable[..., Reply]) -> None:
    said = {**SAID, "message": {"role": "assistant", "content": "{[" * MOST_ITEMS}}
    assert answered(json.dumps({**WHOLE, "choices": [said]}).encode()).text == "{[" * MOST_ITEMS


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        (bomb(64), {"Content-Encoding": "gzip"}, f"more than {MOST_BYTES:,} bytes"),
        (b" " * (MOST_BYTES + 1), {}, f"more than {MOST_BYTES:,} bytes"),
        (json.dumps({**WHOLE, "choices": [SAID] * 3_000}).encode(), {}, "more than 2,000 parts"),
        (b'{"choices": ' + b"[" * 100_000, {}, "more than 2,000 parts"),
        (b"...", {"Content-Encoding": "br"}, "packed with 'br'"),
    ],
    ids=["bomb", "long", "choices", "deep", "brotli"],
)
def test_an_answer_that_cannot_be_one_is_not_read_to_its_end(
    answered: Callable[..., Reply], body: bytes, headers: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(Fault, match=problem) as caught:
        answered(body, headers)
    assert (caught.value.code, caught.value.remedy) == ("too long", Remedy.REPEAT)


def test_a_long_error_keeps_its_status(answered: Callable[..., Reply]) -> None:
    with pytest.raises(Fault, match="the server answered 503") as caught:
        answered(bomb(4), {"Content-Encoding": "gzip"}, 503)
    assert caught.value.status == 503 and len(caught.value.problem) < 300


def test_a_key_that_comes_back_in_arguments_is_masked(
    answered: Callable[..., Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-planted-1234567890"
    monkeypatch.setenv("SKELETONAGENT_API_KEY", key)
    for form in (key, key.upper(), "".join(f"\\u{ord(c):04x}" for c in key)):
        arguments = f'{{"sentence": "A person walks {form} on."}}'
        call = {"id": "c", "type": "function", "function": {"name": "x", "arguments": arguments}}
        said = {**SAID, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
        body = json.dumps({**WHOLE, "choices": [said]}).encode()
        assert json.loads(answered(body, output=Output.TOOL).text) == {
            "sentence": "A person walks *** on."
        }


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "proxy:3128")
    return monkeypatch


@pytest.mark.parametrize(
    "host", ["localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "127.1", "::1", "0.0.0.0",
             "::ffff:127.0.0.1"],
)  # fmt: skip
def test_this_machine_is_never_behind_a_proxy(proxied: object, host: str) -> None:
    assert proxy_of("http", host) is None


def test_other_machines_are_where_the_environment_says(proxied: pytest.MonkeyPatch) -> None:
    assert proxy_of("http", "192.168.0.2") == "http://127.0.0.1:9"
    assert proxy_of("https", "api.openai.com") == "http://proxy:3128"
    proxied.setenv("no_proxy", "openai.com")
    assert proxy_of("https", "api.openai.com") is None
    proxied.delenv("http_proxy")
    assert proxy_of("http", "192.168.0.2") is None
    proxied.setenv("all_proxy", "socks5://127.0.0.1:9")
    assert proxy_of("http", "192.168.0.2") == "socks5://127.0.0.1:9"


def test_a_key_for_this_machine_reaches_no_proxy(
    proxied: object,
    server: Server,
    connect: Callable[..., ProviderChat],
    ask_about: Callable[..., Question],
) -> None:
    assert connect().ask(ask_about(), ()).text
    with pytest.raises(ChatError, match="connection failed"):
        connect(base_url="http://192.0.2.1/v1", max_attempts=1).ask(ask_about(), ())
