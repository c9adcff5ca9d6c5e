"""Several runs at once, a process and a device each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import Any

from rich.markup import escape

from skeletonagent.cli.console import console
from skeletonagent.core.errors import TrainingError
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.training.interrupts import InterruptFlag, interrupt_on_signals
from skeletonagent.training.run_directory import RunDirectory

FOLLOW = "SKELETONAGENT_FOLLOW_STDIN"
"""Variable that tells a process to end when its standard input does, which its parent holds."""
POLL = 0.05
"""Seconds between two looks at the processes."""
STOPPED = (128 + SIGTERM, -SIGTERM)
"""Statuses of a run that was asked to end: with its state saved, or before there was any."""


def train_in_processes(
    runs: Mapping[Path, Config], devices: Sequence[str], *, resume: bool
) -> list[dict[str, Any]]:
    """Return the summaries of runs, each of which is trained in a process of its own.

    As many are trained at once as there are devices; a device named twice takes two. What a
    process prints lies beside its run directory, in ``NAME.log``. A request to stop is passed on,
    once, and waited for; however this process ends, the others end too.

    Args:
        runs: Configurations by run directory.
        devices: Such as ``cuda:0``.
        resume: Go on with what is there.

    Raises:
        TrainingError: Naming the runs that failed, after all others have ended.
        Stopped: If a signal asked to end before all runs were done.
    """
    processes = _Processes(runs, devices, resume)
    with interrupt_on_signals() as stop:
        try:
            processes.run(stop)
        finally:
            processes.end()
    summaries = {out: RunDirectory(out).read_summary() for out in processes.done}
    failed = [out for out in (*processes.failed, *processes.done) if summaries.get(out) is None]
    if failed:
        logs = ", ".join(str(_beside(out, "log")) for out in failed)
        raise TrainingError(f"{len(failed)} of {len(runs)} runs failed; see {logs}")
    if len(summaries) < len(runs):
        stop.raise_if_set()
    return [summary for out in runs if (summary := summaries[out]) is not None]


def follow_parent() -> None:
    """End this process, as on SIGTERM, once its parent is gone, if that asked for it.

    The parent holds the other end of standard input and never writes to it, so that the system
    closes it whatever the parent dies of.
    """
    if os.environ.pop(FOLLOW, None):
        threading.Thread(target=_follow, daemon=True, name="parent").start()


def _follow() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), SIGTERM)


class _Processes:
    """What waits, what is under way, and what became of the others."""

    def __init__(self, runs: Mapping[Path, Config], devices: Sequence[str], resume: bool) -> None:
        self.waiting = deque(runs.items())
        self.free = deque(devices)
        self.resume = resume
        self.under_way: dict[subprocess.Popen[bytes], tuple[Path, str]] = {}
        self.done: list[Path] = []
        self.failed: list[Path] = []

    def run(self, stop: InterruptFlag) -> None:
        """Train all; once asked to stop, ask what is under way and wait for it."""
        passed_on = False
        while self.under_way or (self.waiting and not stop.is_set):
            if stop.is_set and not passed_on:
                passed_on = True
                self._ask_to_end()
            while self.waiting and self.free and not stop.is_set:
                self._start(*self.waiting.popleft(), self.free.popleft())
            time.sleep(POLL)
            for process in [each for each in self.under_way if each.poll() is not None]:
                self._note(process, stop)

    def end(self) -> None:
        """End what is still under way, and wait for it."""
        self._ask_to_end()
        for process in self.under_way:
            process.wait()

    def _ask_to_end(self) -> None:
        for process in self.under_way:
            process.terminate()

    def _start(self, out: Path, config: Config, device: str) -> None:
        console.print(f"{escape(str(out))} begins on {device}", soft_wrap=True)
        process = _process(out, replace(config, device=device), self.resume)
        self.under_way[process] = (out, device)

    def _note(self, process: subprocess.Popen[bytes], stop: InterruptFlag) -> None:
        out, device = self.under_way.pop(process)
        self.free.append(device)
        told = "is done"
        if process.returncode == 0:
            self.done.append(out)
        elif stop.is_set and process.returncode in STOPPED:
            told = "was stopped"
        else:
            told = "failed"
            self.failed.append(out)
        console.print(f"{escape(str(out))} {told}", soft_wrap=True)


def _process(out: Path, config: Config, resume: bool) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own, which a Ctrl-C at the terminal does not reach."""
    out.parent.mkdir(parents=True, exist_ok=True)
    recipe = _beside(out, "yaml")
    write_config(config, recipe)
    command = [sys.executable, "-m", "skeletonagent", "train", str(recipe), "--out", str(out)]
    with _beside(out, "log").open("ab") as log:
        return subprocess.Popen(
            [*command, *(["--resume"] if resume else [])],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, FOLLOW: "1"},
            process_group=0,
        )


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.{ending}")
