"""Runs of ``skeletonagent ablate`` as jobs of a scheduler, and what is shown of several at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape

from skeletonagent.cli.console import console
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.experiments.study import Study
    from skeletonagent.experiments.workers import RunUpdate

_LOCAL_JOBS = 2
"""Processes of this machine at once unless another number is asked for."""


@dataclass(frozen=True)
class LaunchOptions:
    """Options of runs that are jobs of a scheduler.

    Args:
        launcher: Name of the scheduler; None trains without one.
        jobs: Jobs at once.
        job: Parameters of jobs, as they were typed.
        address: Address of a Ray cluster.
    """

    launcher: str | None = None
    jobs: int | None = None
    job: tuple[str, ...] = ()
    address: str | None = None

    def require_fitting(self, devices: str | None) -> None:
        """Check that the options fit each other.

        Args:
            devices: What ``--devices`` says.

        Raises:
            ConfigError: If they do not.
        """
        if self.launcher is None:
            if self != LaunchOptions():
                raise ConfigError("--jobs, --job and --address need --launcher")
            return
        if self.launcher not in ("local", "slurm", "ray"):
            raise ConfigError(f"--launcher takes local, slurm or ray, got {self.launcher!r}")
        if devices:
            raise ConfigError(
                "--launcher and --devices exclude each other; say --set device=cuda for jobs"
            )
        if self.address and self.launcher != "ray":
            raise ConfigError("--address is that of a Ray cluster; say --launcher ray")


def train_by_launcher(study: Study, options: LaunchOptions) -> None:
    """Train the runs that are not finished as jobs, and write the tables after each.

    Args:
        study: The study.
        options: The scheduler.

    Raises:
        ConfigError: If the scheduler cannot be used.
        TrainingError: If runs failed.
        TrainingInterrupted: If a signal ended it.
    """
    from skeletonagent.experiments.launchers.jobs import LauncherKind, job_options, launch_runs
    from skeletonagent.experiments.run import train_quietly

    runs = {study.directory(key): config for key, config in study.unfinished().items()}
    if not runs:
        return
    show = study_display(study, len(runs))
    parameters, kind = job_options([*options.job]), LauncherKind(str(options.launcher))
    if kind is LauncherKind.RAY:
        from skeletonagent.experiments.launchers.ray_jobs import RayBackend
        from skeletonagent.experiments.launchers.ray_session import LOCAL, ray_session

        workers = options.jobs or _LOCAL_JOBS
        with ray_session(options.address or LOCAL, workers) as ray:
            backend = RayBackend(ray, parameters)
            threads = _threads(workers) if options.address is None else None
            launch_runs(
                runs, train_quietly, backend,
                at_once=options.jobs, threads=threads, on_update=show,
            )  # fmt: skip
        return
    from skeletonagent.experiments.launchers.submitit_jobs import SubmititBackend

    at_once, threads = options.jobs, None
    if kind is LauncherKind.LOCAL:
        at_once = options.jobs or _LOCAL_JOBS
        threads = _threads(at_once)
    jobs = SubmititBackend.open(kind, study.out, parameters)
    launch_runs(runs, train_quietly, jobs, at_once=at_once, threads=threads, on_update=show)


def _threads(jobs: int) -> int:
    """Return an equal share of the cores, unless the environment has a number of threads."""
    import os

    return int(os.environ.get("OMP_NUM_THREADS") or max(1, (os.cpu_count() or 1) // jobs))


def study_display(study: Study, count: int) -> Callable[[RunUpdate], None]:
    """Return the function that shows how runs end, and writes the tables after each.

    Args:
        study: The study.
        count: Number of runs that are trained.
    """
    from skeletonagent.cli.progress import print_failure
    from skeletonagent.experiments.tables import write_results
    from skeletonagent.experiments.workers import RunStatus

    finished = 0

    def show(update: RunUpdate) -> None:
        nonlocal finished
        print_failure(update)
        if update.status is RunStatus.FINISHED:
            finished += 1
            name = escape(str(update.out))
            console.print(f"{name} is finished, {finished} of {count}", soft_wrap=True)
            write_results(study)

    return show
