"""Local page that shows pictures as they are made, to this machine alone."""

from __future__ import annotations

import io
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import ConfigError
from skeletonagent.video.reading import INSTALL_VIDEO

LOOPBACK = "127.0.0.1"
_BOUNDARY = "picture"
_QUALITY = 80
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>SkeletonAgent live</title>
<style>body{margin:0;background:#101418;color:#eee;font:16px sans-serif}
img{display:block;max-width:100vw;max-height:100vh;margin:auto}</style>
<img src="/pictures" alt="Newest picture with skeletons and actions"></html>
"""


class PicturePage:
    """Page on the loopback address that shows the newest picture; use it in a ``with`` block.

    Args:
        port: Port; 0 takes a free one.

    Raises:
        ConfigError: If the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._changed = Condition()
        self._picture, self._number, self._closed = b"", 0, False
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), _handler(self))
        except OSError as error:
            raise ConfigError(f"port {port} is taken; choose another, or 0 for any") from error
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/"

    def show(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Show a picture in place of the one before.

        Raises:
            ConfigError: If Pillow is not installed.
        """
        try:
            from PIL import Image
        except ImportError as error:
            raise ConfigError(f"a page needs Pillow; install it with {INSTALL_VIDEO}") from error
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=_QUALITY)
        with self._changed:
            self._picture, self._number = file.getvalue(), self._number + 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[bytes, int]:
        """Wait for a picture after the one of a number; empty if the page is closed.

        Args:
            number: Number of the last picture; 0 before the first.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > number)
            return (b"", number) if self._closed else (self._picture, self._number)

    def __enter__(self) -> PicturePage:
        """Serve the page."""
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


def _handler(page: PicturePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Handler of GET requests for the page and its pictures."""

        def do_GET(self) -> None:
            """Send the page, or pictures until it is closed."""
            # A web page elsewhere may resolve a name of its own to this address (DNS rebinding).
            name = self.headers.get("Host", "").rpartition(":")[0]
            if name not in (LOOPBACK, "localhost"):
                self.send_error(HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost")
            elif self.path == "/":
                self._begin("text/html; charset=utf-8")
                self.wfile.write(_PAGE)
            elif self.path == "/pictures":
                self._begin(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self._send_pictures()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def log_message(self, *_: object) -> None:
            """Log no requests."""

        def _begin(self, kind: str) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()

        def _send_pictures(self) -> None:
            picture, number = page.after(0)
            while picture:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                head += f"Content-Length: {len(picture)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + picture + b"\r\n")
                except (BrokenPipeError, ConnectionResetError):  # the browser has left
                    return
                picture, number = page.after(number)

    return Handler
