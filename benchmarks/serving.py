"""Throughput and behaviour of the server under many clients on this machine.

Three short parts compare requests of one client that are not joined, of many clients that are not
joined, and of many whose clips are predicted together. A last, long one mixes in bodies that are
malformed, too large or broken off, and follows the server's memory. Processor time of the server
does not depend on what else the machine does; times on the clock do.

Example:
  python -m benchmarks.serving runs/utd/model.onnx --clients 64 --seconds 60 --json serving.json
"""

from __future__ import annotations

import asyncio
import itertools
import json as json_module
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.inference.loading import open_predictor

_FRAMES = 60
_DIFFERENT = 50
_LARGE = 20_000_000
_BAD_KINDS = 5
_SHOWN = ("requests", "a second", "p50 ms", "p99 ms", "server ms of processor")
_TICKS: int = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class ServerProcess:
    """Server in a process of its own."""

    pid: int
    host: str
    port: int

    @property
    def processor_seconds(self) -> float:
        """Time of the processor that it has taken."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def megabytes(self) -> float:
        """Memory that it has."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1000


@contextmanager
def serving(recognizer: Path, *options: str) -> Iterator[ServerProcess]:
    """Run a server as a user would."""
    command = [sys.executable, "-m", "skeletonagent", "serve", str(recognizer), "--port", "0",
               "--rate", "0", *options]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://([\d.]+):(\d+)/", line):
                yield ServerProcess(process.pid, found[1], int(found[2]))
                return
        raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait(30)


def bodies(recognizer: Path) -> list[bytes]:
    """Return bodies of requests: smooth movements of somebody with the recognizer's joints."""
    given = open_predictor(recognizer, "cpu").input_format
    rng = np.random.default_rng(0)
    shape = (_FRAMES, given.layout.num_joints, given.coordinates)
    found = []
    for _ in range(_DIFFERENT):
        steps = rng.normal(0, 0.02, shape).cumsum(axis=0) + rng.normal(0, 0.4, shape[1:])
        joints = steps.round(4).tolist()
        found.append(json_module.dumps({"keypoints": joints, "fps": 30}).encode())
    return found


def request(body: bytes, query: str, length: int | None = None) -> bytes:
    """Return a request as it goes over the wire."""
    head = (
        f"POST /predict{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


async def ask(server: ServerProcess, content: bytes, load: Load, streams: Any = None) -> Any:
    """Send a request, and return the connection if it may be used again."""
    begin = time.perf_counter()
    reader, writer = streams or await asyncio.open_connection(server.host, server.port)
    writer.write(content)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(re.findall(r"content-length: (\d+)", head)[0])
    await reader.readexactly(length)
    load.seconds.append(time.perf_counter() - begin)
    load.statuses[head[9:12]] += 1
    if "connection: close" in head:
        writer.close()
        return None
    return reader, writer


async def client(
    server: ServerProcess, requests: Iterator[bytes], until: float, load: Load, keeps: bool
) -> None:
    """Ask again and again."""
    streams = None
    while time.monotonic() < until:
        streams = await ask(server, next(requests), load, streams)
        if streams and not keeps:
            streams[1].close()
            streams = None
    if streams:
        streams[1].close()


async def send_bad(server: ServerProcess, good: bytes, kind: int, load: Load) -> None:
    """Send what is malformed or too large, or break off."""
    bodies = (b'{"keypoints": [[[NaN, 1e39', b'{"keypoints": [[[1, 2], [1]]]}', b"[" * 50_000)
    with suppress(OSError, asyncio.IncompleteReadError):
        if kind < len(bodies):
            await ask(server, request(bodies[kind], ""), load)
        elif kind == len(bodies):
            await ask(server, request(b" " * (_LARGE // 2), "", _LARGE), load)
        else:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(good[: len(good) // 2])
            await writer.drain()
            writer.close()
            load.statuses["broken off"] += 1


async def bad_clients(
    server: ServerProcess, good: bytes, until: float, load: Load, worse: Load, share: float
) -> None:
    """Send as many bad requests as are a share of all."""
    for number in itertools.count():
        while number >= share / (1 - share) * len(load.seconds):
            if time.monotonic() > until:
                return
            await asyncio.sleep(0.01)
        await send_bad(server, good, number % _BAD_KINDS, worse)


async def measured(
    server: ServerProcess,
    contents: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    keeps: bool = True,
    bad: float = 0.0,
) -> dict[str, Any]:
    """Return what a number of clients see in some seconds, and what the server needs for it."""
    load, worse, curve = Load(), Load(), []
    # Warm up: threads, connections and the graph.
    await client(server, itertools.cycle(contents), time.monotonic() + 1, Load(), keeps)
    requests, until = itertools.cycle(contents), time.monotonic() + seconds
    begin, processor = time.monotonic(), server.processor_seconds
    tasks = [
        asyncio.ensure_future(client(server, requests, until, load, keeps)) for _ in range(clients)
    ]
    if bad:
        tasks.append(
            asyncio.ensure_future(bad_clients(server, contents[0], until, load, worse, bad))
        )
    while time.monotonic() < until:
        curve.append(round(server.megabytes, 1))
        await asyncio.sleep(1)
    await asyncio.gather(*tasks)
    took, used = time.monotonic() - begin, server.processor_seconds - processor
    times = np.array(load.seconds) * 1000
    return {
        "clients": clients,
        "requests": len(times),
        "a second": round(len(times) / took, 1),
        "p50 ms": round(float(np.quantile(times, 0.5)), 1),
        "p99 ms": round(float(np.quantile(times, 0.99)), 1),
        "server ms of processor": round(1000 * used / len(times), 2),
        "statuses": dict(load.statuses),
        "bad": dict(worse.statuses),
        "megabytes": curve,
    }


def main(
    recognizer: Annotated[Path, typer.Argument(help="A file of ONNX, or a run directory.")],
    clients: Annotated[int, typer.Option(min=1, help="Clients at once.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the last part.")] = 60,
    short: Annotated[float, typer.Option(min=1, help="Length of each other part.")] = 10,
    bad: Annotated[float, typer.Option(min=0, max=0.5, help="Share of bad requests.")] = 0.05,
    test_clips: Annotated[int, typer.Option(min=1, help="Test clips of a recording.")] = 1,
    engine: Annotated[str, typer.Option(help="'onnx', 'torch' or 'auto'.")] = "auto",
    query: Annotated[str, typer.Option(help="What is asked.")] = "?clips=true",
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Measure a server."""
    contents = [request(body, query) for body in bodies(recognizer)]
    options = ("--set", f"clips.test_clips={test_clips}", "--engine", engine)
    parts: dict[str, dict[str, Any]] = {}
    with serving(recognizer, *options, "--max-batch", "1", "--batch-wait", "0") as server:
        alone = measured(server, contents, clients=1, seconds=short, keeps=False)
        parts["one client, not joined"] = asyncio.run(alone)
        many = measured(server, contents, clients=clients, seconds=short)
        parts["many clients, not joined"] = asyncio.run(many)
    with serving(recognizer, *options) as server:
        many = measured(server, contents, clients=clients, seconds=short)
        parts["many clients, joined"] = asyncio.run(many)
        if seconds > 1:
            long = measured(server, contents, clients=clients, seconds=seconds, bad=bad)
            parts["many clients, some bad"] = asyncio.run(long)
    rows = [{"part": name, **{key: part[key] for key in _SHOWN}} for name, part in parts.items()]
    print_rows(f"{recognizer.name}, {engine}, {test_clips} test clip(s)", rows)
    print_rows("answers, and memory in megabytes", [_facts(*part) for part in parts.items()])
    write_facts(parts, json)


def _facts(name: str, part: Mapping[str, Any]) -> dict[str, object]:
    curve = part["megabytes"]
    return {
        "part": name,
        "statuses": _counts(part["statuses"]),
        "of bad requests": _counts(part["bad"]),
        "at first": curve[0],
        "at most": max(curve),
        "at last": curve[-1],
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))


if __name__ == "__main__":
    typer.run(main)
