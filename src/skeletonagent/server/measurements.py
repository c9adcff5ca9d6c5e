"""Figures of a running server, in the text form of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of the text."""

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class ServerMeasurements:
    """Counts and times of the requests of one server."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "skeletonagent_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "skeletonagent_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "skeletonagent_batch_clips",
            "Clips that were predicted together.",
            buckets=_SIZES,
            registry=registry,
        )
        self._clips = Counter("skeletonagent_clips", "Clips predicted.", registry=registry)
        self._streams = Gauge("skeletonagent_streams", "Streams that are open.", registry=registry)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_batch(self, size: int) -> None:
        """Count a batch of so many clips."""
        self._batches.observe(size)
        self._clips.inc(size)

    def streams_changed(self, number: int) -> None:
        """Take the number of open streams."""
        self._streams.set(number)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a figure that is asked for whenever figures are read.

        Args:
            name: Name of the figure.
            about: What it is, in words.
            value: Function that returns it.
        """
        Gauge(name, about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all figures in the text form of Prometheus."""
        return generate_latest(self._registry)
