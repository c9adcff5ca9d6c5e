"""Trainings that begin with a base: the recipe is that of fresh weights, but for what it says."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.data.settings import DataSettings
from skeletonagent.experiments.config import config_to_dict
from skeletonagent.experiments.datasets import open_stored
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.models.settings import ModelSettings

LEARNING_RATE = 0.001
"""Learning rate of a training that begins with a base."""


def base_settings(
    source: str | Path | None, archive: str | Path | None, data: SkeletonData | None = None
) -> dict[str, Any]:
    """Return the settings of a training that begins with a base, by name; none if it does not.

    The recognizer is the base's, of joints of pictures y points up, as it does in a base, and the
    classifier beside the recognizer has the features of the base. All else is the recipe that the
    training clips ask for.

    Args:
        source: Run that the weights are taken from.
        archive: Skeleton archive to train on.
        data: Data set in memory in its place.

    Raises:
        ConfigError: If it begins with a base, and no data are named.
        CheckpointError: If the source is no run.
        DataError: If the archive cannot be used.
    """
    run = None if source is None else read_source(source)
    if run is None or not run.is_base:
        return {}
    if archive is None and data is None:
        raise ConfigError(f"{run.path} is a base for other clips; name yours with --data ARCHIVE")
    store = (data or open_stored(DataSettings(archive=str(archive)))).store
    plain = config_to_dict(run.metadata.config)
    values = {f"model.{item.name}": plain["model"][item.name] for item in fields(ModelSettings)}
    values["clips.frames"] = plain["clips"]["frames"]
    values["training.learning_rate"] = LEARNING_RATE
    values["training.init_from"] = str(run.path)
    values["kernel_ridge.base"] = str(source if str(source) == PACKAGED_BASE else run.path)
    if store.coordinates == 2:
        values["data.dims"] = 2
    return values


def base_assignments(
    source: str | Path | None, archive: str | Path | None, data: SkeletonData | None = None
) -> list[str]:
    """Return :func:`base_settings` as ``section.key=value``."""
    settings = base_settings(source, archive, data)
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]
