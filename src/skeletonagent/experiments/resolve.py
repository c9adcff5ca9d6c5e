"""Resolution of presets and options to a configuration, and of a configuration to its runs."""

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
    """Return the configuration of a preset or a YAML file, with options in place of its settings.

    Args:
        name: Name of a preset, or path of a YAML file.
        size: Size of the preset.
        stream: Stream by full or short name, if not that of the configuration.
        archive: Archive, if not that of the configuration.
        assignments: Settings as ``section.key=value``, which have precedence.
        recipe: Recipe of the preset.

    Raises:
        ConfigError: If a name or a setting is wrong.
    """
    path = Path(name)
    parsed = parse_stream(stream) if stream else Stream.JOINT
    is_file = path.suffix in (".yaml", ".yml") or path.is_file()
    config = read_config(path) if is_file else preset(name, size, parsed, recipe)
    if stream:
        config = replace(config, clips=replace(config.clips, stream=parsed))
    if archive is not None:
        config = replace(config, data=replace(config.data, archive=str(archive)))
    return with_overrides(config, assignments)


def parse_stream(name: str) -> Stream:
    """Return the stream of a full or short name.

    Raises:
        ConfigError: If there is none of that name.
    """
    try:
        return Stream.parse(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


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
                    *([split] if len(splits) > 1 else []),
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
