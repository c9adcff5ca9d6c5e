"""Runs as jobs: nothing is lost with a killed job, failures cost one run, interrupts pass on."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.experiments.launchers import fake_runs

from skeletonagent.core.errors import ConfigError, TrainingError, TrainingInterrupted
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.launchers.jobs import (
    LOST_JOBS,
    JobBackend,
    JobEnd,
    LauncherKind,
    RunJob,
    job_options,
    launch_runs,
)
from skeletonagent.experiments.launchers.submitit_jobs import JOBS_FOLDER, SubmititBackend
from skeletonagent.experiments.workers import RunStatus, RunUpdate

pytestmark = pytest.mark.timeout(300)


def launch(
    folder: Path, names: list[str], backend: JobBackend, **options: Any
) -> dict[str, RunUpdate]:
    """Launch runs that do what their names say; return the last update of each."""
    updates: list[RunUpdate] = []
    runs = {folder / name: Config() for name in names}
    try:
        launch_runs(runs, fake_runs.train, backend, on_update=updates.append, **options)
    except TrainingError:
        assert any(update.status is RunStatus.FAILED for update in updates)
    return {update.out.name: update for update in updates}


def attempts(run: Path) -> int:
    return (run / "attempts").read_text().count("\n")


def local(folder: Path, **options: Any) -> SubmititBackend:
    return SubmititBackend.open(LauncherKind.LOCAL, folder, options)


def test_a_study_loses_nothing_with_a_killed_job(tmp_path: Path) -> None:
    names = ["run-0", "run-1", "once", "refuse", "crash"]
    last = launch(tmp_path, names, local(tmp_path), at_once=2, threads=1)
    assert [last[name].status for name in names] == [RunStatus.FINISHED] * 3 + [
        RunStatus.FAILED
    ] * 2
    assert all((tmp_path / name / "done").exists() for name in names[:3])
    assert [attempts(tmp_path / name) for name in names] == [1, 1, 2, 1, 1]
    assert "cannot be read" in last["refuse"].problem
    assert last["crash"].problem == "RuntimeError: out of something"
    assert (tmp_path / JOBS_FOLDER).is_dir()


class Losing:
    """Scheduler that trains here at once, and loses some jobs."""

    def __init__(self, lost: int) -> None:
        self.lost = lost

    def submit(self, job: RunJob) -> RunJob:
        return job

    def poll(self, handle: RunJob) -> JobEnd | None:
        self.lost -= 1
        return JobEnd(None, "its job was lost") if self.lost >= 0 else handle()

    def interrupt(self, handle: RunJob) -> None:
        raise AssertionError


@pytest.mark.parametrize("lost", range(LOST_JOBS + 2))
def test_a_run_whose_job_is_lost_is_submitted_again_for_some_times(
    lost: int, tmp_path: Path
) -> None:
    last = launch(tmp_path, ["a"], Losing(lost))
    finished = lost <= LOST_JOBS
    assert last["a"].status is (RunStatus.FINISHED if finished else RunStatus.FAILED)
    assert (tmp_path / "a" / "done").exists() == finished


def test_an_interrupt_is_passed_on_and_nothing_else_begins(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "wait-0" / "waits").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(TrainingInterrupted):
        launch(tmp_path, ["wait-0", "later"], local(tmp_path), at_once=1)
    thread.join()
    assert (tmp_path / "wait-0" / "saved").exists() and not (tmp_path / "later").exists()


def test_what_a_scheduler_lacks_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--launcher local.*no_such"):
        local(tmp_path, no_such=1)
    with pytest.raises(ConfigError, match="--launcher slurm"):  # there is no sbatch here
        SubmititBackend.open(LauncherKind.SLURM, tmp_path, {"slurm_partition": "gpu"})
    assert job_options(["timeout_min=60", "slurm_partition=gpu"]) == {
        "timeout_min": 60, "slurm_partition": "gpu"
    }  # fmt: skip
    for text in ("timeout", "=3", "a b=3"):
        with pytest.raises(ConfigError, match="--job takes NAME=VALUE"):
            job_options([text])


@pytest.mark.slow
def test_ray_trains_the_same_study(tmp_path: Path) -> None:
    from skeletonagent.experiments.launchers.ray_jobs import RayBackend
    from skeletonagent.experiments.launchers.ray_session import ray_session

    names = ["run-0", "run-1", "once", "refuse"]
    with ray_session("local", 2) as ray:
        last = launch(tmp_path, names, RayBackend(ray, {}), threads=1)
        with pytest.raises(ConfigError, match="num_cpus, num_gpus"):
            RayBackend(ray, {"slurm_partition": "gpu"})
    assert [last[name].status for name in names] == [RunStatus.FINISHED] * 3 + [RunStatus.FAILED]
    assert "cannot be read" in last["refuse"].problem
    assert [attempts(tmp_path / name) for name in names] == [1, 1, 2, 1]
