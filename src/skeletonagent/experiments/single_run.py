"""Training of one run from a preset, a file or a run to begin with, on an archive or in memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments.auto_recipe import kept_with_begun_runs
from skeletonagent.experiments.config import Config, read_config, with_values
from skeletonagent.experiments.datasets import prepare_dataset, preprocess_dataset
from skeletonagent.experiments.from_base import base_settings
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import parse_stream, requested_config, with_choices
from skeletonagent.experiments.run import run_experiment
from skeletonagent.experiments.time_budget import fit_to_time, leaves_time_to_compare
from skeletonagent.experiments.training_request import TrainingRequest
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.run_directory import RunDirectory


def train_run(
    config: str | Path | Config | None,
    data: str | Path | SkeletonData | None,
    out: Path,
    *,
    overrides: Mapping[str, Any],
    stream: str | None,
    size: PresetSize,
    recipe: Recipe,
    init_from: str | Path | None,
    resume: bool,
    time: str | None,
    callback: Callback,
) -> SkeletonData | None:
    """Train one run, and return its data set, preprocessed, if that was in memory.

    Args:
        config: Preset, YAML file or configuration; ``default`` if none, or the settings of the run
            to begin with.
        data: Archive or data set; none for that of the run to begin with.
        out: Run directory.
        overrides: Settings by their dotted names.
        stream: Input stream, if not the configuration's.
        size: Size of a preset.
        recipe: Recipe of a preset.
        init_from: Run or checkpoint whose weights to begin with.
        resume: Whether to continue the run in ``out``.
        time: Wall time in place of a number of steps.
        callback: Callback.

    Raises:
        ConfigError: If the configuration has mistakes, no data are named, or ``out`` holds a run
            that is not to be resumed.
        CheckpointError: If there are no weights to begin with.
        DataError: If the data cannot be used.
    """
    run, start = RunDirectory(out), perf_counter()
    in_memory = data if isinstance(data, SkeletonData) else None
    source = init_from or overrides.get("training.init_from")
    changes = _changes(data, source)
    if source and config in (None, "default") and not (resume and run.exists):
        based = base_settings(source, changes.get("data.archive"), in_memory)
        changes |= based
        source = None if based else source  # all that it says is among the changes
    if stream is not None:
        changes["clips.stream"] = parse_stream(stream)
    adapt = partial(with_values, values=changes | dict(overrides))
    name = config or (None if source else "default")
    if source and resume and run.exists:
        chosen = read_config(run.config)
    elif isinstance(name, Config):
        chosen = name
    else:
        archive = changes.get("data.archive")
        request = TrainingRequest(
            config=None if name is None else str(name),
            archive=Path(archive) if source and archive else None,
            size=None if name is None else size,
            recipe=None if name is None else recipe,
            init_from=Path(source) if source else None,
        )
        chosen = requested_config(request, stream)
    chosen = with_choices(
        adapt(chosen),
        run,
        is_automatic=name == "default" and size is PresetSize.SMALL and not source,
        resume=resume,
        compare=not time or leaves_time_to_compare(time),
        on_remark=callback.on_remark,
        data=in_memory,
        adapt=adapt,
    )
    with kept_with_begun_runs([out]):
        opened = (
            preprocess_dataset(in_memory, Preprocessor.from_settings(chosen.data))
            if in_memory
            else prepare_dataset(chosen.data)
        )
        if time:
            chosen = fit_to_time({out: chosen}, opened, time, perf_counter() - start)[0][out]
        run_experiment(chosen, opened, out, resume=resume, watch=lambda *_: nullcontext(callback))
    return opened if in_memory else None


def _changes(data: str | Path | SkeletonData | None, source: str | Path | None) -> dict[str, Any]:
    """Return the settings that data and run stand for."""
    changes: dict[str, Any] = {}
    if data is None and source is None:
        raise ConfigError("name data=..., or a run to begin with whose archive is taken")
    if isinstance(data, SkeletonData):
        changes["data.archive"] = data.name
        changes["data.confidence"] = data.store.has_confidence
    elif data is not None:
        changes["data.archive"] = str(data)
    if source:
        changes["training.init_from"] = str(Path(source).expanduser().resolve())
    return changes
