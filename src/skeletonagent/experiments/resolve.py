"""Configurations that a command line stands for, and those of the runs that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.auto_recipe import AutomaticChoices, choose_recipe, keep_choices
from skeletonagent.experiments.config import Config, read_config, with_overrides
from skeletonagent.experiments.datasets import SYNTHETIC, open_stored
from skeletonagent.experiments.planned_runs import (
    begun_runs,
    plan_runs,
    refuse_begun,
    require_run_layout,
)
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.run import shared_dataset
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.run_directory import RunDirectory


def resolve_config(
    name: str,
    size: PresetSize,
    stream: str | None,
    archive: Path | None,
    assignments: Sequence[str],
    recipe: Recipe = Recipe.PAPER,
    *,
    data: SkeletonData | None = None,
    on_remark: Callable[[str], None] = lambda _: None,
) -> Config:
    """Return the configuration of a preset or a YAML file, with options in place of its settings.

    That of ``default`` follows from statistics of the training clips, where data are named.

    Args:
        name: Name of a preset, or path of a YAML file.
        size: Size of the preset.
        stream: Stream by full or short name, if not that of the configuration.
        archive: Archive, if not that of the configuration.
        assignments: Settings as ``section.key=value``, which have precedence.
        recipe: Recipe of the preset.
        data: Data set as stored, in place of the archive.
        on_remark: Function that is called with a line for each automatic choice.

    Raises:
        ConfigError: If a name or a setting is wrong.
        DataError: If ``default`` is to look at an archive that cannot be used.
    """
    config = _fixed_config(name, size, stream, archive, assignments, recipe)
    if not _is_automatic(name, size, archive, config):
        return config
    adapt = partial(with_overrides, assignments=assignments)
    choices = choose_recipe(config.data, on_remark, compare=False, data=data, adapt=adapt)
    return adapt(choices.config(config.clips.stream, config.data.archive))


def with_choices(
    config: Config,
    run: RunDirectory,
    *,
    is_automatic: bool,
    resume: bool,
    compare: bool,
    on_remark: Callable[[str], None],
    data: SkeletonData | None,
    adapt: Callable[[Config], Config],
) -> Config:
    """Return the configuration of a run with its automatic choices, which are kept with the run.

    A run that is resumed keeps those that it has.

    Args:
        config: Configuration without choices.
        run: Directory of the run.
        is_automatic: Whether there is anything to choose.
        resume: Whether a run in the directory is resumed.
        compare: Whether short trainings may be compared.
        on_remark: Function that is called with a line for each choice.
        data: Data set in memory, in place of the archive.
        adapt: Function that puts given settings in place of chosen ones.

    Raises:
        ConfigError: If the directory has a run that is not to be resumed.
        DataError: If the archive cannot be used.
    """
    choices = None
    if is_automatic and not resume:
        refuse_begun({run.path: config})
    if is_automatic and run.exists:
        return adapt(read_config(run.config))
    if is_automatic and data and data.input_format is not None:
        on_remark("nothing is chosen by statistics of the clips: the data are preprocessed already")
    elif is_automatic:
        choices = choose_recipe(config.data, on_remark, compare=compare, data=data, adapt=adapt)
    if not run.exists and LaunchInfo.detect().rank == 0:
        keep_choices(run.choices, choices)
    return adapt(choices.config(config.clips.stream, config.data.archive)) if choices else config


def _fixed_config(
    name: str,
    size: PresetSize,
    stream: str | None,
    archive: Path | None,
    assignments: Sequence[str],
    recipe: Recipe,
) -> Config:
    """Return the configuration without automatic choices."""
    parsed = parse_stream(stream) if stream else Stream.JOINT
    config = read_config(Path(name)) if _is_file(name) else preset(name, size, parsed, recipe)
    if stream:
        config = replace(config, clips=replace(config.clips, stream=parsed))
    if archive is not None:
        config = replace(config, data=replace(config.data, archive=str(archive)))
    return with_overrides(config, assignments)


def _is_file(name: str) -> bool:
    path = Path(name)
    return path.suffix in (".yaml", ".yml") or path.is_file()


def _is_automatic(name: str, size: PresetSize, archive: Path | None, config: Config) -> bool:
    """Return whether settings follow from the training clips."""
    named = archive is not None or config.data.archive != SYNTHETIC
    return name == "default" and size is PresetSize.SMALL and not _is_file(name) and named


def parse_stream(name: str) -> Stream:
    """Return the stream of a full or short name.

    Raises:
        ConfigError: If there is none of that name.
    """
    try:
        return Stream.parse(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


ANY_ARCHIVE = ("default", "paper")
"""Presets for any archive, which name none themselves."""


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
    compare: bool = True,
    on_remark: Callable[[str], None] = lambda _: None,
) -> dict[Path, Config]:
    """Return the configuration of each run by its directory.

    To resume, neither a configuration nor an archive need be named: those of the runs in ``out``
    are taken, and what else is requested must agree with them.

    Args:
        request: Options of the command.
        out: Directory of the only run, or folder of the runs.
        resume: Whether runs in ``out`` are resumed.
        compare: Whether automatic choices may compare short trainings.
        on_remark: Function that is called with a line for each automatic choice.

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
    name, size = request.config or "default", request.size or PresetSize.SMALL
    automatic = _is_automatic(name, size, request.archive, configs[0])
    data = open_stored(configs[0].data) if automatic else shared_dataset(configs[0].data)
    wanted: Sequence[str | None] = [configs[0].data.split]
    if request.split is not None:
        wanted = list(data.splits) if request.split == "all" else request.split.split(",")
    splits = [choose_split(data, name)[0] for name in wanted]
    runs = plan_runs(configs, splits, request.seeds or 1, out)
    require_run_layout(runs, out)
    if not resume:
        refuse_begun(runs)
    if automatic:
        adapt = partial(with_overrides, assignments=request.assignments)

        def choose(settings: DataSettings) -> AutomaticChoices:
            prefix = f"{settings.split}: " if len(splits) > 1 else ""
            return choose_recipe(
                settings,
                lambda line: on_remark(f"{prefix}{line}"),
                compare=compare,
                data=data,
                adapt=adapt,
            )

        return _runs_with_choices(runs, request, begun_runs(out) if resume else {}, choose)
    for run in map(RunDirectory, runs):
        if not run.exists and LaunchInfo.detect().rank == 0:
            keep_choices(run.choices, None)
    return runs


def _runs_with_choices(
    runs: Mapping[Path, Config],
    request: TrainingRequest,
    begun: Mapping[Path, Config],
    choose: Callable[[DataSettings], AutomaticChoices],
) -> dict[Path, Config]:
    """Return the runs with the choices for each split; begun runs keep theirs.

    The choices are written beside the configuration that each run will have.
    """
    adapt = partial(with_overrides, assignments=request.assignments)
    chosen: dict[str | None, AutomaticChoices] = {}
    automatic = {}
    for path, config in runs.items():
        split, stream = config.data.split, config.clips.stream
        if path in begun:
            kept = begun[path]
            data = replace(kept.data, archive=config.data.archive, split=split)
            clips = replace(kept.clips, stream=stream if request.stream else kept.clips.stream)
            automatic[path] = adapt(replace(kept, data=data, clips=clips))
            continue
        if split not in chosen:
            chosen[split] = choose(config.data)
        settings = adapt(chosen[split].config(stream, config.data.archive))
        data = replace(settings.data, split=split)
        automatic[path] = replace(settings, data=data, seed=config.seed)
        if LaunchInfo.detect().rank == 0:
            keep_choices(RunDirectory(path).choices, chosen[split])
    return automatic


_HOW_TO_NAME_DATA = (
    "name an archive with 'train --data ARCHIVE', a preset and its archive with "
    "'train utd-mhad --data ARCHIVE', or generated data with 'train synthetic'"
)


def _configs(request: TrainingRequest) -> list[Config]:
    """Return the configuration of each stream, without automatic choices."""
    stream = request.stream
    streams = list(Stream) if stream == "all" else stream.split(",") if stream else [None]
    name = request.config or "default"
    size, recipe = request.size or PresetSize.SMALL, request.recipe or Recipe.PAPER
    configs = [
        _fixed_config(name, size, one, request.archive, request.assignments, recipe)
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
