"""Check that a run is resumed with the configuration and on the data that it was begun with."""

from __future__ import annotations

from dataclasses import replace

import torch

from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.config import Config, config_to_dict, read_config
from skeletonagent.experiments.data_fingerprint import DataFingerprint
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.settings import TrainSettings

FINGERPRINT, THREADS = "fingerprint", "threads"
"""Keys of a checkpoint's metadata: what was trained on, and the number of CPU threads."""

_LENGTHS = frozenset({"training.epochs", "training.steps"})
"""Settings of the length of a training."""


def require_same_config(run: RunDirectory, config: Config) -> None:
    """Refuse to resume a run with another configuration.

    The device may be another: it does not change what is trained, and a pool of workers may choose.

    Raises:
        ConfigError: Naming the settings that differ.
    """
    saved = config_to_dict(replace(read_config(run.config), device=config.device))
    differing = [
        f"{section}.{key}" if isinstance(values, dict) else section
        for section, values in config_to_dict(config).items()
        for key in (values if isinstance(values, dict) else [None])
        if (saved[section] != values if key is None else saved[section][key] != values[key])
    ]
    if differing:
        problem = f"{run.path} was begun with another {', '.join(differing)}; resume with the same"
        raise ConfigError(problem + (_how_to_go_on(run) if _LENGTHS.issuperset(differing) else ""))


def _how_to_go_on(run: RunDirectory) -> str:
    """Return how a run is trained for longer, whose schedule was planned for its length."""
    state = "; it is finished: to train on" if run.summary.exists() else "; or, to train on"
    return f"{state} from its weights, use train --from {run.path} --out ANOTHER"


def rounds_remain(checkpoint: Checkpoint, training: TrainSettings) -> bool:
    """Return whether a run that is resumed will ask the agents again."""
    period = training.guidance_period
    rounds = range(period, training.epochs, period) if period else range(0)
    return bool(rounds) and checkpoint.epoch <= rounds[-1]


def require_same_data(
    checkpoint: Checkpoint, experiment: Experiment, data: DataFingerprint, run: RunDirectory
) -> list[str]:
    """Refuse to resume on other data, and return remarks on what else is not as it was.

    Args:
        checkpoint: Checkpoint to resume from.
        experiment: Objects of the run.
        data: Fingerprint of the data as they are now.
        run: Directory of the run.

    Raises:
        CheckpointError: If the data, their split or their skeleton are others.
    """
    metadata, name = checkpoint.metadata, experiment.data.name
    if metadata.get("class_names") != list(experiment.data.store.class_names):
        raise CheckpointError(f"{run.path} was trained on other classes than {name} has")
    remarks = []
    if (recorded := metadata.get(FINGERPRINT)) is None:
        remarks.append("the run does not say what it was trained on: see that it is the same data")
    elif differing := DataFingerprint.from_json(recorded).differences(data):
        raise CheckpointError(
            f"{run.path} was trained on other data than {experiment.config.data.archive} holds "
            f"now: the {' and '.join(differing)} differ; put back what it was begun with, or train "
            "anew with another --out"
        )
    before, now = metadata.get(THREADS), torch.get_num_threads()
    if experiment.state.context.device.type == "cpu" and before not in (None, now):
        remarks.append(
            f"begun with {before} CPU thread(s), resumed with {now}: the result is that of an "
            f"uninterrupted run bit for bit only with OMP_NUM_THREADS={before}"
        )
    return remarks
