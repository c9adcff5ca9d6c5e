"""Configurations that a command line stands for, and those of the runs that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from skeletonagent.experiments.fine_tuning import fine_tuning_config, read_source
from skeletonagent.experiments.from_base import base_assignments
from skeletonagent.experiments.planned_runs import (
    begun_runs,
    plan_runs,
    refuse_begun,
    require_free_folders,
    require_run_layout,
)
from skeletonagent.experiments.presets import preset, require_variants
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.run import shared_dataset
from skeletonagent.experiments.split_protocols import missing_classes_remarks
from skeletonagent.experiments.training_request import (
    TrainingRequest,
    ask_for_data,
    requested_again,
    require_archive,
)
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
        ConfigError: If the directory has a run that is not to be resumed, or files of no run.
        DataError: If the archive cannot be used.
    """
    choices = None
    require_free_folders({run.path: config}, run.path)
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
    return _with_options(config, stream, archive, assignments)


def _with_options(
    config: Config, stream: str | None, archive: Path | None, assignments: Sequence[str]
) -> Config:
    """Return the configuration with options in place of its settings."""
    if stream:
        config = replace(config, clips=replace(config.clips, stream=parse_stream(stream)))
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
        begun = begun_runs(out)
        if resume and begun:
            return requested_again(request, begun, out)
        if request.source is None:
            raise ConfigError(ask_for_data(out, resume=resume, is_begun=bool(begun)))
    require_variants(request.config, request.size, request.recipe)
    request = with_base(request)
    configs = _configs(request)
    name, size = request.config or "default", request.size or PresetSize.SMALL
    automatic = (request.source is None or request.begins_with_base) and _is_automatic(
        name, size, request.archive, configs[0]
    )
    data = open_stored(configs[0].data) if automatic else shared_dataset(configs[0].data)
    splits = _chosen_splits(request, configs[0], data)
    for remark in missing_classes_remarks(data, splits):
        on_remark(remark)
    runs = plan_runs(configs, splits, request.seeds or 1, out)
    require_run_layout(runs, out)
    require_free_folders(runs, out)
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


def _chosen_splits(request: TrainingRequest, config: Config, data: SkeletonData) -> list[str]:
    """Return the names of the splits that are trained."""
    wanted: Sequence[str | None] = [config.data.split]
    if request.split is not None:
        wanted = list(data.splits) if request.split == "all" else request.split.split(",")
    return [choose_split(data, name)[0] for name in wanted]


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


def with_base(request: TrainingRequest) -> TrainingRequest:
    """Return a request that begins with a base as one of the preset ``default`` with its settings.

    Others, and those that name another preset, stay as they are.

    Raises:
        CheckpointError: If there are no weights to begin with.
        DataError: If the archive cannot be used.
    """
    if request.config not in (None, "default") or request.begins_with_base:
        return request
    settings = base_assignments(request.source, request.named_archive)
    if not settings:
        return request
    return replace(
        request,
        config="default",
        init_from=None,
        assignments=(*settings, *request.assignments),
        begins_with_base=True,
    )


def _configs(request: TrainingRequest) -> list[Config]:
    """Return the configuration of each stream, without automatic choices."""
    stream = request.stream
    streams = list(Stream) if stream == "all" else stream.split(",") if stream else [None]
    configs = [requested_config(request, one) for one in streams]
    require_archive(request, configs[0].data.archive)
    return configs


def requested_config(request: TrainingRequest, stream: str | None) -> Config:
    """Return the configuration of a stream, or of the only run, without automatic choices.

    Args:
        request: Options of a training.
        stream: Stream by full or short name, if not that of the configuration.

    Raises:
        ConfigError: If a name or a setting is wrong.
        CheckpointError: If there are no weights to begin with.
    """
    name, archive, assignments = request.config, request.archive, request.assignments
    size, recipe = request.size or PresetSize.SMALL, request.recipe or Recipe.PAPER
    if request.source is None or request.begins_with_base:
        return _fixed_config(name or "default", size, stream, archive, assignments, recipe)
    source = read_source(request.source, parse_stream(stream) if stream else None)
    if name is None and (request.size or request.recipe):
        raise ConfigError("--preset-size and --recipe choose among a preset's variants; name it")
    if name is not None and _is_file(name):
        return _fixed_config(
            name, size, stream, archive, [*assignments, f"training.init_from={source.path}"], recipe
        )
    given = None if name is None else preset(name, size, Stream.JOINT, recipe)
    config = fine_tuning_config(source, given, archive=request.named_archive)
    return _with_options(config, stream, archive, assignments)
