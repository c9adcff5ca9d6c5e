"""Study in a folder: its runs, which of them are finished, and their metrics."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.splits import evaluation_parts
from skeletonagent.experiments.build import complete_config
from skeletonagent.experiments.config import Config, read_config, with_overrides
from skeletonagent.experiments.measurements import Measurement, measure_runs
from skeletonagent.experiments.plans import STUDY_PLANS, StudyPlan, StudyRow
from skeletonagent.experiments.run import training_seconds
from skeletonagent.training.run_directory import RunDirectory

RunKey = tuple[str, int]
"""Label of the row and seed of a run."""

StudyRuns = dict[RunKey, Config]
"""Configurations of a study's runs in the order of training."""

DatasetOpener = Callable[[DataSettings], SkeletonData]


@dataclass(frozen=True)
class Study:
    """Plan with its runs.

    Args:
        out: Folder of the runs and the results.
        plan: Recipes to compare.
        runs: Configuration of each row and seed.
        opened: Function that returns the data set.
        validated: Whether recipes are compared on the validation set instead of the test set.
    """

    out: Path
    plan: StudyPlan
    runs: StudyRuns
    opened: DatasetOpener
    validated: bool = False

    def directory(self, key: RunKey) -> Path:
        """Return the directory of a run."""
        return run_directory(self.out, key)

    def unfinished(self) -> StudyRuns:
        """Return the runs that are not finished.

        Raises:
            ConfigError: If one was trained with another configuration.
        """
        return {
            key: config
            for key, config in self.runs.items()
            if not is_finished(self.out, key, config)
        }

    def measurements(self) -> list[Measurement]:
        """Return the metrics of all finished runs."""
        unfinished = self.unfinished()
        finished = {key: config for key, config in self.runs.items() if key not in unfinished}
        predictions = {key: self._predictions(key, config) for key, config in finished.items()}
        times = {key: training_seconds(self.directory(key)) for key in finished}
        seconds = {key: value for key, value in times.items() if value is not None}
        return measure_runs(self.plan.rows[0].label, predictions, seconds)

    def _predictions(self, key: RunKey, config: Config) -> Mapping[str, ClassProbabilities]:
        """Return a run's predictions by part of the test set; rotating splits count as one part."""
        run, split = RunDirectory(self.directory(key)), str(config.data.split)
        if self.validated:
            return {"validation set": ClassProbabilities.load(run.validation_predictions)}
        predictions = ClassProbabilities.load(run.predictions)
        splits = sorted({str(other.data.split) for other in self.runs.values()})
        if len(splits) > 1:
            return {f"{', '.join(splits)} in turn": predictions}
        parts = evaluation_parts(self.opened(config.data), split)
        return {name: predictions.subset(ids) for name, ids in parts.items()}


def hold_out_validation(config: Config, share: float) -> Config:
    """Return the configuration with a validation set that is held out of training to the end.

    Args:
        config: Configuration.
        share: Share of the training split.

    Raises:
        ConfigError: If the share is not between 0 and 1.
    """
    if share <= 0:
        raise ConfigError(f"--validate takes a share between 0 and 1, got {share}")
    return with_overrides(
        config, [f"training.validation_share={share}", "training.validation_until=1"]
    )


def select_plan(name: str, more: Sequence[str], only: Sequence[str]) -> StudyPlan:
    """Return a plan with further rows, or with the baseline and some of the rows only.

    Args:
        name: Name in ``STUDY_PLANS``.
        more: Further rows, each as assignments of settings.
        only: Labels of rows; all rows if none is named.

    Raises:
        ConfigError: If there is no such plan or row, or two rows would share a folder.
    """
    if name not in STUDY_PLANS:
        raise ConfigError(f"no plan {name!r}; there are {', '.join(STUDY_PLANS)}")
    plan = STUDY_PLANS[name]
    rows = (*plan.rows, *(_row(text) for text in more))
    labels = [row.label for row in rows]
    if unknown := [label for label in only if label not in labels]:
        raise ConfigError(f"{name} has no row {unknown[0]!r}; it has {', '.join(labels)}")
    if only:
        rows = (rows[0], *(row for row in rows[1:] if row.label in only))
    folder, times = Counter(_folder(row.label) for row in rows).most_common(1)[0]
    if times > 1:
        raise ConfigError(f"{times} rows would be written to {folder!r}; name each of them once")
    return replace(plan, rows=rows)


def resolve_runs(
    plan: StudyPlan,
    shared: Config,
    seeds: int,
    opened: DatasetOpener,
    rotation: Sequence[str] = (),
) -> StudyRuns:
    """Return all configurations, seed by seed, so that rows can be compared from the first on.

    Args:
        plan: Recipes to compare.
        shared: Configuration that the recipes change; its seed is the first.
        seeds: Number of runs of each recipe.
        opened: Function that returns the data set.
        rotation: Splits that the seeds take in turn, unless all seeds have the same split.

    Raises:
        ConfigError: If a configuration is wrong.
    """
    runs: StudyRuns = {}
    for seed in range(shared.seed, shared.seed + seeds):
        for row in plan.rows:
            config = replace(with_overrides(shared, row.assignments), seed=seed)
            name = rotation[seed % len(rotation)] if rotation else config.data.split
            config = replace(config, data=replace(config.data, split=name))
            runs[row.label, seed] = complete_config(config, opened(config.data))
    return runs


def is_finished(out: Path, key: RunKey, config: Config) -> bool:
    """Return whether a run is finished.

    Raises:
        ConfigError: If it was trained with another configuration.
    """
    run = RunDirectory(run_directory(out, key))
    if not run.exists or run.read_summary() is None:
        return False
    saved = read_config(run.config)
    if saved != replace(config, device=saved.device):
        raise ConfigError(
            f"{run.path} was run with another configuration; repeat it with the same options, or "
            "choose another --out"
        )
    return True


def run_directory(out: Path, key: RunKey) -> Path:
    """Return the directory of a run in a study's folder."""
    label, seed = key
    return out / _folder(label) / f"seed{seed}"


def _row(text: str) -> StudyRow:
    try:
        return StudyRow(text, tuple(shlex.split(text)))
    except ValueError as error:
        raise ConfigError(f"--row takes section.key=value ..., got {text!r}: {error}") from error


def _folder(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", label).strip("_.")[:100] or "row"
