"""Connection to Ray: a cluster of this machine alone that nobody else reaches, or one that runs."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_files import problem_line

LOCAL = "local"
"""Address that stands for a cluster of this machine alone, started for one command."""

_OBJECT_STORE_BYTES = 100 << 20
"""Memory for objects that processes share: numbers of parts and short reports."""

_CONNECT_SECONDS = 10.0
"""Time that a cluster may take to accept a connection."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TQDM_PATCH_PRINT": "0",  # print stays Python's own in the process that connects
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # it says of every pool of workers that it may fail
}
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Variable without which Ray replaces 127.0.0.1 by an address that other machines reach."""


@contextmanager
def ray_session(address: str, workers: int) -> Iterator[Any]:
    """Connect to Ray for as long as something is done, and give its module.

    Args:
        address: ``local``, or the address of a cluster that is running, such as ``auto`` or
            ``ray://head:10001``.
        workers: Processes that a cluster of this machine has room for.

    Raises:
        ConfigError: If Ray is not installed, or the address cannot be reached.
    """
    _require_listener(address)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        os.environ[_LOOPBACK] = "0"
        options |= {
            "num_cpus": workers,
            "num_gpus": None,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
    ray = _imported()
    try:
        ray.init(
            **options, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=False
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise _no_cluster(address, error) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Check that somebody listens at an address with a port, for which Ray would wait long.

    Raises:
        ConfigError: If nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: BaseException) -> ConfigError:
    return ConfigError(
        f"no Ray cluster at {address}: {problem_line(error)}; --cluster local and --launcher ray "
        "start one on this machine"
    )


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "this needs Ray, which is not installed; pip install 'skeletonagent[cluster]'"
        ) from error
    return ray
