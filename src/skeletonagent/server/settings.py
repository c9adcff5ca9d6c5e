"""Settings of the server: its address, how requests are joined, and what clients may ask for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields
from typing import Any

from skeletonagent.core.errors import ConfigError

LEAST_UPLOAD_RATE = 1024
"""Bytes a second that a client sends at least, on average, once ``GRACE_SECONDS`` are over."""

GRACE_SECONDS = 5.0
"""Time in which a body may come as slowly as it likes, in seconds."""


@dataclass(frozen=True)
class ServeSettings:
    """Address of a server, and its limits.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        batch_wait: Longest time that clips wait for those of other requests, in milliseconds.
        max_batch: Largest number of clips that are predicted together.
        max_body: Largest body of JSON, in megabytes.
        max_upload: Largest file, in megabytes.
        max_frames: Largest number of frames of a recording.
        max_persons: Largest number of persons of a recording, or of a frame of a stream.
        max_active: Requests that are worked on at once.
        max_queue: Requests that wait for these; further ones are answered with status 503.
        max_streams: Streams that are open at once.
        max_connections: Connections that are open at once.
        rate: Requests a second of one client address, on average; 0 for any number.
        header_seconds: Time in which the head of a request has to come, in seconds.
        upload_seconds: Time in which a body has to come, and an answer to be taken, in seconds.
        read_seconds: Time in which a keypoint file has to be read, in seconds.
        video_seconds: Time in which persons have to be found in a video, in seconds.
        max_memory: Memory that reading a file may need, in megabytes.
        idle_seconds: Time after which a stream is ended to which nothing comes, in seconds.
        stop_seconds: Time for requests that are under way when the server is stopped, in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    batch_wait: float = 4.0
    max_batch: int = 32
    max_body: float = 8.0
    max_upload: float = 200.0
    max_frames: int = 20_000
    max_persons: int = 10
    max_active: int = 32
    max_queue: int = 128
    max_streams: int = 16
    max_connections: int = 512
    rate: float = 100.0
    header_seconds: float = 10.0
    upload_seconds: float = 60.0
    read_seconds: float = 60.0
    video_seconds: float = 600.0
    max_memory: float = 4000.0
    idle_seconds: float = 60.0
    stop_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            ConfigError: If any is out of its range; all are named.
        """
        problems = [
            f"{field.name} is {value}; wanted is a number from {least} on"
            for field in fields(self)
            if field.name != "host"
            and not (value := getattr(self, field.name)) >= (least := _least(field.name))
        ]
        if self.port > 65535:
            problems.append(f"port is {self.port}; wanted is a number up to 65535")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def body_bytes(self) -> int:
        """Largest body of JSON, in bytes."""
        return round(self.max_body * 1e6)

    @property
    def upload_bytes(self) -> int:
        """Largest file, in bytes."""
        return round(self.max_upload * 1e6)

    def limits(self) -> dict[str, Any]:
        """Return what a client has to keep to, as plain values."""
        names = ("max_body", "max_upload", "max_frames", "max_persons", "max_streams", "rate",
                 "upload_seconds", "idle_seconds")  # fmt: skip
        return {name: getattr(self, name) for name in names}


_LEAST = {"port": 0, "batch_wait": 0, "rate": 0, "max_queue": 0, "max_streams": 0}


def _least(name: str) -> float:
    """Return the least value of a setting: times and sizes above zero, counts from one on."""
    if name in _LEAST:
        return _LEAST[name]
    return 0.001 if name.endswith("_seconds") or name in ("max_body", "max_upload") else 1
