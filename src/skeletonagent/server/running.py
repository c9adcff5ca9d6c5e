"""Running of a server until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.inference.predictor import Predictor
from skeletonagent.server.app import build_app
from skeletonagent.server.connections import StreamConnection, connection_class
from skeletonagent.server.measurements import ServerMeasurements
from skeletonagent.server.service import RecognitionService
from skeletonagent.server.settings import ServeSettings

TOKEN_VARIABLE = "SKELETONAGENT_TOKEN"
"""Environment variable that may hold the token."""

_SHORTEST_TOKEN = 16
_LARGEST_HEAD = 16_384
_LARGEST_MESSAGE = 2_000_000
_THREADS = ("request", "file", "stream")
_LAST_SECONDS = 1.0


class RunningServer(uvicorn.Server):
    """Server whose process goes on after a signal has stopped it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C stop the server, while it runs in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def read_token(file: Path | None, settings: ServeSettings) -> str:
    """Return the token that clients have to know, empty if they need none.

    Args:
        file: File with the token; None takes it from the environment.
        settings: Address, which says whether there has to be one.

    Raises:
        ConfigError: If it is needed and missing, or too easily guessed.
    """
    text = os.environ.get(TOKEN_VARIABLE, "") if file is None else read_outside_text(file)
    token = text.strip()
    where = TOKEN_VARIABLE if file is None else str(file)
    if not token and (file is not None or not settings.is_loopback):
        raise ConfigError(
            f"other machines can reach {settings.host}, so clients need a token: --token-file FILE "
            f"or {TOKEN_VARIABLE}"
            if file is None
            else f"{file} holds no token"
        )
    if token and (len(token) < _SHORTEST_TOKEN or not (token.isascii() and token.isprintable())):
        raise ConfigError(
            f"the token in {where} needs {_SHORTEST_TOKEN} printable ASCII characters at least; "
            "'openssl rand -hex 24' makes one"
        )
    return token


def open_socket(settings: ServeSettings) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: If the address cannot be had.
    """
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.port), family=family, backlog=256)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error}); choose "
            "others with --host and --port"
        ) from error


def build_server(
    predictor: Predictor, name: str, settings: ServeSettings, token: str = ""
) -> RunningServer:
    """Return a server of a recognizer; it serves once it is run.

    Args:
        predictor: The recognizer.
        name: Its name for clients.
        settings: Address and limits.
        token: What clients have to know; empty for nothing.
    """
    measurements = ServerMeasurements()
    service = RecognitionService(predictor, settings, name, measurements.count_batch)
    config = uvicorn.Config(
        build_app(service, token, measurements),
        http=connection_class(settings),
        ws=StreamConnection,
        ws_max_size=_LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # small messages may grow without bound
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        timeout_graceful_shutdown=settings.stop_seconds,  # type: ignore[arg-type]
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )
    return RunningServer(config)


def serve_recognizer(
    predictor: Predictor,
    name: str,
    settings: ServeSettings,
    token: str = "",
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve a recognizer until SIGTERM or Ctrl-C, and finish what is under way.

    Args:
        predictor: The recognizer.
        name: Its name for clients.
        settings: Address and limits.
        token: What clients have to know; empty for nothing.
        started: Called with the address once connections are taken.

    Raises:
        ConfigError: If the address cannot be had.
    """
    with open_socket(settings) as listening, collected_warnings():
        host, port = listening.getsockname()[:2]
        server = build_server(predictor, name, settings, token)
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        asyncio.run(server.serve(sockets=[listening]))
    _leave_threads()


def _leave_threads() -> None:
    """End the process if a thread goes on with what nobody waits for any more."""
    until = time.monotonic() + _LAST_SECONDS
    while any(thread.name.startswith(_THREADS) for thread in threading.enumerate()):
        if time.monotonic() > until:
            os._exit(0)
        time.sleep(0.02)
