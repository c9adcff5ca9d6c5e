"""Training time of a study's runs, kept in ``cost.json`` of their directories."""

from __future__ import annotations

import functools
import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.data.settings import DataSettings
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import absolute_archive, prepare_dataset
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.training.callbacks import Callback, CallbackList
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.run_directory import RunDirectory


def train_timed(config: Config, data: SkeletonData, out: Path, watch: CallbackFactory) -> None:
    """Train or resume one run, and write its time if it was trained without a break.

    Raises:
        SkeletonAgentError: As :func:`~skeletonagent.experiments.run.run_experiment` does.
    """
    is_new = not RunDirectory(out).exists
    wall, processor = time.perf_counter(), time.process_time()
    run_experiment(config, data, out, resume=True, watch=watch)
    if is_new:
        cost = {
            "wall_seconds": round(time.perf_counter() - wall, 2),
            "processor_seconds": round(time.process_time() - processor, 2),
        }
        write_text(_cost_file(out), json.dumps(cost))


def train_quietly(config: Config, out: Path) -> None:
    """Train or resume one run as :func:`train_timed` does, without a display, in a worker.

    Raises:
        SkeletonAgentError: As :func:`~skeletonagent.experiments.run.run_experiment` does.
    """
    train_timed(config, shared_dataset(config.data), out, _no_display)


def shared_dataset(settings: DataSettings) -> SkeletonData:
    """Return a data set ready for use, which runs of this process on any of its splits share.

    Raises:
        DataError: If it cannot be used.
    """
    # The path as seen from the root: the process may change its folder.
    archive = absolute_archive(settings.archive)
    return _shared(replace(settings, split=None, archive=archive))


_shared = functools.cache(prepare_dataset)


def training_seconds(out: Path) -> float | None:
    """Return the training time of a run, None if it is unfinished or was interrupted.

    On a CPU these are seconds of processor time, which depend less on what else the machine does.

    Raises:
        DataError: If the file is damaged.
    """
    path, summary = _cost_file(out), RunDirectory(out).read_summary()
    if summary is None or not path.exists():
        return None
    try:
        cost = json.loads(path.read_text())
        key = "processor_seconds" if "CPU" in str(summary["device"]) else "wall_seconds"
        return float(cost[key])
    except (ValueError, KeyError) as error:
        raise DataError(f"is damaged: {error}", path=path) from error


def _no_display(config: Config, latest: LatestCheckpoint) -> AbstractContextManager[Callback]:
    del config, latest
    return nullcontext(CallbackList([]))


def _cost_file(out: Path) -> Path:
    return out / "cost.json"
