"""Prediction by the workers of a Ray cluster, each of which holds the recognizer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from skeletonagent.cluster.folder import PredictionFolder
from skeletonagent.cluster.job import OpenedJob, PartReport
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.cluster.sharded import PendingParts, ReportPart
from skeletonagent.core.errors import ConfigError, DataError, SkeletonAgentError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.launchers.ray_session import ray_session

_MOST_BLOCKS = 2000
"""Tasks that Ray keeps account of at once; more parts share one."""


class PartWorker:
    """Worker that opens a job once and predicts the parts that it is given."""

    def __init__(self, job: PredictionJob, out: Path, properties: Mapping[str, Any]) -> None:
        self.folder = PredictionFolder(out)
        self.problem = ""
        try:
            self.opened = OpenedJob.open(job)
            if dict(self.opened.properties) != dict(properties):
                self.problem = (
                    "a worker sees another source or recognizer, or has another version of this "
                    "program, than the command; all machines need the same under the same paths"
                )
        except SkeletonAgentError as error:
            self.problem = str(error)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Predict parts, and return a report of each in JSON."""
        return {"report": [json.dumps(self._predict(int(number))) for number in batch["item"]]}

    def _predict(self, number: int) -> dict[str, Any]:
        if self.problem:
            return {"problem": self.problem}
        try:
            return self.opened.predict_part(number, self.folder.part(number)).to_json()
        except (SkeletonAgentError, OSError) as error:
            return {"problem": str(error)}


def predict_on_ray(pending: PendingParts, address: str, workers: int, on_part: ReportPart) -> None:
    """Predict parts on the workers of a Ray cluster.

    The part of a worker that is lost is predicted again by another one. All machines have to see
    source, recognizer and folder under the same paths.

    Args:
        pending: The parts.
        address: ``local``, or the address of a cluster that is running.
        workers: Number of workers, each with a processor core.
        on_part: Function that is called after each part.

    Raises:
        ConfigError: If Ray is missing, or there is no cluster at the address.
        DataError: If a part cannot be predicted.
        RunInUseError: If another process predicts to the same folder.
    """
    if not pending.parts:
        return
    with pending.locked(), ray_session(address, workers) as ray:
        try:
            for report in _reports(pending, min(workers, len(pending.parts))):
                if "problem" in report:
                    raise DataError(report["problem"])
                on_part(PartReport(**{**report, "remarks": tuple(report["remarks"])}))
        except ray.exceptions.RayError as error:
            raise ConfigError(
                f"the Ray cluster failed: {problem_line(error)}; --resume goes on"
            ) from error


def _reports(pending: PendingParts, workers: int) -> Iterator[dict[str, Any]]:
    """Yield the report of each part once it is written."""
    import ray.data as ray_data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray_data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    job = _with_whole_paths(pending.opened.job)
    numbers = ray_data.from_items(
        list(pending.parts), override_num_blocks=min(len(pending.parts), _MOST_BLOCKS)
    )
    done = numbers.map_batches(
        PartWorker,
        fn_constructor_args=(job, pending.folder.path.resolve(), dict(pending.opened.properties)),
        batch_size=1,
        compute=ray_data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=1 if job.device.startswith("cuda") else 0,
    )
    for row in done.iter_rows():
        yield json.loads(row["report"])


def _with_whole_paths(job: PredictionJob) -> PredictionJob:
    return replace(job, source=job.source.resolve(), run=job.run.resolve())
