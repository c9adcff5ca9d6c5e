"""Records of baselines: kept in the user's cache, and shown beside the runs on the same data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.projection import as_clips_show
from skeletonagent.data.settings import DataSettings, Placement
from skeletonagent.data.splits import (
    choose_split,
    evaluation_parts,
    evaluation_samples,
    reported_splits,
)
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.data.validation import locate_archive
from skeletonagent.evaluation.metrics import evaluate_parts
from skeletonagent.evaluation.significance import accuracy_interval, mcnemar
from skeletonagent.experiments.baseline import BaselineResult, fitting_methods, predict_baseline
from skeletonagent.experiments.config import Config, config_to_dict
from skeletonagent.experiments.datasets import SYNTHETIC, absolute_archive, prepare_dataset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.text.encoder import default_cache_folder
from skeletonagent.training.run_directory import RunDirectory

RECORD_VERSION = 1
"""Version of the records, raised when a baseline or its preprocessing gives other predictions."""

NOT_PREPROCESSING = (
    "archive", "split", "confidence", "storage_dtype", "placement", "shard_megabytes", "imputation",
)  # fmt: skip
"""Settings of the section data that do not change what a baseline sees."""


@dataclass(frozen=True)
class BaselineRecord:
    """Baselines of a split.

    Args:
        settings: Data set, split and preprocessing.
        data: Name of the data set.
        training_samples: Number of samples that the baselines were fitted on.
        parts: Sample ids of the test sets that the split is reported with, by split.
        results: Predictions of each method.
        seed: Seed of the methods.
    """

    settings: DataSettings
    data: str
    training_samples: int
    parts: Mapping[str, Set[str]]
    results: Sequence[BaselineResult]
    seed: int

    def summary(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "data": self.data,
            "split": self.settings.split,
            "preprocessing": preprocessing_of(self.settings),
            "training_samples": self.training_samples,
            "seed": self.seed,
            "methods": [self._method(result) for result in self.results],
        }

    def save(self, folder: Path) -> None:
        """Write the record and the class probabilities of each method to a folder."""
        for result in self.results:
            result.predictions.save(folder / predictions_file(result.method))
        write_text(RunDirectory(folder).baseline, json.dumps(self.summary(), indent=1))

    def for_split(self, split: str, data: SkeletonData) -> BaselineRecord:
        """Return the record of another split with the same training set."""
        parts = evaluation_parts(data, split)
        return replace(self, settings=replace(self.settings, split=split), parts=parts)

    def _method(self, result: BaselineResult) -> dict[str, Any]:
        test = evaluate_parts(result.predictions, self.parts)
        for name, figures in test.items():
            interval = accuracy_interval(result.predictions.subset(self.parts[name]))
            figures |= {"low": interval.low, "high": interval.high}
        return {
            "name": result.method,
            "predictions": predictions_file(result.method),
            "processor_seconds": round(result.processor_seconds, 1),
            "test": test,
        }


def baseline_settings(archive: str, assignments: Sequence[str] = ()) -> DataSettings:
    """Return the data settings that training on an archive has by default, with some replaced.

    Raises:
        ConfigError: If an assignment is wrong, or not of the section ``data``.
    """
    for text in assignments:
        if not text.startswith("data."):
            raise ConfigError(
                f"a baseline has the settings of the section data alone, got {text!r}; write, for "
                "instance, --set data.scale=none"
            )
    path = Path(absolute_archive(archive))
    return resolve_config("default", PresetSize.SMALL, None, path, list(assignments)).data


def run_baselines(
    settings: DataSettings,
    split: str | None = None,
    on_method: Callable[[str, str], None] | None = None,
    seed: int = 0,
) -> list[BaselineRecord]:
    """Return the baselines of a split, or of all; splits with one training set share a fit.

    Args:
        settings: Data set and preprocessing.
        split: Name of the split, by default that of the settings or else of the data set; ``all``
            for every split.
        on_method: Function called with split and method before each fit.
        seed: Seed of the methods.

    Raises:
        ConfigError: If there is no such split, or scikit-learn is not installed.
        DataError: If the data cannot be used.
    """
    data = prepare_dataset(_canonical(settings))
    names = (
        list(data.splits) if split == "all" else [choose_split(data, split or settings.split)[0]]
    )
    records: dict[str, BaselineRecord] = {}
    for name in names:
        same = next((other for other in records if other in reported_splits(data, name)), None)
        records[name] = (
            records[same].for_split(name, data)
            if same is not None
            else _run(data, replace(settings, split=name), on_method, seed)
        )
    return list(records.values())


def _run(
    data: SkeletonData,
    settings: DataSettings,
    on_method: Callable[[str, str], None] | None,
    seed: int,
) -> BaselineRecord:
    name, split = choose_split(data, settings.split)
    parts, store = evaluation_parts(data, name), as_clips_show(data.store)
    train = draw_training_clips(
        store, store.indices(split.train), settings.clips_per_class, settings.draw_seed
    )
    test = evaluation_samples(store, parts)
    results = []
    for method in fitting_methods(store, train):
        if on_method is not None:
            on_method(name, method)
        results.append(predict_baseline(method, store, train, test, seed))
    return BaselineRecord(settings, data.name, len(train), parts, results, seed)


def preprocessing_of(settings: DataSettings) -> dict[str, Any]:
    """Return the settings that change what a baseline sees, by name, as plain values."""
    values = config_to_dict(Config(data=settings))["data"]
    return {name: value for name, value in values.items() if name not in NOT_PREPROCESSING}


def predictions_file(method: str) -> str:
    """Return the name of the file with a method's class probabilities."""
    words = "".join(letter if letter.isalnum() else " " for letter in method.lower()).split()
    return f"{'_'.join(words)}.npz"


def baseline_cache_folder(settings: DataSettings) -> Path:
    """Return the folder of a split's record in the user's cache.

    It changes with size and time of the archive's files, so that a changed archive has none.

    Args:
        settings: Data set, preprocessing, and the split, which must be named.
    """
    key = [
        RECORD_VERSION,
        _state_of(settings.archive),
        settings.split,
        preprocessing_of(settings),
    ]
    digest = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    return default_cache_folder().parent / "baselines" / digest


def saved_baseline(settings: DataSettings) -> dict[str, Any] | None:
    """Return the record of a split in the user's cache as plain values, None if there is none."""
    try:
        record = RunDirectory(baseline_cache_folder(settings)).read_baseline()
    except DataError:
        return None
    return record if record and record["methods"] else None


def baseline_command(settings: DataSettings) -> str:
    """Return the command that computes the baselines of a split.

    It names the preprocessing where that is not the one chosen for the archive, or where the
    archive cannot be looked at.
    """
    values = preprocessing_of(settings)
    try:
        usual = preprocessing_of(baseline_settings(settings.archive))
    except DataError:
        usual = {}
    words = ["skeletonagent", "baseline", settings.archive]
    words += ["--split", settings.split] if settings.split else []
    for name, value in values.items():
        if name not in usual or value != usual[name]:
            words += ["--set", f"data.{name}={'null' if value is None else value}"]
    return shlex.join(words)


def put_beside_run(run: Path, settings: DataSettings) -> dict[str, Any] | None:
    """Write the saved baselines of a finished run's data into the run, and return them.

    Methods get the result of McNemar's test against the run, as ``only_run``, ``only_baseline`` and
    ``p``, on the test set of the split.

    Args:
        run: Run directory.
        settings: Settings of the run's data, with the split.
    """
    record = saved_baseline(settings)
    if record is None:
        return None
    folder = baseline_cache_folder(settings)
    for method in record["methods"]:
        method |= _compared(RunDirectory(run), folder / method["predictions"], settings.split)
    write_text(RunDirectory(run).baseline, json.dumps(record, indent=1))
    return record


def _compared(run: RunDirectory, baseline: Path, split: str | None) -> dict[str, Any]:
    """Return the result of McNemar's test; nothing where a file is missing or of other samples."""
    try:
        ids = set((run.read_evaluation_parts() or {})[str(split)])
        ours, theirs = (
            ClassProbabilities.load(file).subset(ids) for file in (run.predictions, baseline)
        )
        test = mcnemar(ours, theirs)
    except (KeyError, DataError):
        return {}
    return {"only_run": test.only_first, "only_baseline": test.only_second, "p": test.p}


def _canonical(settings: DataSettings) -> DataSettings:
    """Return the settings with all frames on the host and without the keypoint confidence."""
    return replace(settings, confidence=False, placement=Placement.HOST, storage_dtype="float32")


def _state_of(archive: str) -> list[Any]:
    """Return what changes when the files of an archive do."""
    if archive == SYNTHETIC:
        return [SYNTHETIC]
    files = [
        file
        for path in locate_archive(Path(archive))
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
    ]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
