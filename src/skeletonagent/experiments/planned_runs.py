"""Runs of one command, one for each split, seed and stream: their folders, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.json_files import JsonRecord, read_json
from skeletonagent.experiments.config import Config, config_from_dict, config_to_dict, read_config
from skeletonagent.experiments.workers import log_path
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.run_files import folder_name, require_free

PLAN_FILE = "plan.json"
"""Name of the file that lists several runs of one command, in the folder that holds them."""


class RecordedPlan(JsonRecord):
    """Content of the file: configuration of each run by its path in the folder."""

    runs: dict[str, dict[str, Any]]


def plan_runs(
    configs: Sequence[Config], splits: Sequence[str], seeds: int, out: Path
) -> dict[Path, Config]:
    """Return the configuration of each run by its directory.

    Directories have a level for each of split, seed and stream that has several values.

    Args:
        configs: Configuration of each stream.
        splits: Splits.
        seeds: Number of seeds, from that of the first configuration on.
        out: Directory of the only run, or folder of the runs.

    Raises:
        ConfigError: If two configurations have the same stream.
    """
    streams = [config.clips.stream for config in configs]
    if len(set(streams)) < len(streams):
        raise ConfigError(
            "--stream names several streams, but two runs would see the same one; name each once "
            "and do not set clips.stream"
        )
    runs = {}
    for split in splits:
        for seed in range(configs[0].seed, configs[0].seed + seeds):
            for config in configs:
                levels = [
                    *([folder_name(split)] if len(splits) > 1 else []),
                    *([f"seed{seed}"] if seeds > 1 else []),
                    *([config.clips.stream.value] if len(configs) > 1 else []),
                ]
                data = replace(config.data, split=split)
                runs[out.joinpath(*levels)] = replace(config, data=data, seed=seed)
    return runs


def require_run_layout(runs: Mapping[Path, Config], out: Path) -> None:
    """Check that one run is not written where several were, or the reverse.

    Either writes its summary to ``out``.

    Raises:
        ConfigError: If it is.
    """
    run = RunDirectory(out)
    is_single = out in runs
    if run.exists and not is_single:
        raise ConfigError(f"{out} already holds a run; choose another --out for several")
    if is_single and not run.exists and run.summary.exists():
        raise ConfigError(f"{out} already holds several runs; choose another --out for one")


def write_plan(runs: Mapping[Path, Config], out: Path) -> None:
    """Write the list of several runs to their folder, so that they can be resumed without it."""
    if out not in runs:
        begun = {p: config for p, config in begun_runs(out).items() if RunDirectory(p).exists}
        every = {**runs, **begun}
        plan = {
            path.relative_to(out).as_posix(): config_to_dict(config)
            for path, config in every.items()
        }
        write_text(out / PLAN_FILE, json.dumps({"runs": plan}, indent=1))


def begun_runs(out: Path) -> dict[Path, Config]:
    """Return the runs in a folder, as they were planned; empty if there is none.

    Raises:
        ConfigError: If a configuration cannot be used.
        DataError: If the plan is damaged.
    """
    run, plan = RunDirectory(out), out / PLAN_FILE
    if run.exists:
        return {out: read_config(run.config)}
    if not plan.is_file():
        return {}
    listed = read_json(plan, RecordedPlan)["runs"].items()
    planned = {out / path: config_from_dict(config, source=str(plan)) for path, config in listed}
    if outside := [path for path in planned if ".." in path.parts or not path.is_relative_to(out)]:
        raise DataError(f"is damaged: it names a run outside its folder: {outside[0]}", path=plan)
    return planned


def require_free_folders(
    runs: Mapping[Path, Config],
    out: Path,
    written: str = PLAN_FILE,
    beside: Sequence[Path] = (),
) -> None:
    """Refuse folders with files that are of no run, before anything is written there.

    A folder in which one of the runs has begun is theirs.

    Args:
        runs: Runs that are to be trained, by their directories.
        out: Directory of the only run, or folder of the runs.
        written: Name of a file that we write to a folder of runs, which is ours if it has one.
        beside: Further files that the command was asked to write, perhaps in this folder.

    Raises:
        ConfigError: If there are such files.
    """
    begun = [path for path in runs if RunDirectory(path).exists]
    for path in runs:
        if path not in begun:
            require_free(path)
    if not begun and out not in runs and not (out / written).is_file():
        files = [*map(log_path, runs), *(path for path in beside if path.is_relative_to(out))]
        require_free(out, [path.relative_to(out).as_posix() for path in files])


def refuse_begun(runs: Mapping[Path, Config]) -> None:
    """Check that no run has begun.

    Raises:
        ConfigError: If one has.
    """
    for path in runs:
        if RunDirectory(path).exists:
            raise ConfigError(
                f"{path} already holds a run; add --resume to continue it, or choose another --out"
            )
