"""Pre-training: a base, which later trainings on few clips begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import Orientation, Origin
from skeletonagent.experiments.base_sources import base_dataset
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.training.callbacks import CallbackList

STEPS = 3000
"""Steps of a pre-training, unless another number is given."""

RECIPE = CompactRecipe(
    orientation=Orientation.BODY, rotation=0.3, yaw=0.3, crop=0.6, axis_scale=0.15, steps=STEPS
)
"""Recipe of a pre-training: that of few clips, with rotations for any sensor."""


def base_config(seed: int = 0, assignments: Sequence[str] = ()) -> Config:
    """Return the configuration that a base is trained with.

    Clips lose joints and their depth at random, so that any layout and joints of pictures profit.

    Args:
        seed: Seed of the training.
        assignments: Settings as ``section.key=value``.

    Raises:
        ConfigError: If a setting is wrong.
    """
    config = compact_config(Stream.JOINT, RECIPE, archive="base", origin=Origin.PERSON)
    config = replace(
        config,
        clips=replace(config.clips, test_clips=1),
        augment=replace(config.augment, joint_drop=0.05, depth_drop=0.25),
        training=replace(config.training, batch_size=64),
        agents=replace(config.agents, chat=NOBODY),
        seed=seed,
    )
    return with_overrides(config, assignments)


def pretrain_base(
    archives: Sequence[str | Path],
    out: Path,
    *,
    generated: int,
    seed: int,
    assignments: Sequence[str] = (),
    watch: CallbackFactory = lambda *_: nullcontext(CallbackList([])),
    on_remark: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a base on archives and generated motions, and return its summary.

    Args:
        archives: Skeleton archives.
        out: Run directory to write.
        generated: Number of generated motions.
        seed: Seed of motions and training.
        assignments: Settings as ``section.key=value``.
        watch: Display of the training.
        on_remark: Function that is called with a line for each source.

    Raises:
        ConfigError: If a setting is wrong, there is no source, or ``out`` holds a run.
        DataError: If an archive cannot be used.
    """
    config = base_config(seed, assignments)
    paths = [Path(archive).expanduser() for archive in archives]
    data = base_dataset(paths, generated, seed, on_remark)
    return run_experiment(config, data, out, resume=False, watch=watch)
