"""Runs of a study as jobs of a scheduler, of which a lost one is submitted again."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from skeletonagent.core.errors import (
    ConfigError,
    SkeletonAgentError,
    TrainingError,
    TrainingInterrupted,
)
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.workers import RunStatus, RunUpdate, TrainFunction, mark_failed
from skeletonagent.training.interrupts import interrupt_on_signals

LOST_JOBS = 2
"""Times that the job of a run may be lost before the run counts as failed."""

_POLL_SECONDS = 0.5


class LauncherKind(StrEnum):
    """Where the runs of a study are trained.

    - ``local``: processes of this machine, by submitit.
    - ``slurm``: jobs of SLURM, by submitit.
    - ``ray``: tasks of Ray, on this machine or on a cluster.
    """

    LOCAL = "local"
    SLURM = "slurm"
    RAY = "ray"


@dataclass(frozen=True)
class JobEnd:
    """How the job of a run ended.

    Args:
        status: Status of the run; None if the job was lost, so that the run can be resumed.
        problem: Reason, unless the run is finished.
    """

    status: RunStatus | None
    problem: str = ""


@runtime_checkable
class JobBackend(Protocol):
    """Scheduler that runs functions as jobs."""

    def submit(self, job: RunJob) -> Any:
        """Return the handle of a job that is started as soon as there is room."""

    def poll(self, handle: Any) -> JobEnd | None:
        """Return how a job ended, None if it has not."""

    def interrupt(self, handle: Any) -> None:
        """Ask a job to save its run and to end."""


@dataclass(frozen=True)
class RunJob:
    """Training of one run, called in the job's process.

    Args:
        config: Configuration.
        out: Run directory.
        train: Function that trains or resumes the run.
        folder: Folder that paths are relative to.
        threads: CPU threads; None leaves the number as it is.
    """

    config: Config
    out: Path
    train: TrainFunction
    folder: Path
    threads: int | None = None

    def __call__(self) -> JobEnd:
        """Train the run, and return how that ended; unforeseen errors are raised."""
        os.chdir(self.folder)
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        try:
            self.train(self.config, self.out)
        except TrainingInterrupted as interrupted:
            return JobEnd(RunStatus.INTERRUPTED, str(interrupted))
        except (SkeletonAgentError, OSError) as error:
            return JobEnd(RunStatus.FAILED, str(error))
        return JobEnd(RunStatus.FINISHED)

    def checkpoint(self) -> Any:
        """Return what submitit submits again where a job is preempted or runs out of time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def launch_runs(
    runs: Mapping[Path, Config],
    train: TrainFunction,
    backend: JobBackend,
    *,
    at_once: int | None = None,
    threads: int | None = None,
    on_update: Callable[[RunUpdate], None] | None = None,
) -> None:
    """Train runs as jobs of a scheduler.

    A run that fails costs no other one. One whose job is lost, as by a kill or with its machine, is
    submitted again and resumed from its last checkpoint. The first SIGTERM or Ctrl-C is passed on
    to the jobs, whose runs save their state and end.

    Args:
        runs: Configurations by run directory.
        train: Function that trains or resumes one run.
        backend: The scheduler.
        at_once: Jobs that are submitted at once; None submits all.
        threads: CPU threads of each job; None leaves the number as it is.
        on_update: Function that is called with every change of a run's status.

    Raises:
        TrainingError: Naming the runs that failed and why, after all others have ended.
        TrainingInterrupted: If a signal ended it before all runs were finished.
    """
    here = Path.cwd()
    jobs = (RunJob(config, out, train, here, threads) for out, config in runs.items())
    launch = _Launch(deque(jobs), backend, at_once or len(runs), on_update or (lambda _: None))
    with interrupt_on_signals() as interrupt:
        while launch.busy or (launch.waiting and not interrupt.is_set):
            launch.advance(interrupted=interrupt.is_set)
            time.sleep(_POLL_SECONDS)
        if launch.failed:
            problems = "; ".join(f"{out}: {problem}" for out, problem in launch.failed.items())
            raise TrainingError(f"{len(launch.failed)} of {len(runs)} runs failed: {problems}")
        if launch.finished < len(runs):
            interrupt.raise_if_set()


@dataclass
class _Launch:
    """Runs that wait, and jobs that were submitted."""

    waiting: deque[RunJob]
    backend: JobBackend
    at_once: int
    notify: Callable[[RunUpdate], None]

    def __post_init__(self) -> None:
        self.busy: dict[Path, tuple[RunJob, Any]] = {}
        self.lost: Counter[Path] = Counter()
        self.failed: dict[Path, str] = {}
        self.finished = 0
        self.interrupted = False

    def advance(self, *, interrupted: bool) -> None:
        """Submit jobs as there is room, and note which ended; after an interrupt, none is begun."""
        if interrupted and not self.interrupted:
            self.interrupted = True
            for _, handle in self.busy.values():
                self.backend.interrupt(handle)
        while self.waiting and len(self.busy) < self.at_once and not interrupted:
            job = self.waiting.popleft()
            self.busy[job.out] = job, self.backend.submit(job)
            self.notify(RunUpdate(job.out, job.config.device, RunStatus.STARTED))
        for out, (job, handle) in list(self.busy.items()):
            if end := self.backend.poll(handle):
                del self.busy[out]
                self._end(job, end)

    def _end(self, job: RunJob, end: JobEnd) -> None:
        status = end.status
        if status is None:
            status = RunStatus.INTERRUPTED if self.interrupted else RunStatus.FAILED
            self.lost[job.out] += 1
            if not self.interrupted and self.lost[job.out] <= LOST_JOBS:
                self.waiting.appendleft(job)
                return
        elif status is RunStatus.INTERRUPTED and not self.interrupted:
            status = RunStatus.FAILED  # somebody else stopped this one job
        if status is RunStatus.FAILED:
            self.failed[job.out] = end.problem
            mark_failed(job.out, end.problem)
        self.finished += status is RunStatus.FINISHED
        self.notify(RunUpdate(job.out, job.config.device, status, end.problem))


def job_options(assignments: list[str]) -> dict[str, Any]:
    """Return the parameters of jobs by name.

    Args:
        assignments: Texts such as ``slurm_partition=gpu``.

    Raises:
        ConfigError: If a text is no assignment.
    """
    options: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--job takes NAME=VALUE such as timeout_min=60, got {text!r}")
        options[name] = int(value) if value.isdecimal() else value
    return options


def lost_reason(error: BaseException) -> str:
    """Return that a job was lost and what its scheduler says about it, in one line."""
    return f"its job was lost: {problem_line(error)}"
