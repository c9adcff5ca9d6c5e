"""Downloads from a real server on this machine, which misbehaves as asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.data import downloads
from skeletonagent.data.downloads import DOWNLOADS, DownloadEntry, download_entry

download = partial(downloads.download, retry_delays=(0.0,) * 3)

CONTENT = np.random.default_rng(0).bytes(300_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file. Attributes say how; ``requests`` keeps the Range header of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.cuts: list[int] = []  # bytes after which each of the next answers breaks off
        self.statuses: list[int] = []  # of the next answers
        self.claimed: int | None = None  # a false Content-Length
        self.lengths = True
        self.shift = 0  # bytes by which a part begins too late
        self.tag = '"one"'
        self.content_type = "application/octet-stream"
        self.redirect = ""
        self.requests: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        if server.redirect and not self.path.endswith("moved"):
            return self._answer(302, {"Location": server.redirect})
        if server.statuses:
            return self._answer(server.statuses.pop(0), {})
        if self.headers.get("If-Range") not in (None, server.tag):
            asked = None
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if not (asked and server.ranges):
            return self._send(200, server.content, {})
        if first >= len(server.content):
            return self._answer(416, {"Content-Range": f"bytes */{len(server.content)}"})
        first += server.shift
        span = f"bytes {first}-{len(server.content) - 1}/{len(server.content)}"
        return self._send(206, server.content[first:], {"Content-Range": span})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        server = self.server
        headers |= {"Content-Type": server.content_type, "ETag": server.tag}
        if server.lengths:
            headers["Content-Length"] = str(server.claimed or len(body))
        self._answer(status, headers)
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_arrives_with_its_checksum_recorded(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = download(server.url, tmp_path / "new" / "a.bin", progress=lambda *s: seen.append(s))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert files_in(target.parent) == {"a.bin", "a.bin.sha256"}
    assert (tmp_path / "new" / "a.bin.sha256").read_text() == f"{SHA256}  a.bin\n"


def test_a_known_checksum_is_not_recorded(server: Server, tmp_path: Path) -> None:
    download(server.url, tmp_path / "a.bin", sha256=SHA256.upper(), size=len(CONTENT))
    assert files_in(tmp_path) == {"a.bin"}


def test_a_broken_download_is_resumed(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 250_000]
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=1000-", "bytes=251000-"]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 400_000), max_size=3),
    ranges=st.booleans(),
    begun=st.integers(0, len(CONTENT)),
)
def test_the_file_is_the_same_after_any_breaks(
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    ranges: bool,
    begun: int,
) -> None:
    folder = tmp_path_factory.mktemp("download")
    (folder / "a.bin.part").write_bytes(CONTENT[:begun])
    server.cuts, server.ranges = list(cuts), ranges
    assert download(server.url, folder / "a.bin").read_bytes() == CONTENT


def test_retries_start_over_after_progress(server: Server, tmp_path: Path) -> None:
    server.cuts = [10_000] * 20
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_is_read_from_the_start(
    server: Server, tmp_path: Path
) -> None:
    server.ranges, server.cuts = False, [1000]
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=1000-"]


def test_without_ranges_a_download_that_always_breaks_ends(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [1000] * 100
    with pytest.raises(
        DataError, match=r"gave up after 4 attempts: .* broke off at 1000 of 300001"
    ):
        download(server.url, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_the_next_run_resumes_a_partial_file(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 0, 0, 0, 0]
    with pytest.raises(DataError, match="1000 bytes are kept"):
        download(server.url, tmp_path / "a.bin")
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=1000-"
    assert files_in(tmp_path) == {"a.bin", "a.bin.sha256"}


def test_versions_are_not_mixed(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 0, 0, 0, 0]
    with pytest.raises(DataError):
        download(server.url, tmp_path / "a.bin")
    server.tag, server.content = '"two"', CONTENT[::-1]
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT[::-1]


def test_a_complete_part_needs_no_byte(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_deleted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_from_elsewhere_in_the_file_is_not_appended(server: Server, tmp_path: Path) -> None:
    server.cuts, server.shift = [1000], 7
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_states_too_many_bytes_is_given_up(server: Server, tmp_path: Path) -> None:
    server.ranges, server.claimed = False, len(CONTENT) + 1
    with pytest.raises(DataError, match="broke off at 300001 of 300002 bytes"):
        download(server.url, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_another_size_than_expected_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the server has 300001 bytes, expected 5"):
        download(server.url, tmp_path / "a.bin", size=5)
    assert len(server.requests) == 1
    assert files_in(tmp_path) == set()


def test_without_a_length_the_expected_size_shows_a_break(server: Server, tmp_path: Path) -> None:
    server.lengths, server.cuts = False, [1000]
    target = download(server.url, tmp_path / "a.bin", size=len(CONTENT))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_temporary_failure_is_retried(server: Server, tmp_path: Path, status: int) -> None:
    server.statuses = [status, status]
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_permanent_failure_is_given_up(server: Server, tmp_path: Path) -> None:
    server.statuses = [500] * 9
    with pytest.raises(DataError, match="gave up after 4 attempts: HTTP Error 500"):
        download(server.url, tmp_path / "a.bin")
    assert len(server.requests) == 4


def test_a_missing_file_is_not_retried(server: Server, tmp_path: Path) -> None:
    server.statuses = [404] * 9
    with pytest.raises(DataError, match="404"):
        download(server.url, tmp_path / "a.bin")
    assert len(server.requests) == 1
    assert files_in(tmp_path) == set()


def test_a_server_that_does_not_answer_is_given_up(server: Server, tmp_path: Path) -> None:
    server.server_close()
    with pytest.raises(DataError, match="gave up after 4 attempts"):
        download(server.url, tmp_path / "a.bin")


def test_a_web_page_is_not_taken_for_the_file(server: Server, tmp_path: Path) -> None:
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(DataError, match=r"web page.*by hand"):
        download(server.url, tmp_path / "a.bin")
    assert files_in(tmp_path) == set()


def test_another_checksum_is_refused_and_nothing_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"has the checksum {SHA256}, expected 00"):
        download(server.url, tmp_path / "a.bin", sha256="00")
    assert files_in(tmp_path) == set()


def test_later_runs_verify_the_recorded_checksum(server: Server, tmp_path: Path) -> None:
    target = download(server.url, tmp_path / "a.bin")
    assert download(server.url, target) == target
    assert len(server.requests) == 1  # it was there
    target.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DataError, match="delete it to download it again"):
        download(server.url, target)
    target.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(DataError, match=f"expected {SHA256}"):
        download(server.url, target)


def test_redirections_are_followed_to_http_addresses_only(server: Server, tmp_path: Path) -> None:
    server.redirect, server.cuts = "/moved", [1000]
    assert download(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    server.redirect = "file:///etc/passwd"
    with pytest.raises(DataError, match="302"):
        download(server.url, tmp_path / "b.bin")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.b/c", "data:,x", "http:", "a.b/c"])
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only http and https"):
        download(url, tmp_path / "a.bin")


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be downloaded"):
        download(server.url, tmp_path / "file" / "a.bin")


@pytest.mark.parametrize("name", DOWNLOADS)
def test_entries_are_complete(name: str) -> None:
    item = DOWNLOADS[name]
    assert item.url.startswith("https://") and item.title
    assert Path(item.file_name).name == item.file_name
    assert item.file_name or item.note


def test_download_entry_by_name(server: Server, tmp_path: Path) -> None:
    entries = {
        "file": DownloadEntry(server.url, "a.bin", "A file", sha256=SHA256),
        "page": DownloadEntry(server.url, "", "A page", "ask there"),
    }
    assert download_entry("file", tmp_path, entries=entries).read_bytes() == CONTENT
    with pytest.raises(DataError, match=f"A page can only be fetched by hand: {server.url}"):
        download_entry("page", tmp_path, entries=entries)
    with pytest.raises(DataError, match="'nothing' to download; there are file, page"):
        download_entry("nothing", tmp_path, entries=entries)
