"""Live report: a page that is updated while runs train, served to this machine alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.training.feature_snapshots import FOLDER
from skeletonagent.training.run_directory import RunDirectory

HOST = "127.0.0.1"
Build = Callable[[str], str]
"""Function that returns the page of a version."""


class LivePage:
    """Newest page of some runs, made on request when the runs' files have changed."""

    def __init__(self, build: Build, runs: Sequence[Path]) -> None:
        """Keep what the page is made of; it is made on the first request.

        Args:
            build: Function that returns the page of a version.
            runs: Run directories of the report.
        """
        self._build, self._runs = build, runs
        self._lock = Lock()
        self._version, self._page = "", b""

    def newest(self) -> tuple[str, bytes]:
        """Return version and page; while a file cannot be read, the page before is returned.

        Raises:
            SkeletonAgentError: If a file cannot be read and there is no earlier page.
        """
        with self._lock:
            version = fingerprint(self._runs)
            if version != self._version:
                try:
                    self._page = self._build(version).encode()
                except SkeletonAgentError:
                    if not self._page:
                        raise
                self._version = version
            return self._version, self._page


def fingerprint(runs: Sequence[Path]) -> str:
    """Return a digest that changes with the files that reports are made of."""
    digest = sha256()
    for path in runs:
        run = RunDirectory(path)
        files = [
            run.config, run.metrics, run.guidance, run.predictions, run.summary, run.baseline,
        ]  # fmt: skip
        for file in [*files, *sorted((path / FOLDER).glob("*.npz"))]:
            if file.exists():
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

    class Handler(BaseHTTPRequestHandler):
        """Handler of GET requests; a browser that has the newest version gets status 304."""

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
                version, content = page.newest()
            except SkeletonAgentError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            tag = f'"{version}"'
            unchanged = self.headers.get("If-None-Match") == tag
            self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
            self.send_header("ETag", tag)
            self.send_header("Cache-Control", "no-cache")
            self.send_header("X-Content-Type-Options", "nosniff")
            if not unchanged:
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not unchanged:
                self.wfile.write(content)

    return ThreadingHTTPServer((HOST, port), Handler)
