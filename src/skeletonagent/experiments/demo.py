"""Demonstration on generated data: pairs of trainings without and with the agents."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.dialogue import Step
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import lock_file, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.json_files import JsonRecord, read_json
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.synthetic.generate import true_joints
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.config import Config, read_config
from skeletonagent.experiments.datasets import SYNTHETIC
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.run_files import remove_run, require_removable

BASELINE, GUIDED = "baseline", "guided"
"""Names of the two trainings of a pair: without the agents and with them."""

MARKER = ".skeletonagent-demo"
"""Name of the file that marks a folder as written by the demo, and lists the runs in it."""


class RecordedDemo(JsonRecord):
    """Content of the file."""

    runs: list[str]


_RUN_NAME = re.compile(rf"(?:{BASELINE}|{GUIDED})/seed\d+")
_GUIDANCE_PERIOD = 5
"""Epochs between rounds of the agents, as in the paper."""
_FEATURE_SNAPSHOTS = 6
"""Number of feature snapshots of each run, for the report."""


def demo_config(epochs: int | None = None) -> Config:
    """Return the configuration of all runs but for seed and agents, with fewer epochs if given."""
    config = preset("synthetic", PresetSize.TINY)
    training = replace(
        config.training, guidance_period=_GUIDANCE_PERIOD, feature_snapshots=_FEATURE_SNAPSHOTS
    )
    if epochs:
        training = replace(training, epochs=epochs, steps=None)
    return replace(config, training=training)


def demo_runs(config: Config, seeds: int, out: Path) -> dict[Path, Config]:
    """Return the configuration of each run by its directory, pair by pair."""
    agents = {BASELINE: replace(config.agents, chat="none"), GUIDED: config.agents}
    return {
        out / name / f"seed{seed}": replace(config, seed=seed, agents=agents[name])
        for seed in range(seeds)
        for name in (BASELINE, GUIDED)
    }


def claim_folder(out: Path, runs: Sequence[Path]) -> None:
    """Mark a folder as the demo's, and remove the runs of an earlier demo in it.

    Nothing else is removed.

    Raises:
        ConfigError: If the folder holds something and no demo has marked it, or a marked run is
            not one of the demo's, or holds something else.
        RunInUseError: If a run of the earlier demo is still being trained.
    """
    marker = out / MARKER
    if not marker.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{out} was not written by the demo; choose another --out")
    else:
        earlier = [RunDirectory(out / name) for name in _marked_runs(marker)]
        earlier = [run for run in earlier if run.path.is_dir()]
        for run in earlier:
            _require_demo(run)
        for run in earlier:
            remove_run(run)
    names = [run.relative_to(out).as_posix() for run in runs]
    write_text(marker, json.dumps({"runs": names}))


def _require_demo(run: RunDirectory) -> None:
    """Refuse to replace a run that is of other data than the demo's, or in use.

    Raises:
        ConfigError: If it is of other data, or its directory holds something that no run writes.
        RunInUseError: If it is being trained.
    """
    require_removable(run)
    if run.exists and (archive := read_config(run.config).data.archive) != SYNTHETIC:
        raise ConfigError(
            f"{run.path} is a run on {archive}, which no demo trains on; choose another --out"
        )
    with lock_file(run.lock):
        pass


def _marked_runs(marker: Path) -> list[str]:
    try:
        names = read_json(marker, RecordedDemo)["runs"]
    except DataError as error:
        raise ConfigError(
            f"{error}; nothing in its folder is replaced: choose another --out"
        ) from error
    return [name for name in names if _RUN_NAME.fullmatch(name)]


@dataclass(frozen=True)
class DemoResult:
    """Outcome of a demonstration.

    Args:
        probabilities: Predictions of each run by the name of its training, seed by seed.
        guidance: Last guidance of each guided run.
        class_names: Names of the classes in label order.
    """

    probabilities: Mapping[str, Sequence[ClassProbabilities]]
    guidance: Sequence[Guidance]
    class_names: tuple[str, ...]

    @classmethod
    def read(cls, out: Path, seeds: int, data: SkeletonData) -> DemoResult:
        """Return the outcome of finished runs."""
        runs = {
            name: [RunDirectory(out / name / f"seed{seed}") for seed in range(seeds)]
            for name in (BASELINE, GUIDED)
        }
        return cls(
            probabilities={
                name: [ClassProbabilities.load(run.predictions) for run in several]
                for name, several in runs.items()
            },
            guidance=[_last_guidance(run, data) for run in runs[GUIDED]],
            class_names=data.store.class_names,
        )

    @property
    def top1(self) -> dict[str, list[float]]:
        """Accuracy of each run."""
        return {
            name: [part.topk_accuracy(1) for part in several]
            for name, several in self.probabilities.items()
        }

    def confusions(self, name: str) -> Int[np.ndarray, "y y"]:
        """Return the confusion counts of all runs with or without the agents."""
        counts: Int[np.ndarray, "y y"] = np.sum(
            [part.confusions() for part in self.probabilities[name]], axis=0
        )
        return counts

    def hardest_classes(self, number: int = 3) -> list[str]:
        """Return the classes that are recognised least without the agents."""
        baseline = self.probabilities[BASELINE]
        accuracy = np.mean([part.per_class_accuracy() for part in baseline], axis=0)
        return [self.class_names[label] for label in np.argsort(accuracy)[:number]]

    def summary(self) -> dict[str, Any]:
        """Return accuracies with intervals, joints and latest exchanges as plain values."""
        top1 = self.top1
        return {
            **{name: asdict(mean_interval(values)) for name, values in top1.items()},
            "difference": asdict(paired_difference(top1[GUIDED], top1[BASELINE])),
            "top1": top1,
            "joints": score_joints(self.guidance),
            "exchanges": latest_exchanges(self.guidance[0], self.hardest_classes()),
        }


def score_joints(guidance: Sequence[Guidance]) -> dict[str, float]:
    """Return how well the salient joints agree with those that truly tell classes apart.

    Counted over the classes of all runs that were asked about with a rival from which they differ
    in joints that are defined: precision is the share of salient joints that are true, recall the
    share of true joints that are salient.
    """
    salient_true = salient_all = true_all = classes = 0
    for item in (item for one in guidance for item in one.classes):
        truth = true_joints(item.action, item.rivals)
        if truth:
            classes += 1
            salient_true += len(truth & set(item.joints))
            salient_all += len(item.joints)
            true_all += len(truth)
    return {
        "precision": salient_true / max(salient_all, 1),
        "recall": salient_true / max(true_all, 1),
        "classes": classes,
    }


def latest_exchanges(guidance: Guidance, actions: Sequence[str]) -> list[dict[str, Any]]:
    """Return the latest targeted exchange about each of some classes, as plain values."""
    by_action = {item.action: item for item in guidance.classes}
    return [
        {
            "action": action,
            "rivals": list(by_action[action].rivals),
            "joints": [guidance.layout.display_name(joint) for joint in by_action[action].joints],
            "sentence": by_action[action].sentence,
            "answer": by_action[action].dialogue.answer(Step.DISTINGUISH),
        }
        for action in actions
    ]


def _last_guidance(run: RunDirectory, data: SkeletonData) -> Guidance:
    checkpoint = run.checkpoints.latest().checkpoint
    assert checkpoint is not None
    return checkpoint.guidance(data.store.layout)
