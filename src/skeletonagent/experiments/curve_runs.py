"""Runs of a learning curve, what they reached, and what simpler methods reach beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.json_files import read_json
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.splits import choose_split
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.nearest_mean import nearest_mean_accuracies
from skeletonagent.experiments.baseline import (
    BASELINE_METHODS,
    MOST_TRAINING_SAMPLES,
    predict_baseline,
    require_sklearn,
)
from skeletonagent.experiments.build import build_loader
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.curve_config import curve_config
from skeletonagent.experiments.curve_plan import CURVE_FILE, CurvePlan, parse_clips, plan_curve
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.experiments.learning_curve import ALL, RECOGNIZER, LearningCurve, curve_points
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.run import (
    no_display,
    shared_dataset,
    train_quietly,
    train_timed,
)
from skeletonagent.experiments.study import RunKey
from skeletonagent.experiments.workers import RunUpdate, train_on_devices
from skeletonagent.training.run_directory import RunDirectory

NEAREST_MEAN = "nearest class mean"
"""Name of the reference that costs nothing among the methods of a curve."""

BESIDE_CURVE = next(iter(BASELINE_METHODS))
"""Baseline that is fitted to the same draws, where scikit-learn is installed."""

_REFERENCE_FILE = "reference.json"
"""Name of the file with the baseline's accuracy, in the directory of the run on the same draw."""


def measure_curve(plan: CurvePlan, data: SkeletonData, *, baseline: bool = True) -> LearningCurve:
    """Return the learning curve of runs that are all finished, with those of simpler methods.

    These are the nearest class mean and, where scikit-learn is installed and the samples fit in
    memory, the first of the baselines, on the same draws.

    Args:
        plan: Runs.
        data: Data set, preprocessed.
        baseline: Whether the baseline is fitted.

    Raises:
        DataError: If a run is not finished.
    """
    split, store = choose_split(data, plan.split)[1], data.store
    train, test = store.indices(split.train), store.indices(split.test)
    draws = {
        key: draw_training_clips(store, train, run.data.clips_per_class, run.data.draw_seed)
        for key, run in plan.runs.items()
    }
    top1 = {RECOGNIZER: {key: _top1(plan.directory(key)) for key in plan.runs}}
    loader = build_loader(next(iter(plan.runs.values())), data, torch.device("cpu"))
    nearest = nearest_mean_accuracies(loader, list(draws.values()), test)
    top1[NEAREST_MEAN] = dict(zip(draws, nearest, strict=True))
    if baseline:
        top1[BESIDE_CURVE] = _baseline_accuracies(plan, data, draws, test)
    return LearningCurve(
        data=data.name,
        split=plan.split,
        classes=len(store.labels[train].unique()),
        test_samples=len(test),
        points=tuple(
            point
            for method, values in top1.items()
            for point in curve_points(method, plan.sizes, _by_size(values, plan.sizes))
        ),
    )


def _by_size(values: Mapping[RunKey, float], sizes: Mapping[str, float]) -> dict[str, list[float]]:
    """Return the values of each size in the order of the draws; sizes without any are left out."""
    of_size = {size: [v for key, v in values.items() if key[0] == size] for size in sizes}
    return {size: found for size, found in of_size.items() if found}


def _baseline_accuracies(
    plan: CurvePlan,
    data: SkeletonData,
    draws: Mapping[RunKey, Int[Tensor, " _"]],
    test: Int[Tensor, " n"],
) -> dict[RunKey, float]:
    """Return the baseline's accuracy on each draw, fitted once and kept beside the run.

    Draws that it cannot be fitted to are left out.
    """
    try:
        require_sklearn()
    except ConfigError:
        return {}
    if isinstance(data, OnDiskData):
        return {}
    found: dict[RunKey, float] = {}
    for key, draw in draws.items():
        file = plan.directory(key) / _REFERENCE_FILE
        if len(draw) > MOST_TRAINING_SAMPLES or len(data.store.labels[draw].unique()) < 2:
            continue
        if not file.exists():
            result = predict_baseline(BESIDE_CURVE, data.store, draw, test, seed=key[1])
            write_text(file, json.dumps({BESIDE_CURVE: result.predictions.topk_accuracy(1)}))
        found[key] = read_json(file, dict[str, float])[BESIDE_CURVE]
    return found


def write_curve(curve: LearningCurve, out: Path) -> None:
    """Write a learning curve to its folder, as JSON and as CSV."""
    write_text(out / CURVE_FILE, json.dumps(curve.to_json(), indent=1))
    write_text(out / "curve.csv", curve.to_csv())


def learning_curve(
    config: str | Path | Config = "default",
    *,
    data: str | Path | SkeletonData,
    out: str | Path,
    clips: Sequence[int | str] = (1, 2, 5, 10, 20, ALL),
    draws: int = 3,
    overrides: Mapping[str, Any] | None = None,
    size: str = PresetSize.SMALL,
    recipe: str = Recipe.PAPER,
    init_from: str | Path | None = None,
    devices: Sequence[str] | None = None,
    baseline: bool = True,
    on_update: Callable[[RunUpdate], None] | None = None,
) -> LearningCurve:
    """Train with few and with more clips of a class, and return accuracy by number of clips.

    The same call again continues runs that were stopped; finished runs are not repeated. What the
    preset ``default`` chooses by statistics rests on all training clips, without their labels, so
    that the runs differ in nothing but their clips.

    Args:
        config: Name of a preset, a YAML file, or a configuration.
        data: Path of a skeleton archive, ``synthetic``, or a data set in memory.
        out: Folder of the runs and of the curve.
        clips: Numbers of training clips of a class; ``all`` for all.
        draws: Number of random draws of the clips, each with a seed of the training of its own.
        overrides: Settings by their dotted names, such as ``{"training.steps": 500}``.
        size: Size of a preset: ``tiny``, ``small`` for a CPU, ``paper`` for a GPU.
        recipe: Recipe of a preset: ``paper``, ``released`` or ``best``.
        init_from: Run or checkpoint whose weights every training begins with.
        devices: Devices for runs in processes of their own, such as ``["cpu", "cpu"]``; by default
            they are trained one after another in this process, as are those on data in memory.
        baseline: Whether MultiRocket is fitted to the same draws, if scikit-learn is installed.
        on_update: Called with the status of each run in a process of its own.

    Raises:
        ConfigError: If the configuration has mistakes, or ``out`` holds other runs.
        DataError: If the data cannot be used.

    Examples:
        >>> import skeletonagent as sa
        >>> curve = sa.learning_curve(
        ...     "default",
        ...     data="skeletons/mine",
        ...     out="runs/curve",
        ...     clips=(1, "all"),
        ...     draws=1,
        ...     size="tiny",
        ...     baseline=False,
        ...     overrides={"training.epochs": 1, "clips.frames": 8, "agents.chat": "none"},
        ... )
        >>> [(point.size, point.clips) for point in curve.method("recognizer")]
        [('1', 1.0), ('all', 2.0)]
        >>> curve.methods, curve.doubling is None  # two sizes are too few to extrapolate from
        (['recognizer', 'nearest class mean'], True)
    """
    settings = {key: json.dumps(value) for key, value in (overrides or {}).items()}
    in_memory = data if isinstance(data, SkeletonData) else None
    settings["data.archive"] = json.dumps(in_memory.name if in_memory else str(data))
    if in_memory:
        settings["data.confidence"] = json.dumps(in_memory.store.has_confidence)
    assignments = [f"{key}={value}" for key, value in settings.items()]
    if isinstance(config, Config):
        chosen = with_overrides(config, assignments)
    else:
        chosen = curve_config(
            str(config),
            PresetSize(size),
            None if in_memory else Path(str(data)),
            assignments,
            Recipe(recipe),
            init_from=init_from,
            data=in_memory,
        )
    opened = (
        preprocess_dataset(in_memory, Preprocessor.from_settings(chosen.data))
        if in_memory
        else shared_dataset(chosen.data)
    )
    plan = plan_curve(chosen, opened, parse_clips(clips), draws, Path(out).expanduser())
    unfinished = plan.unfinished()
    if devices and not in_memory:
        train_on_devices(unfinished, devices, train_quietly, on_update=on_update)
    else:
        for path, run in unfinished.items():
            train_timed(run, opened, path, no_display)
    curve = measure_curve(plan, opened, baseline=baseline)
    write_curve(curve, plan.out)
    return curve


def _top1(path: Path) -> float:
    summary = RunDirectory(path).read_summary()
    if summary is None:
        raise DataError("holds no finished run", path=path)
    return float(summary["top1"])
