"""Configurations and runs that a command line stands for: a run for each split, seed and stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.streams import Stream
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.auto_recipe import AutomaticChoices, choose_recipe
from skeletonagent.experiments.config import (
    Config,
    config_from_dict,
    config_to_dict,
    read_config,
    with_overrides,
)
from skeletonagent.experiments.datasets import SYNTHETIC
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.run import shared_dataset
from skeletonagent.training.run_directory import RunDirectory


def resolve_config(
    name: str,
    size: PresetSize,
    stream: str | None,
    archive: Path | None,
    assignments: list[str],
    recipe: Recipe = Recipe.PAPER,
    choices: AutomaticChoices | None = None,
) -> Config:
    """Return the configuration of a preset or a YAML file, with options in place of its settings.

    That of ``default`` follows from the training clips of the archive.

    Args:
        name: Name of a preset, or path of a YAML file.
        size: Size of the preset.
        stream: Stream by full or short name, if not that of the configuration.
        archive: Archive, if not that of the configuration.
        assignments: Settings as ``section.key=value``, which have precedence.
        recipe: Recipe of the preset.
        choices: Choices of ``default`` for the archive; if None, those of its statistics alone.

    Raises:
        ConfigError: If a name or a setting is wrong.
        DataError: If ``default`` is to look at an archive that cannot be used.
    """
    path = Path(name)
    parsed = parse_stream(stream) if stream else Stream.JOINT
    is_file = path.suffix in (".yaml", ".yml") or path.is_file()
    config = read_config(path) if is_file else preset(name, size, parsed, recipe)
    if stream:
        config = replace(config, clips=replace(config.clips, stream=parsed))
    if archive is not None:
        config = replace(config, data=replace(config.data, archive=str(archive)))
    assigned = with_overrides(config, assignments)
    if name != "default" or size is not PresetSize.SMALL or archive is None:
        return assigned
    if choices is None:
        choices = choose_recipe(assigned.data, compare=False)
    return with_overrides(choices.config(parsed, str(archive)), assignments)


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


ANY_ARCHIVE = ("default", "paper")
"""Presets for any archive, which name none themselves."""


PLAN_FILE = "plan.json"
"""Name of the file that lists several runs of one command, in the folder that holds them."""


@dataclass(frozen=True)
class TrainingRequest:
    """Options of a training command.

    Args:
        config: Preset or YAML file; ``default`` if none.
        archive: Skeleton archive, in place of the one that the configuration names.
        stream: Streams by name, separated by commas, or ``all``.
        split: Splits by name, separated by commas, or ``all``.
        seeds: Number of runs that differ in the seed alone, one if none.
        size: Size of the preset.
        recipe: Recipe of the preset.
        assignments: Settings as ``section.key=value``.
    """

    config: str | None = None
    archive: Path | None = None
    stream: str | None = None
    split: str | None = None
    seeds: int | None = None
    size: PresetSize | None = None
    recipe: Recipe | None = None
    assignments: Sequence[str] = ()


def plan_training(
    request: TrainingRequest,
    out: Path,
    *,
    resume: bool,
    on_remark: Callable[[str], None] = lambda _: None,
) -> dict[Path, Config]:
    """Return the configuration of each run by its directory.

    To resume, neither a configuration nor an archive need be named: those of the runs in ``out``
    are taken, and what else is requested must agree with them.

    Args:
        request: Options of the command.
        out: Directory of the only run, or folder of the runs.
        resume: Whether runs in ``out`` are resumed.
        on_remark: Function that is told what was chosen automatically, and why.

    Raises:
        ConfigError: If no data are named, or the request is wrong or contradicts the runs.
        DataError: If the archive cannot be used.
    """
    if request.config is None and request.archive is None:
        if resume and (begun := begun_runs(out)):
            return _requested_again(request, begun, out)
        if resume:
            raise ConfigError(f"{out} holds no run to resume; {_HOW_TO_NAME_DATA}")
        raise ConfigError(f"nothing to train on; {_HOW_TO_NAME_DATA}")
    configs = _configs(request)
    data = shared_dataset(configs[0].data)
    wanted: Sequence[str | None] = [configs[0].data.split]
    if request.split is not None:
        wanted = list(data.splits) if request.split == "all" else request.split.split(",")
    splits = [choose_split(data, name)[0] for name in wanted]
    runs = plan_runs(configs, splits, request.seeds or 1, out)
    require_run_layout(runs, out)
    if not resume:
        _refuse_begun(runs)
    return _with_choices(runs, request, on_remark) if _is_automatic(request) else runs


def _is_automatic(request: TrainingRequest) -> bool:
    """Return whether the recipe follows from the training clips."""
    small = request.size in (None, PresetSize.SMALL)
    return request.config in (None, "default") and small and request.archive is not None


def _with_choices(
    runs: Mapping[Path, Config], request: TrainingRequest, on_remark: Callable[[str], None]
) -> dict[Path, Config]:
    """Return the runs with the choices for each split; begun runs keep theirs."""
    chosen: dict[str | None, AutomaticChoices] = {}
    automatic = {}
    for path, config in runs.items():
        run = RunDirectory(path)
        split = config.data.split
        if run.exists:
            automatic[path] = read_config(run.config)
            continue
        if split not in chosen:
            chosen[split] = choose_recipe(config.data, on_remark, compare=True)
        settings = resolve_config(
            "default",
            PresetSize.SMALL,
            config.clips.stream.value,
            request.archive,
            list(request.assignments),
            choices=chosen[split],
        )
        data = replace(settings.data, split=split)
        automatic[path] = replace(settings, data=data, seed=config.seed)
    return automatic


_HOW_TO_NAME_DATA = (
    "name an archive with 'train --data ARCHIVE', a preset and its archive with "
    "'train utd-mhad --data ARCHIVE', or generated data with 'train synthetic'"
)


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
    try:
        listed = json.loads(plan.read_text(encoding="utf-8"))["runs"].items()
        return {out / path: config_from_dict(config, source=str(plan)) for path, config in listed}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"is damaged: {error!r}", path=plan) from error


def _refuse_begun(runs: Mapping[Path, Config]) -> None:
    for path in runs:
        if RunDirectory(path).exists:
            raise ConfigError(
                f"{path} already holds a run; add --resume to continue it, or choose another --out"
            )


def _configs(request: TrainingRequest) -> list[Config]:
    """Return the configuration of each stream."""
    stream = request.stream
    streams = list(Stream) if stream == "all" else stream.split(",") if stream else [None]
    name = request.config or "default"
    configs = [
        resolve_config(
            name,
            request.size or PresetSize.SMALL,
            one,
            request.archive,
            list(request.assignments),
            request.recipe or Recipe.PAPER,
        )
        for one in streams
    ]
    _require_archive(request, configs[0].data.archive)
    return configs


def _require_archive(request: TrainingRequest, archive: str) -> None:
    """Refuse a preset without data of its own, where none are named."""
    named = any(text.startswith("data.archive=") for text in request.assignments)
    if request.archive is not None or named:
        return
    if request.config in ANY_ARCHIVE:
        raise ConfigError(
            f"preset {request.config!r} is for any archive; name one with --data ARCHIVE, or "
            "generated data with 'train synthetic'"
        )
    path = Path(archive)
    files = (path, path.with_name(f"{path.name}.npz"), path.with_name(f"{path.name}.json"))
    if archive != SYNTHETIC and not any(file.exists() for file in files):
        raise ConfigError(
            f"{request.config} trains on the archive {archive!r}, which is not in this folder; "
            "name it with --data ARCHIVE"
        )


def _requested_again(
    request: TrainingRequest, begun: Mapping[Path, Config], out: Path
) -> dict[Path, Config]:
    """Return runs with the settings that are assigned, which are checked when they are resumed."""
    if request.size or request.recipe:
        raise ConfigError("--preset-size and --recipe choose among a preset's variants; name it")
    present = {
        "--stream": ({config.clips.stream.value for config in begun.values()}, _streams(request)),
        "--split": ({config.data.split for config in begun.values()}, _splits(request)),
    }
    seeds = len({config.seed for config in begun.values()})
    differing = [
        option for option, (those, wanted) in present.items() if wanted and wanted != those
    ]
    differing += ["--seeds"] if request.seeds not in (None, seeds) else []
    if differing:
        raise ConfigError(f"{out} was begun with another {', '.join(differing)}; leave it out")
    return {path: with_overrides(config, request.assignments) for path, config in begun.items()}


def _streams(request: TrainingRequest) -> set[str]:
    if request.stream == "all":
        return {stream.value for stream in Stream}
    return {Stream.parse(name).value for name in (request.stream or "").split(",") if name}


def _splits(request: TrainingRequest) -> set[str]:
    return set() if request.split in (None, "all") else set(str(request.split).split(","))
