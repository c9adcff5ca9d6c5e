"""Jobs of submitit: processes of this machine, or jobs of SLURM."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.launchers.jobs import JobEnd, LauncherKind, RunJob, lost_reason
from skeletonagent.experiments.workers import RunStatus

JOBS_FOLDER = ".jobs"
"""Folder within that of a study where submitit keeps what it sends and what jobs print."""

_DAY_MINUTES = 24 * 60
_TIMEOUT_MINUTES = {LauncherKind.LOCAL: 365 * _DAY_MINUTES, LauncherKind.SLURM: _DAY_MINUTES}
"""Time limit of a job unless another one is asked for; submitit's own is five minutes."""


@dataclass(frozen=True)
class SubmititBackend:
    """Scheduler that is reached through submitit.

    Args:
        executor: Executor of submitit.
        kind: ``local`` or ``slurm``.
    """

    executor: Any
    kind: LauncherKind

    @classmethod
    def open(cls, kind: LauncherKind, folder: Path, options: Mapping[str, Any]) -> SubmititBackend:
        """Return the scheduler.

        Args:
            kind: ``local`` or ``slurm``.
            folder: Folder of the study.
            options: Parameters of submitit's executor, such as ``slurm_partition``.

        Raises:
            ConfigError: If submitit or SLURM is missing, or there is no such parameter.
        """
        try:
            import submitit
        except ImportError as error:
            raise ConfigError(
                f"--launcher {kind} needs submitit; pip install 'skeletonagent[cluster]'"
            ) from error
        parameters = {"timeout_min": _TIMEOUT_MINUTES[kind], "name": "skeletonagent", **options}
        try:
            executor = submitit.AutoExecutor(folder=folder / JOBS_FOLDER, cluster=kind.value)
            executor.update_parameters(**parameters)
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise ConfigError(f"--launcher {kind}: {problem_line(error)}") from error
        return cls(executor, kind)

    def submit(self, job: RunJob) -> Any:
        """Return the handle of a job."""
        return self.executor.submit(job)

    def poll(self, handle: Any) -> JobEnd | None:
        """Return how a job ended, None if it has not."""
        from submitit.core.utils import (
            FailedJobError,
            UncompletedJobError,
        )

        if not handle.done():
            return None
        try:
            end: JobEnd = handle.result()
        except FailedJobError as error:
            return JobEnd(RunStatus.FAILED, _last_line(str(error)))
        except UncompletedJobError as error:
            return JobEnd(None, lost_reason(error))
        return end

    def interrupt(self, handle: Any) -> None:
        """Ask a job to save its run and to end."""
        if self.kind is LauncherKind.LOCAL:
            # Its own way kills after a second; the process that it is passes this one on.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(handle.job_id), SIGTERM)
        else:
            handle.cancel()


def _last_line(trace: str) -> str:
    """Return what an unforeseen error says, from a message with its trace and advice after it."""
    lines = [line for line in trace.partition("You can check full logs")[0].splitlines() if line]
    return next((line for line in reversed(lines) if line.strip("- ")), "it failed")
