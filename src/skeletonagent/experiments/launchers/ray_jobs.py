"""Jobs that are tasks of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.launchers.jobs import JobEnd, RunJob, lost_reason
from skeletonagent.experiments.workers import RunStatus

RESOURCES = ("num_cpus", "num_gpus")
"""Names of the resources that a job may ask for."""


@dataclass(frozen=True)
class RayBackend:
    """Scheduler of a Ray cluster.

    Args:
        ray: Module of Ray, connected.
        resources: What a job takes, by the names in :data:`RESOURCES`.
    """

    ray: Any
    resources: Mapping[str, Any]

    def __post_init__(self) -> None:
        if unknown := [name for name in self.resources if name not in RESOURCES]:
            raise ConfigError(
                f"--job {unknown[0]} is none of Ray's; there are {', '.join(RESOURCES)}"
            )

    def submit(self, job: RunJob) -> Any:
        """Return the handle of a job."""
        resources = {"num_cpus": 1, **self.resources}
        # One that is lost is submitted anew by the caller, which counts how often.
        return self.ray.remote(max_retries=0, **resources)(_train).remote(job)

    def poll(self, handle: Any) -> JobEnd | None:
        """Return how a job ended, None if it has not."""
        done, _ = self.ray.wait([handle], timeout=0)
        if not done:
            return None
        exceptions = self.ray.exceptions
        try:
            end: JobEnd = self.ray.get(handle)
        except exceptions.RayTaskError as error:
            return JobEnd(RunStatus.FAILED, problem_line(error.cause))
        except exceptions.TaskCancelledError as error:
            return JobEnd(RunStatus.INTERRUPTED, problem_line(error))
        except exceptions.RayError as error:
            return JobEnd(None, lost_reason(error))
        return end

    def interrupt(self, handle: Any) -> None:
        """Ask a job to save its run and to end."""
        self.ray.cancel(handle, force=False)


def _train(job: RunJob) -> JobEnd:
    return job()
