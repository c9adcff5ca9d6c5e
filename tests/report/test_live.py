from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
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

    def __call__(self, version: str) -> str:
        if self.failing:
            raise DataError("is being written")
        self.versions.append(version)
        return f"<p>{len(self.versions)} ü</p>"


def touched(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(10**18, 10**18 + len(text)))


@pytest.mark.parametrize("name", ["metrics.jsonl", "predictions.npz", "snapshots/epoch_0001.npz"])
def test_the_page_is_made_anew_only_when_a_file_changed(run: Path, name: str) -> None:
    build = Builder()
    page = LivePage(build, [run])
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
    page = LivePage(build, [run])
    with pytest.raises(DataError):
        page.newest()
    build.failing = False
    _, content = page.newest()
    build.failing = True
    touched(run / "metrics.jsonl", "torn")
    assert page.newest()[1] == content


@pytest.fixture
def port(run: Path) -> Iterator[int]:
    with live_server(LivePage(Builder(), [run])) as server:
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
