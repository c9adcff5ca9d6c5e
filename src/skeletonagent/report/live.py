"""A report that is made anew while its runs go on, shown to a browser on this machine alone."""

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
"""Makes the page of a version."""


class LivePage:
    """The newest page of some runs, made when it is asked for and the runs' files have changed."""

    def __init__(self, build: Build, runs: Sequence[Path]) -> None:
        """Make nothing yet.

        Args:
            build: Makes the page, given its version.
            runs: Run directories it is made of.
        """
        self._build, self._runs = build, runs
        self._lock = Lock()
        self._version, self._page = "", b""

    def newest(self) -> tuple[str, bytes]:
        """Return version and page. What cannot be read at the moment leaves the page as it was.

        Raises:
            SkeletonAgentError: If there is no earlier page.
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
        files = [run.config, run.metrics, run.guidance, run.predictions, run.summary]
        for file in [*files, *sorted((path / FOLDER).glob("*.npz"))]:
            if file.exists():
                state = file.stat()
                digest.update(f"{file}\0{state.st_mtime_ns}\0{state.st_size}\n".encode())
    return digest.hexdigest()[:20]


def live_server(page: LivePage, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of one page on this machine's own address; it serves once it is run.

    Args:
        page: What is served under ``/``, and nothing else.
        port: Where; 0 takes a free one.

    Raises:
        OSError: If the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers GET of the page; whoever has the newest version is told that there is no news."""

        def do_GET(self) -> None:
            """Send the page."""
            if not self._asks_here():
                self.send_error(HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost")
            elif self.path.partition("?")[0] != "/":
                self.send_error(HTTPStatus.NOT_FOUND)
            else:
                self._send_page()

        def log_message(self, *_: object) -> None:
            """Say nothing of requests."""

        def _asks_here(self) -> bool:
            # A web page elsewhere may point a name of its own at this address.
            name = self.headers.get("Host", "").rpartition(":")[0]
            return name in (HOST, "localhost")

        def _send_page(self) -> None:
            try:
                version, content = page.newest()
            except SkeletonAgentError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            tag = f'"{version}"'
            fresh = self.headers.get("If-None-Match") == tag
            self.send_response(HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK)
            self.send_header("ETag", tag)
            self.send_header("Cache-Control", "no-cache")
            self.send_header("X-Content-Type-Options", "nosniff")
            if not fresh:
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not fresh:
                self.wfile.write(content)

    return ThreadingHTTPServer((HOST, port), Handler)
