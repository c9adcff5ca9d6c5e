"""What a command line asks for: a configuration, and the runs it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.config import Config, read_config, with_overrides
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.training.run_directory import RunDirectory


def resolve_config(
    name: str,
    size: PresetSize,
    stream: str | None,
    archive: Path | None,
    assignments: list[str],
    recipe: Recipe = Recipe.PAPER,
) -> Config:
    """Return the configuration of a preset or a YAML file, with what the command line says."""
    path = Path(name)
    chosen = parse_stream(stream) if stream else Stream.JOINT
    is_file = path.suffix in (".yaml", ".yml") or path.is_file()
    config = read_config(path) if is_file else preset(name, size, chosen, recipe)
    if stream:
        config = replace(config, clips=replace(config.clips, stream=chosen))
    if archive is not None:
        config = replace(config, data=replace(config.data, archive=str(archive)))
    return with_overrides(config, assignments)


def parse_stream(name: str) -> Stream:
    """Return the stream of a full or short name, or raise a ConfigError."""
    try:
        return Stream.parse(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def plan_runs(
    configs: Sequence[Config], splits: Sequence[str], seeds: int, out: Path
) -> dict[Path, Config]:
    """Return the configuration of every run by its directory, one level for all that varies.

    Raises:
        ConfigError: If two runs would be the same.
    """
    streams = [config.clips.stream for config in configs]
    if len(set(streams)) < len(streams):
        raise ConfigError(
            "--stream names several streams, but two runs would see the same one; name each once "
            "and leave clips.stream alone"
        )
    runs = {}
    for split in splits:
        for seed in range(configs[0].seed, configs[0].seed + seeds):
            for config in configs:
                levels = [
                    *([split] if len(splits) > 1 else []),
                    *([f"seed{seed}"] if seeds > 1 else []),
                    *([config.clips.stream.value] if len(configs) > 1 else []),
                ]
                data = replace(config.data, split=split)
                runs[out.joinpath(*levels)] = replace(config, data=data, seed=seed)
    return runs


def require_run_layout(runs: Mapping[Path, Config], out: Path) -> None:
    """Refuse one run where several were written, and the reverse: each has its summary there."""
    place = RunDirectory(out)
    alone = out in runs
    if place.exists and not alone:
        raise ConfigError(f"{out} already holds a run; choose another --out for several")
    if alone and not place.exists and place.summary.exists():
        raise ConfigError(f"{out} already holds several runs; choose another --out for one")
