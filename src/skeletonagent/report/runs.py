"""Runs of a report: their files, and groups of runs of the same recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from skeletonagent.core.dialogue_io import DIALOGUES_METADATA, DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.config import Config, config_to_dict, read_config
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

IGNORED_SETTINGS = ("seed", "device", "data.archive", "training.feature_snapshots")
"""Settings in which runs of one recipe may differ."""
CHAT_SETTING = "agents.chat"
GUIDANCE_WEIGHTS = ("loss.alpha", "loss.beta")
"""Weights of the losses that need guidance, zero without agents."""


@dataclass(frozen=True)
class ReportedRun:
    """Files of a run, finished or not.

    Args:
        name: Name of the run in the report.
        directory: Run directory.
        config: Configuration.
        metrics: Metrics of each epoch.
        rounds: Guidance of each round.
        summary: Summary, None before the end of the training.
        predictions: Class probabilities of the test set of its split, None before the end of the
            training.
        dialogues: Dialogues about all classes, None before the first guidance.
        simple_baseline: What methods without deep learning reach, where it was computed.
        test_sets: Class probabilities of each test set by its split, that of the run's split first,
            where there are several.
        sessions: Processes that trained it, as the run recorded them.
    """

    name: str
    directory: RunDirectory
    config: Config
    metrics: Sequence[dict[str, Any]]
    rounds: Sequence[dict[str, Any]]
    summary: dict[str, Any] | None
    predictions: ClassProbabilities | None
    dialogues: DialogueCollection | None
    simple_baseline: dict[str, Any] | None = None
    test_sets: Mapping[str, ClassProbabilities] = field(default_factory=dict)
    sessions: Sequence[dict[str, Any]] = ()

    @property
    def guided(self) -> bool:
        """Whether agents gave guidance."""
        return self.config.agents.chat != NOBODY

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in label order; none before the first guidance."""
        return tuple(d.action for d in self.dialogues.dialogues) if self.dialogues else ()

    @property
    def settings(self) -> dict[str, Any]:
        """All settings of the recipe, by their dotted names."""
        flat = flat_settings(config_to_dict(self.config))
        return {key: value for key, value in flat.items() if key not in IGNORED_SETTINGS}

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint that can be read, or None."""
        return self.directory.checkpoints.latest().checkpoint


@dataclass(frozen=True)
class RecipeRuns:
    """Runs that differ in their seed alone.

    Args:
        name: Settings in which the recipe differs from the others of the report.
        runs: Runs, at least one.
    """

    name: str
    runs: tuple[ReportedRun, ...]


@dataclass(frozen=True)
class RunComparison:
    """Runs of a report, grouped by recipe, and the recipes that are compared.

    Args:
        runs: All runs.
        recipes: The same runs, grouped by recipe.
        main: Recipe that the report is about, that of the first run.
        baseline: Recipe that it is compared with, if there is one.
    """

    runs: tuple[ReportedRun, ...]
    recipes: tuple[RecipeRuns, ...]
    main: RecipeRuns
    baseline: RecipeRuns | None


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Return run directories: each path that is one, and the runs within the other paths.

    Raises:
        DataError: If there is none within.
    """
    directories: list[Path] = []
    for path in paths:
        run = RunDirectory(path)
        within = [path] if run.exists else [c.parent for c in sorted(path.rglob(run.config.name))]
        if not within:
            raise DataError("holds no run; 'skeletonagent runs list' finds them", path=path)
        directories += within
    return directories


def compare_runs(paths: Sequence[Path], baseline: Path | None) -> RunComparison:
    """Return runs grouped for a comparison.

    Args:
        paths: Run directories; the report is about the first.
        baseline: Run directory to compare with; by default the unguided recipe of the same stream.

    Raises:
        DataError: If one holds no run, its files are damaged, or they are of different classes.
        ConfigError: If a configuration cannot be read.
    """
    resolved = [path.resolve() for path in paths]
    added = [baseline] if baseline and baseline.resolve() not in resolved else []
    runs = read_runs([*paths, *added])
    require_same_classes(runs)
    recipes = group_by_recipe(runs)
    if baseline is None:
        return RunComparison(tuple(runs), tuple(recipes), recipes[0], _unguided(recipes))
    other = next(r for r in runs if r.directory.path.resolve() == baseline.resolve())
    without = tuple(run for run in recipes[0].runs if run is not other)
    main = replace(recipes[0], runs=without or recipes[0].runs)
    against = next(group for group in recipes if other in group.runs)
    if against is recipes[0]:  # other code, perhaps, but the same settings
        against = RecipeRuns("baseline", (other,))
        recipes = [main, against, *recipes[1:]]
    return RunComparison(tuple(runs), tuple(recipes), main, against)


def _unguided(recipes: Sequence[RecipeRuns]) -> RecipeRuns | None:
    first = recipes[0].runs[0]
    stream = first.config.clips.stream
    others = [
        g for g in recipes[1:] if not g.runs[0].guided and g.runs[0].config.clips.stream is stream
    ]
    return others[0] if others and first.guided else None


def read_runs(paths: Sequence[Path]) -> list[ReportedRun]:
    """Return the runs in some directories.

    Raises:
        DataError: If one holds no run, or its files are damaged.
    """
    for path in paths:
        if not RunDirectory(path).exists:
            raise DataError("holds no run; 'skeletonagent runs list' finds them", path=path)
    resolved = [path.resolve() for path in paths]
    parent = os.path.commonpath([path.parent for path in resolved])
    return [
        _read_run(path, str(full.relative_to(parent)))
        for path, full in zip(paths, resolved, strict=True)
    ]


def _read_run(path: Path, name: str) -> ReportedRun:
    run = RunDirectory(path)
    dialogues = (
        DialogueCollection.load(path) if (run.dialogues / DIALOGUES_METADATA).exists() else None
    )
    predictions = ClassProbabilities.load(run.predictions) if run.predictions.exists() else None
    test_sets = {} if predictions is None else _test_sets(run, predictions)
    return ReportedRun(
        name=name,
        directory=run,
        config=read_config(run.config),
        metrics=run.read_metrics(),
        rounds=run.read_rounds(len(dialogues.dialogues) if dialogues else None),
        summary=run.read_summary(),
        predictions=next(iter(test_sets.values()), predictions),
        dialogues=dialogues,
        simple_baseline=run.read_baseline(),
        test_sets=test_sets,
        sessions=run.read_sessions(),
    )


def _test_sets(run: RunDirectory, whole: ClassProbabilities) -> dict[str, ClassProbabilities]:
    """Return the predictions of each test set, if there are several, that of the split first."""
    parts = run.read_evaluation_parts() or {}
    known = set(whole.sample_ids)
    for name, ids in parts.items():
        if not ids or not known.issuperset(ids):
            raise DataError(
                f"names samples of {name} that predictions.npz has not", path=run.evaluation_parts
            )
    if len(parts) < 2:
        return {}
    return {name: whole.subset(set(ids)) for name, ids in parts.items()}


def require_same_classes(runs: Sequence[ReportedRun]) -> None:
    """Refuse runs of different classes.

    Raises:
        DataError: Naming two that differ.
    """
    started = [run for run in runs if run.class_names]
    for run in started[1:]:
        if run.class_names != started[0].class_names:
            raise DataError(
                f"is of other classes than {started[0].directory.path}; one report is of one data "
                "set, so make one for each",
                path=run.directory.path,
            )


def group_by_recipe(runs: Sequence[ReportedRun]) -> list[RecipeRuns]:
    """Return the runs grouped by recipe, in the order of each recipe's first run."""
    groups: list[list[ReportedRun]] = []
    for run in runs:
        same = next((group for group in groups if group[0].settings == run.settings), None)
        if same is None:
            groups.append([run])
        else:
            same.append(run)
    settings = [group[0].settings for group in groups]
    guided = [values for values in settings if values[CHAT_SETTING] != NOBODY]
    differing = [
        key
        for key in settings[0]
        # Settings of the guidance are the same for all unguided recipes.
        if _differs(key, guided if _is_of_guidance(key) and key != CHAT_SETTING else settings)
    ]
    return [
        RecipeRuns(_recipe_name(values, differing), tuple(group))
        for values, group in zip(settings, groups, strict=True)
    ]


def _differs(key: str, settings: Sequence[dict[str, Any]]) -> bool:
    return len({repr(values.get(key)) for values in settings}) > 1


def _recipe_name(settings: dict[str, Any], differing: Sequence[str]) -> str:
    if settings[CHAT_SETTING] != NOBODY:
        parts = [f"{key.removeprefix('agents.')}={settings[key]}" for key in differing]
        return ", ".join(parts) or "this recipe"
    parts = [f"{key}={settings[key]}" for key in differing if not _is_of_guidance(key)]
    return ", ".join(["unguided", *parts])


def _is_of_guidance(key: str) -> bool:
    return key.startswith("agents.") or key in GUIDANCE_WEIGHTS


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the settings of a configuration by their dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flat_settings(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
