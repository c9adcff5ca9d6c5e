from __future__ import annotations

import http.client
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.report.live import HOST, LivePage, fingerprint, live_server


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    return tmp_path


class Builder:
    """Builds pages, and fails when told to."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.failing = False
        self.problem = "is being written"
        self.size = 0

    def __call__(self, runs: Sequence[Path], version: str) -> str:
        if self.failing:
            raise DataError(self.problem)
        self.versions.append(version)
        return f"<p>{len(self.versions)} ü</p>{' ' * self.size}"


def touched(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(10**18, 10**18 + len(text)))


@pytest.mark.parametrize("name", ["metrics.jsonl", "predictions.npz", "snapshots/epoch_0001.npz"])
def test_the_page_is_made_anew_only_when_a_file_changed(run: Path, name: str) -> None:
    build = Builder()
    page = LivePage(lambda: [run], build)
    first = page.newest()
    assert page.newest() == first and len(build.versions) == 1
    touched(run / name, "x")
    second = page.newest()
    assert second[0] != first[0] == build.versions[0] and second[1] == "<p>2 ü</p>".encode()
    touched(run / name, "xx")
    assert page.newest()[0] not in (first[0], second[0])
    (run / "report.html").write_text("of no account")
    assert fingerprint([run]) == page.newest()[0]


def test_what_cannot_be_read_leaves_the_page_as_it_was(run: Path) -> None:
    build = Builder()
    build.failing = True
    page = LivePage(lambda: [run], build)
    with pytest.raises(DataError):
        page.newest()
    build.failing = False
    _, content = page.newest()
    build.failing = True
    touched(run / "metrics.jsonl", "torn")
    # With its own version, lest browsers load it again and again.
    assert page.newest() == (build.versions[0], content)
    build.failing = False
    version, content = page.newest()  # the same files, which can be read now
    assert version == build.versions[1] and content == "<p>2 ü</p>".encode()


def test_what_stays_unreadable_is_said(run: Path) -> None:
    build = Builder()
    page = LivePage(lambda: [run], build)
    page.newest()
    build.failing = True
    touched(run / "metrics.jsonl", "damaged")
    page.newest()  # half-written, perhaps
    with pytest.warns(UserWarning, match="the page stays as it was: is being written"):
        page.newest()


def test_runs_that_begin_later_are_added(run: Path) -> None:
    pages: list[list[Path]] = []
    found = [run]

    def build(runs: Sequence[Path], version: str) -> str:
        pages.append(list(runs))
        return version

    page = LivePage(lambda: found, build)
    page.newest()
    found.insert(0, run / "later")
    touched(run / "later" / "config.yaml", "seed: 1\n")
    page.newest()
    page.newest()
    assert pages == [[run], [run, run / "later"]]  # the report stays about the first
    found.remove(run)
    page.newest()
    assert pages[2:] == [[run / "later"]]


def test_a_file_that_vanishes_leaves_the_page_as_it_was(run: Path) -> None:
    pages = iter(["<p>first</p>"])

    def build(runs: Sequence[Path], version: str) -> str:
        for page in pages:
            return page
        raise FileNotFoundError(2, "gone", str(run / "metrics.jsonl"))

    page = LivePage(lambda: [run], build)
    first = page.newest()
    touched(run / "metrics.jsonl", "x")
    assert page.newest() == first


@pytest.fixture
def builder() -> Builder:
    return Builder()


@pytest.fixture
def port(run: Path, builder: Builder) -> Iterator[int]:
    with live_server(LivePage(lambda: [run], builder)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def asked(
    port: int, method: str = "GET", path: str = "/", **headers: str
) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("ETag", "")
    finally:
        connection.close()


def test_the_page_and_nothing_else_is_served(port: int) -> None:
    status, content, tag = asked(port)
    assert (status, content) == (200, "<p>1 ü</p>".encode())
    assert asked(port, path="/?again=1")[0] == 200
    assert asked(port, If_None_Match=tag)[:2] == (304, b"")
    for path in ("/config.yaml", "/../config.yaml", "/%2e%2e/config.yaml"):
        assert asked(port, path=path)[0] == 404
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert asked(port, method)[0] == 501


def test_a_name_from_elsewhere_is_refused(port: int) -> None:
    assert asked(port, Host=f"evil.example:{port}")[0] == 403
    assert asked(port, Host=f"localhost:{port}")[0] == 200


def test_without_a_page_yet_the_browser_is_told_and_asks_again(port: int, builder: Builder) -> None:
    builder.failing = True
    builder.problem = "metrics.jsonl: <b>torn</b>"
    status, content, _ = asked(port)
    assert status == 503 and b'http-equiv="refresh"' in content
    assert b"&lt;b&gt;torn" in content and b"<b>" not in content
    builder.failing = False
    assert asked(port)[0] == 200


def test_clients_that_leave_do_no_harm(
    port: int, builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    builder.size = 8_000_000
    for request in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n"):
        with socket.create_connection((HOST, port), timeout=10) as client:
            client.sendall(request)
            if request.endswith(b"\r\n\r\n"):
                assert client.recv(16).startswith(b"HTTP/1.")
            # A reset: what was not read yet is dropped, as when a browser is closed.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    status, content, _ = asked(port)
    assert status == 200 and len(content) > builder.size
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_faults_of_our_own_are_not_hidden(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with live_server(LivePage(lambda: [run], Builder())) as server:
        try:
            raise RuntimeError("ours")
        except RuntimeError:
            server.handle_error(None, (HOST, 1))
    assert "RuntimeError: ours" in capfd.readouterr().err
