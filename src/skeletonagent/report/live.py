"""Live report: a page that is updated while runs train, served to this machine alone."""

from __future__ import annotations

import html
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.training.feature_snapshots import FOLDER
from skeletonagent.training.run_directory import RunDirectory

HOST = "127.0.0.1"
SECONDS_BETWEEN = 4
"""Time after which a browser asks again where there is no page yet."""
SECONDS_OF_A_CLIENT = 20
"""Time after which a client that neither asks nor reads is left."""
Build = Callable[[Sequence[Path], str], str]
"""Function that returns the page of some runs, given their directories and the version."""


class LivePage:
    """Newest page of some runs, made on request when the runs' files have changed."""

    def __init__(self, find: Callable[[], Sequence[Path]], build: Build) -> None:
        """Keep what the page is made of; it is made on the first request.

        Args:
            find: Function that returns the run directories of the report; it is called at each
                request. Runs that begin later come after the others.
            build: Function that returns the page of these runs.
        """
        self._find, self._build = find, build
        self._lock = Lock()
        self._runs: list[Path] = []
        self._version, self._page = "", b""
        self._failed = ""

    def newest(self) -> tuple[str, bytes]:
        """Return version and page; while a file cannot be read, those before are returned.

        A file may be half-written, or replaced while it is read; the next request tries again. What
        is still wrong then, with the same files, is warned of.

        Raises:
            SkeletonAgentError: If a file cannot be read and there is no earlier page.
            OSError: If a file is gone and there is no earlier page.
        """
        with self._lock:
            version = ""
            try:
                found = self._find()
                known = [run for run in self._runs if run in found]
                self._runs = [*known, *(run for run in found if run not in known)]
                version = fingerprint(self._runs)
                if version != self._version:
                    self._page = self._build(self._runs, version).encode()
                    self._version = version
            except (SkeletonAgentError, OSError) as error:
                if not self._page:
                    raise
                if version == self._failed:
                    warnings.warn(f"the page stays as it was: {error}", stacklevel=2)
                self._failed = version
            return self._version, self._page


def fingerprint(runs: Sequence[Path]) -> str:
    """Return a digest that changes with the files that reports are made of."""
    digest = sha256()
    for path in runs:
        run = RunDirectory(path)
        files = [
            run.config, run.metrics, run.guidance, run.predictions, run.summary, run.baseline,
            run.provenance, run.choices, run.evaluation_parts,
        ]  # fmt: skip
        for file in [*files, *sorted((path / FOLDER).glob("*.npz"))]:
            with suppress(FileNotFoundError):
                state = file.stat()
                digest.update(f"{file}\0{state.st_mtime_ns}\0{state.st_size}\n".encode())
    return digest.hexdigest()[:20]


def live_server(page: LivePage, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of one page on the loopback address; it serves once it is run.

    Args:
        page: Page that is served under ``/``; nothing else is.
        port: Port; 0 takes a free one.

    Raises:
        OSError: If the port is taken.
    """
    return _Server((HOST, port), page)


class _Server(ThreadingHTTPServer):
    """Server of a page, which a client may leave at any time."""

    def __init__(self, address: tuple[str, int], page: LivePage) -> None:
        self.page = page
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that left or stopped reading, which is no fault of ours."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Handler of GET requests; a browser that has the newest version gets status 304."""

    server: _Server
    timeout = SECONDS_OF_A_CLIENT

    def do_GET(self) -> None:
        """Send the page."""
        if not self._is_local():
            self.send_error(HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost")
        elif self.path.partition("?")[0] != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._send_page()

    def log_message(self, *_: object) -> None:
        """Log no requests."""

    def _is_local(self) -> bool:
        # A web page elsewhere may resolve a name of its own to this address (DNS rebinding).
        name = self.headers.get("Host", "").rpartition(":")[0]
        return name in (HOST, "localhost")

    def _send_page(self) -> None:
        try:
            version, content = self.server.page.newest()
        except (SkeletonAgentError, OSError) as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, _waiting_page(error))
            return
        tag = f'"{version}"'
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, None, tag)
        else:
            self._send(HTTPStatus.OK, content, tag)

    def _send(self, status: HTTPStatus, content: bytes | None, tag: str = "") -> None:
        self.send_response(status)
        if tag:
            self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if content is not None:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if content is not None:
            self.wfile.write(content)


def _waiting_page(error: Exception) -> bytes:
    """Return a page that says why there is none yet, and asks again by itself."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Report</title>'
        f'<meta http-equiv="refresh" content="{SECONDS_BETWEEN}">'
        "<p>The runs cannot be read at present, perhaps since a file is being written. "
        f"This page tries again by itself.</p><pre>{html.escape(str(error))}</pre></html>"
    ).encode()
