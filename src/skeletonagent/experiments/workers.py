"""Many short runs: a few processes, each of which trains one run after another."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import DataError, SkeletonAgentError, TrainingError
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.experiments.build import prepare_dataset
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.run_directory import RunDirectory

_opened = functools.cache(prepare_dataset)


class Unwatched:
    """Show nothing of a run."""

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Show nothing."""

    def on_epoch(self, record: EpochRecord) -> None:
        """Show nothing."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Show nothing."""

    def on_answers(self, done: int, of: int) -> None:
        """Show nothing."""

    def on_problem(self, problem: str) -> None:
        """Show nothing; the run directory tells of it."""


@contextmanager
def unwatched(config: Config, found: LatestCheckpoint) -> Iterator[Callback]:
    """Give the display of a run that nobody sees."""
    del config, found
    yield Unwatched()


def train_in_lanes(
    runs: Mapping[Path, Config], devices: Sequence[str], threads: int | None = None
) -> Iterator[Path]:
    """Train runs and yield the directory of each as it ends.

    Every device has a process of its own for all its runs, so that what a process costs to start
    is paid once; a device named twice has two. Where one is a CPU, they share its threads, unless
    ``OMP_NUM_THREADS`` says how many each has. A run that was stopped is gone on with.

    Args:
        runs: Configurations by run directory.
        devices: Such as ``cpu`` or ``cuda:0``.
        threads: Of each process, in place of its share.

    Raises:
        TrainingError: Naming the runs that failed and why, after all others have ended.
    """
    context = multiprocessing.get_context("spawn")
    free: SimpleQueue[str] = context.SimpleQueue()
    for device in devices:
        free.put(device)
    failed = []
    entering = (free, threads or max(1, (os.cpu_count() or 1) // len(devices)))
    with ProcessPoolExecutor(len(devices), context, initializer=_enter, initargs=entering) as pool:
        ended = {pool.submit(_train, out, config): out for out, config in runs.items()}
        for future in as_completed(ended):
            if problem := future.result():
                failed.append(f"{ended[future]}: {problem}")
            else:
                yield ended[future]
    if failed:
        raise TrainingError(f"{len(failed)} of {len(runs)} runs failed: " + "; ".join(failed))


def train_timed(config: Config, data: SkeletonData, out: Path, watch: CallbackFactory) -> None:
    """Train one run, or go on with it, and note how long it took if that was all at once.

    Raises:
        SkeletonAgentError: What :func:`~skeletonagent.experiments.run.run_experiment` does.
    """
    fresh = not RunDirectory(out).exists
    wall, processor = time.perf_counter(), time.process_time()
    run_experiment(config, data, out, resume=True, watch=watch)
    if fresh:
        spent = {
            "wall_seconds": round(time.perf_counter() - wall, 2),
            "processor_seconds": round(time.process_time() - processor, 2),
        }
        write_text(_cost(out), json.dumps(spent))


def _train(out: Path, config: Config) -> str:
    """Train one run on this process's device, and return what went wrong if anything did."""
    placed = replace(config, device=_LANE["device"])
    try:
        train_timed(placed, _opened(config.data), out, unwatched)
    except SkeletonAgentError as error:
        return str(error)
    return ""


def seconds_of(out: Path) -> float | None:
    """Return how long a run took, None if it was not told or the run was interrupted.

    On a CPU these are seconds of the processor, which what else runs beside it disturbs less.

    Raises:
        DataError: If the file is damaged.
    """
    path, summary = _cost(out), RunDirectory(out).read_summary()
    if summary is None or not path.exists():
        return None
    try:
        spent = json.loads(path.read_text())
        key = "processor_seconds" if "CPU" in str(summary["device"]) else "wall_seconds"
        return float(spent[key])
    except (ValueError, KeyError) as error:
        raise DataError(f"is damaged: {error}", path=path) from error


_LANE: dict[str, str] = {}
"""The device of this process."""


def _enter(free: SimpleQueue[str], threads: int) -> None:
    _LANE["device"] = free.get()
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone; its run is gone on with later."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cost(out: Path) -> Path:
    return out / "cost.json"
