"""The runs a report is about: what they left, and which of them are one recipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skeletonagent.core.dialogue_io import DIALOGUES_METADATA, DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.config import Config, config_to_dict, read_config
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

UNEQUAL = ("seed", "device", "data.archive", "training.feature_snapshots")
"""Settings in which runs of one recipe may differ."""
CHAT = "agents.chat"
GUIDANCE_WEIGHTS = ("loss.alpha", "loss.beta")
"""Weights of the losses that need guidance, zero without agents."""


@dataclass(frozen=True)
class ReportedRun:
    """A run as it lies there, finished or not.

    Args:
        name: What it is called in the report.
        directory: Where it lies.
        config: Its configuration.
        metrics: Its epochs.
        rounds: Its guidance, round by round.
        summary: What it came to, None before its end.
        predictions: Of the test part, None before its end.
        transcripts: What was said, None before the agents have told of every class.
    """

    name: str
    directory: RunDirectory
    config: Config
    metrics: Sequence[dict[str, Any]]
    rounds: Sequence[dict[str, Any]]
    summary: dict[str, Any] | None
    predictions: ClassProbabilities | None
    transcripts: DialogueCollection | None

    @property
    def guided(self) -> bool:
        """Whether agents gave guidance."""
        return self.config.agents.chat != NOBODY

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in label order; none before the first guidance."""
        return tuple(d.action for d in self.transcripts.dialogues) if self.transcripts else ()

    @property
    def settings(self) -> dict[str, Any]:
        """All settings of the recipe, by their dotted names."""
        flat = _flat(config_to_dict(self.config))
        return {key: value for key, value in flat.items() if key not in UNEQUAL}

    def checkpoint(self) -> Checkpoint | None:
        """Return where the recognizer stands: the newest checkpoint that can be read, or None."""
        return self.directory.checkpoints.latest().checkpoint


@dataclass(frozen=True)
class RecipeRuns:
    """Runs that differ in their seed alone.

    Args:
        name: In what the recipe differs from the others of the report.
        runs: At least one.
    """

    name: str
    runs: tuple[ReportedRun, ...]


@dataclass(frozen=True)
class RunComparison:
    """The runs of a report, and what is held against what.

    Args:
        runs: All of them.
        recipes: The same, by recipe.
        main: The recipe the report is about, which is the first run's.
        baseline: The recipe it is compared with, if there is one.
    """

    runs: tuple[ReportedRun, ...]
    recipes: tuple[RecipeRuns, ...]
    main: RecipeRuns
    baseline: RecipeRuns | None


def runs_below(paths: Sequence[Path]) -> list[Path]:
    """Return run directories: each path that is one, in place of others the runs within.

    Raises:
        DataError: If there is none within.
    """
    found: list[Path] = []
    for path in paths:
        run = RunDirectory(path)
        within = [path] if run.exists else [c.parent for c in sorted(path.rglob(run.config.name))]
        if not within:
            raise DataError("holds no run; 'skeletonagent runs list' finds them", path=path)
        found += within
    return found


def compared_runs(paths: Sequence[Path], baseline: Path | None) -> RunComparison:
    """Return runs as they are to be compared.

    Args:
        paths: Run directories; the report is about the first.
        baseline: A further one, or one of them, to compare with; without it that is the unguided
            recipe of the same stream.

    Raises:
        DataError: If one holds no run, its files are damaged, or they are of different classes.
        ConfigError: If a configuration cannot be read.
    """
    known = [path.resolve() for path in paths]
    added = [baseline] if baseline and baseline.resolve() not in known else []
    runs = read_runs([*paths, *added])
    require_same_classes(runs)
    found = recipes(runs)
    if baseline is None:
        return RunComparison(tuple(runs), tuple(found), found[0], _unguided(found))
    other = next(r for r in runs if r.directory.path.resolve() == baseline.resolve())
    without = tuple(run for run in found[0].runs if run is not other)
    main = replace(found[0], runs=without or found[0].runs)
    against = next(group for group in found if other in group.runs)
    if against is found[0]:  # other code, perhaps, but the same settings
        against = RecipeRuns("baseline", (other,))
        found = [main, against, *found[1:]]
    return RunComparison(tuple(runs), tuple(found), main, against)


def _unguided(found: Sequence[RecipeRuns]) -> RecipeRuns | None:
    first = found[0].runs[0]
    stream = first.config.clips.stream
    others = [
        g for g in found[1:] if not g.runs[0].guided and g.runs[0].config.clips.stream is stream
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
    whole = [path.resolve() for path in paths]
    above = os.path.commonpath([path.parent for path in whole])
    return [
        _read_run(path, str(known.relative_to(above)))
        for path, known in zip(paths, whole, strict=True)
    ]


def _read_run(path: Path, name: str) -> ReportedRun:
    run = RunDirectory(path)
    return ReportedRun(
        name=name,
        directory=run,
        config=read_config(run.config),
        metrics=run.read_metrics(),
        rounds=run.read_rounds(),
        summary=run.read_summary(),
        predictions=ClassProbabilities.load(run.predictions) if run.predictions.exists() else None,
        transcripts=DialogueCollection.load(path)
        if (run.dialogues / DIALOGUES_METADATA).exists()
        else None,
    )


def require_same_classes(runs: Sequence[ReportedRun]) -> None:
    """Refuse runs of different classes.

    Raises:
        DataError: Naming two that differ.
    """
    known = [run for run in runs if run.class_names]
    for run in known[1:]:
        if run.class_names != known[0].class_names:
            raise DataError(
                f"is of other classes than {known[0].directory.path}; one report is of one data "
                "set, so make one for each",
                path=run.directory.path,
            )


def recipes(runs: Sequence[ReportedRun]) -> list[RecipeRuns]:
    """Return the runs by recipe, in the order in which the recipes first come."""
    groups: list[list[ReportedRun]] = []
    for run in runs:
        same = next((group for group in groups if group[0].settings == run.settings), None)
        if same is None:
            groups.append([run])
        else:
            same.append(run)
    settings = [group[0].settings for group in groups]
    guided = [each for each in settings if each[CHAT] != NOBODY]
    differing = [
        key
        for key in settings[0]
        # Settings of the guidance are the same for all unguided recipes.
        if _differs(key, guided if _is_of_guidance(key) and key != CHAT else settings)
    ]
    return [
        RecipeRuns(_named(each, differing), tuple(group))
        for each, group in zip(settings, groups, strict=True)
    ]


def _differs(key: str, settings: Sequence[dict[str, Any]]) -> bool:
    return len({repr(each.get(key)) for each in settings}) > 1


def _named(settings: dict[str, Any], differing: Sequence[str]) -> str:
    if settings[CHAT] != NOBODY:
        told = [f"{key.removeprefix('agents.')}={settings[key]}" for key in differing]
        return ", ".join(told) or "this recipe"
    told = [f"{key}={settings[key]}" for key in differing if not _is_of_guidance(key)]
    return ", ".join(["unguided", *told])


def _is_of_guidance(key: str) -> bool:
    return key.startswith("agents.") or key in GUIDANCE_WEIGHTS


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
