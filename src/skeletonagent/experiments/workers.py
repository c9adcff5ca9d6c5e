"""Pool of worker processes that train many runs on several devices.

Each worker has one device and trains one run after another, so that imports and the opened data set
are paid for once. A worker's standard input is a socket to the pool: runs and results pass through
it, and the operating system closes it when the pool's process ends for whatever reason.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from signal import SIGTERM, Signals

from skeletonagent.core.errors import (
    ConfigError,
    SkeletonAgentError,
    TrainingError,
    TrainingInterrupted,
)
from skeletonagent.core.outside_text import printable_line
from skeletonagent.experiments.config import Config
from skeletonagent.training.interrupts import InterruptFlag, interrupt_on_signals
from skeletonagent.training.run_directory import RunDirectory

TrainFunction = Callable[[Config, Path], object]
"""Trains the run of a configuration into a directory; pickled by name, as workers import it."""

_POLL_SECONDS = 0.1
_EXIT_SECONDS = 10.0
"""Time that a process may take to end after it closed its connection."""


class RunStatus(StrEnum):
    """State of a run in the pool."""

    STARTED = "started"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class RunUpdate:
    """Change of a run's status.

    Args:
        out: Run directory.
        device: Device of the worker.
        status: New status.
        problem: Reason of a failure or an interruption.
    """

    out: Path
    device: str
    status: RunStatus
    problem: str = ""


def train_on_devices(
    runs: Mapping[Path, Config],
    devices: Sequence[str],
    train: TrainFunction,
    *,
    on_update: Callable[[RunUpdate], None] | None = None,
    logs: bool = False,
    threads: int | None = None,
) -> None:
    """Train runs in a pool of processes, one for each device.

    A run that fails, or whose worker is lost, costs no other run. The first SIGTERM or Ctrl-C is
    passed on to the workers, whose runs save their state and end; no further run is started. When
    this process ends for any other reason, its workers do the same.

    Args:
        runs: Configurations by run directory.
        devices: Devices such as ``cpu`` or ``cuda:0``; one that is named twice has two workers.
        train: Function that trains one run, called in a worker.
        on_update: Function that is called here with every change of a run's status.
        logs: Whether the output of each run goes to ``NAME.log`` beside its directory instead of
            standard error.
        threads: CPU threads of each worker, by default an equal share of the cores;
            ``OMP_NUM_THREADS`` has precedence.

    Raises:
        ConfigError: If no device is named.
        TrainingError: Naming the runs that failed and why, after all others have ended.
        TrainingInterrupted: If a signal ended it before all runs were finished.
    """
    if not devices:
        raise ConfigError("runs need at least one device, got none")
    pool = _Pool(
        waiting=deque(runs.items()),
        free=deque(devices),
        train=train,
        notify=on_update or (lambda _: None),
        logs=logs,
        threads=threads or max(1, (os.cpu_count() or 1) // len(devices)),
    )
    with interrupt_on_signals() as interrupt:
        try:
            pool.run(interrupt)
        finally:
            pool.close()
        if pool.failed:
            problems = "; ".join(f"{out}: {problem}" for out, problem in pool.failed.items())
            see = f"; see {', '.join(str(log_path(out)) for out in pool.failed)}" if logs else ""
            raise TrainingError(f"{len(pool.failed)} of {len(runs)} runs failed: {problems}{see}")
        if pool.finished < len(runs):
            interrupt.raise_if_set()


def log_path(out: Path) -> Path:
    """Return the log file of a run, which lies beside its directory."""
    return out.with_name(f"{out.name}.log")


@dataclass(frozen=True)
class _Task:
    """Message to a worker: one run to train."""

    config: Config
    out: Path
    train: TrainFunction
    log: Path | None


@dataclass(frozen=True)
class _Result:
    """Message from a worker: the end of a run.

    Args:
        status: How it ended.
        problem: Reason, unless it is finished.
        reusable: Whether the process can be trusted with another run.
    """

    status: RunStatus
    problem: str = ""
    reusable: bool = True


class _Worker:
    """Process of the pool, in a process group that a Ctrl-C at the terminal does not reach."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = device
        self.connection, theirs = multiprocessing.Pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; sys.argv[:] = {sys.argv!r}; "
            f"from skeletonagent.experiments.workers import serve; serve({threads})"
        )
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", code],
                stdin=theirs.fileno(),
                stdout=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
                process_group=0,
            )

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self.process.poll() is None

    def result(self) -> _Result | None:
        """Return the result that was sent, None if the process is lost."""
        with contextlib.suppress(EOFError, OSError):
            # A process that the worker left behind may hold the connection of a dead worker.
            if self.connection.poll():
                result: _Result = self.connection.recv()
                return result
        return None

    def exit_reason(self) -> str:
        """Return how a lost process ended."""
        try:
            code = self.process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return f"was killed by {Signals(-code).name}" if code < 0 else f"ended with status {code}"


@dataclass
class _Pool:
    """Runs that wait, devices without a worker, and workers with and without a run."""

    waiting: deque[tuple[Path, Config]]
    free: deque[str]
    train: TrainFunction
    notify: Callable[[RunUpdate], None]
    logs: bool
    threads: int

    def __post_init__(self) -> None:
        self.idle: list[_Worker] = []
        self.busy: dict[_Worker, Path] = {}
        self.failed: dict[Path, str] = {}
        self.finished = 0

    def run(self, interrupt: InterruptFlag) -> None:
        """Train all runs; after an interrupt, only end those that are being trained."""
        passed_on = False
        while self.busy or (self.waiting and not interrupt.is_set):
            if interrupt.is_set and not passed_on:
                passed_on = True
                for worker in self.busy:
                    worker.process.terminate()
            while self.waiting and (self.idle or self.free) and not interrupt.is_set:
                self._start(*self.waiting.popleft())
            ready = wait_for_any([worker.connection for worker in self.busy], _POLL_SECONDS)
            for worker in list(self.busy):
                if worker.connection in ready or not worker.is_alive:
                    self._end(worker, interrupted=interrupt.is_set)

    def close(self) -> None:
        """End all workers, which do so as their connections close, and wait for them."""
        workers = [*self.idle, *self.busy]
        for worker in workers:
            worker.connection.close()
        for worker in workers:
            worker.process.wait()

    def _start(self, out: Path, config: Config) -> None:
        worker = self._worker()
        task = _Task(
            config=replace(config, device=worker.device),
            out=out,
            train=self.train,
            log=log_path(out) if self.logs else None,
        )
        self.busy[worker] = out
        with contextlib.suppress(OSError):  # a worker that was just lost is noticed by the loop
            worker.connection.send_bytes(pickle.dumps(task))
        self.notify(RunUpdate(out, worker.device, RunStatus.STARTED))

    def _worker(self) -> _Worker:
        """Return a worker without a run, a new one if need be."""
        while self.idle:
            worker = self.idle.pop()
            if worker.is_alive:
                return worker
            worker.connection.close()
            self.free.append(worker.device)
        return _Worker(self.free.popleft(), self.threads)

    def _end(self, worker: _Worker, *, interrupted: bool) -> None:
        """Note how a worker's run ended, and keep the worker if it can train another."""
        result, out = worker.result(), self.busy.pop(worker)
        if result and result.reusable:
            self.idle.append(worker)
        else:
            worker.connection.close()
            reason = worker.exit_reason()
            self.free.append(worker.device)
            asked = interrupted and worker.process.returncode == -SIGTERM
            status = RunStatus.INTERRUPTED if asked else RunStatus.FAILED
            result = result or _Result(status, f"its process {reason}")
        status = result.status
        if status is RunStatus.INTERRUPTED and not interrupted:
            status = RunStatus.FAILED  # somebody else stopped this one worker
        if status is RunStatus.FAILED:
            self.failed[out] = result.problem
            mark_failed(out, result.problem)
            if self.logs:
                with log_path(out).open("a", encoding="utf-8") as log:
                    log.write(f"error: {result.problem}\n")
        self.finished += status is RunStatus.FINISHED
        self.notify(RunUpdate(out, worker.device, status, result.problem))


def mark_failed(out: Path, problem: str) -> None:
    """Write to a run that has begun why its training ended, where its reader looks for problems."""
    run = RunDirectory(out)
    if run.exists:
        with run.problems.open("a", encoding="utf-8") as file:
            file.write(f"the training ended: {printable_line(problem)}\n")


def serve(threads: int) -> None:
    """Train the runs that the pool sends, until it closes the connection or is gone.

    Args:
        threads: CPU threads, unless ``OMP_NUM_THREADS`` is set.
    """
    import torch

    connection = Connection(os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    tasks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    reusable = True
    while reusable and (task := tasks.get()) is not None:
        result = _train(task)
        reusable = result.reusable
        with contextlib.suppress(OSError):  # the pool is gone
            connection.send(result)


def _receive(connection: Connection, tasks: queue.SimpleQueue[bytes | None]) -> None:
    """Queue the tasks; when the connection closes, interrupt the run and end after it."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.put(connection.recv_bytes())
    tasks.put(None)
    os.kill(os.getpid(), SIGTERM)


def _train(message: bytes) -> _Result:
    """Train one run, and return how it ended."""
    try:
        task: _Task = pickle.loads(message)
        if task.log:
            task.log.parent.mkdir(parents=True, exist_ok=True)
            with task.log.open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
        task.train(task.config, task.out)
    except TrainingInterrupted as interrupted:
        return _Result(RunStatus.INTERRUPTED, str(interrupted))
    except (SkeletonAgentError, OSError) as error:
        return _Result(RunStatus.FAILED, str(error))
    except Exception as error:
        # After an unforeseen error, such as one on the device, later runs could fail as well.
        traceback.print_exc()
        problem = f"{type(error).__name__}: {error}"
        return _Result(RunStatus.FAILED, problem, reusable=False)
    return _Result(RunStatus.FINISHED)
