"""A study on disk: which runs it consists of, which are finished, and what they come to."""

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
from skeletonagent.data.splits import choose_split, evaluation_parts
from skeletonagent.evaluation.metrics import Measurement, measure_runs
from skeletonagent.experiments.config import Config, read_config, with_overrides
from skeletonagent.experiments.plans import STUDY_PLANS, StudyPlan, StudyRow
from skeletonagent.experiments.timing import training_seconds
from skeletonagent.training.run_directory import RunDirectory

Runs = dict[tuple[str, int], Config]
"""The configuration of each row and seed, in the order in which they are run."""

OpenDataset = Callable[[DataSettings], SkeletonData]


@dataclass(frozen=True)
class Study:
    """A plan and its runs.

    Args:
        out: Folder of all runs and the results.
        plan: The recipes.
        runs: The configuration of each row and seed.
        opened: Gives the data.
        validated: Whether recipes are compared on the part held out instead of the test part.
    """

    out: Path
    plan: StudyPlan
    runs: Runs
    opened: OpenDataset
    validated: bool = False

    def directory(self, key: tuple[str, int]) -> Path:
        """Return where the run of a row and seed lies."""
        return run_directory(self.out, key)

    def unfinished(self) -> Runs:
        """Return the runs that are not finished.

        Raises:
            ConfigError: If one was run with another configuration.
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
        scores = {key: self._scores(key, config) for key, config in finished.items()}
        took = {key: training_seconds(self.directory(key)) for key in finished}
        known = {key: value for key, value in took.items() if value is not None}
        return measure_runs(self.plan.rows[0].label, scores, known)

    def _scores(self, key: tuple[str, int], config: Config) -> Mapping[str, ClassProbabilities]:
        """Return a run's scores by test part; splits taken in turn are one part together."""
        run, split = RunDirectory(self.directory(key)), str(config.data.split)
        if self.validated:
            return {
                "held-out part of the training split": ClassProbabilities.load(
                    run.validation_predictions
                )
            }
        whole = ClassProbabilities.load(run.predictions)
        turns = sorted({str(each.data.split) for each in self.runs.values()})
        if len(turns) > 1:
            return {f"{', '.join(turns)} in turn": whole}
        tested = evaluation_parts(self.opened(config.data), split)
        return {name: whole.subset(ids) for name, ids in tested.items()}


def hold_out_validation(config: Config, share: float) -> Config:
    """Return the configuration with a part held out to the end.

    Raises:
        ConfigError: If the share is none.
    """
    if share <= 0:
        raise ConfigError(f"--validate takes a share between 0 and 1, got {share}")
    return with_overrides(
        config, [f"training.validation_share={share}", "training.validation_until=1"]
    )


def select_plan(name: str, more: Sequence[str], only: Sequence[str]) -> StudyPlan:
    """Return a plan with rows added, or with the baseline and some rows only.

    Raises:
        ConfigError: If there is no such plan or row, or two rows could not be told apart.
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
    plan: StudyPlan, shared: Config, seeds: int, opened: OpenDataset, turns: Sequence[str] = ()
) -> Runs:
    """Return all configurations, seed by seed, so that rows can be compared from the first on.

    Args:
        plan: The recipes.
        shared: What they have in common; its seed is the first.
        seeds: Runs of each recipe.
        opened: Gives the data.
        turns: Splits that the seeds take in turn, if not all are to have the same.

    Raises:
        ConfigError: If one is wrong, before anything is trained.
    """
    runs: Runs = {}
    for seed in range(shared.seed, shared.seed + seeds):
        for row in plan.rows:
            config = replace(with_overrides(shared, row.assignments), seed=seed)
            wanted = turns[seed % len(turns)] if turns else config.data.split
            split, _ = choose_split(opened(config.data), wanted)
            runs[row.label, seed] = replace(config, data=replace(config.data, split=split))
    return runs


def is_finished(out: Path, key: tuple[str, int], config: Config) -> bool:
    """Return whether a row was run with a seed to the end.

    Raises:
        ConfigError: If it was run with another configuration.
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


def run_directory(out: Path, key: tuple[str, int]) -> Path:
    """Return where the run of a row and seed lies."""
    label, seed = key
    return out / _folder(label) / f"seed{seed}"


def _row(text: str) -> StudyRow:
    try:
        return StudyRow(text, tuple(shlex.split(text)))
    except ValueError as error:
        raise ConfigError(f"--row takes section.key=value ..., got {text!r}: {error}") from error


def _folder(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", label).strip("_.")[:100] or "row"
