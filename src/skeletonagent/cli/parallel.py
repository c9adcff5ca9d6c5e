"""Several runs at once, a process and a device each."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from skeletonagent.cli.console import console
from skeletonagent.config import Config, write_config
from skeletonagent.core.errors import TrainingError
from skeletonagent.training.record import RunDirectory


def train_in_processes(
    runs: Mapping[Path, Config], devices: Sequence[str], *, resume: bool
) -> list[dict[str, Any]]:
    """Return the summaries of runs, each of which is trained in a process of its own.

    As many are trained at once as there are devices; a device named twice takes two. What a
    process prints lies beside its run directory, in ``NAME.log``.

    Args:
        runs: Configurations by run directory.
        devices: Such as ``cuda:0``.
        resume: Go on with what is there.

    Raises:
        TrainingError: Naming the runs that failed, after all others have ended.
    """
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for device in devices:
        free.put(device)

    def run(item: tuple[Path, Config]) -> dict[str, Any] | None:
        out, config = item
        device = free.get()
        try:
            console.print(f"{escape(str(out))} begins on {device}", soft_wrap=True)
            status = _process(out, replace(config, device=device), resume)
            summary = RunDirectory(out).read_summary() if status == 0 else None
            told = "failed" if summary is None else "is done"
            console.print(f"{escape(str(out))} {told}", soft_wrap=True)
            return summary
        finally:
            free.put(device)

    with ThreadPoolExecutor(len(devices)) as pool:
        ended = dict(zip(runs, pool.map(run, runs.items()), strict=True))
    failed = [out for out, summary in ended.items() if summary is None]
    if failed:
        logs = ", ".join(str(_beside(out, "log")) for out in failed)
        raise TrainingError(f"{len(failed)} of {len(runs)} runs failed; see {logs}")
    return [summary for summary in ended.values() if summary is not None]


def _process(out: Path, config: Config, resume: bool) -> int:
    out.parent.mkdir(parents=True, exist_ok=True)
    recipe = _beside(out, "yaml")
    write_config(config, recipe)
    command = [sys.executable, "-m", "skeletonagent", "train", str(recipe), "--out", str(out)]
    with _beside(out, "log").open("ab") as log:
        return subprocess.call(
            [*command, *(["--resume"] if resume else [])], stdout=log, stderr=subprocess.STDOUT
        )


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.{ending}")
