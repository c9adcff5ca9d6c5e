"""Pre-training: a base, which later trainings on few clips begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import Imputation, Orientation, Origin
from skeletonagent.experiments.base_sources import base_dataset
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import Config, with_overrides, with_values
from skeletonagent.experiments.fine_tuning import SourceRun, read_source
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.models.settings import KernelRidgeSettings
from skeletonagent.training.callbacks import CallbackList
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.initial_weights import CLASS_HEAD
from skeletonagent.training.run_directory import RunDirectory

STEPS = 1200
"""Steps of a pre-training, unless another number is given."""

RECIPE = CompactRecipe(
    orientation=Orientation.BODY, rotation=0.3, yaw=0.3, crop=0.6, axis_scale=0.15, steps=STEPS
)
"""Recipe of a pre-training: that of few clips, with rotations for any sensor."""


def base_config(
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> Config:
    """Return the configuration that a base is trained with.

    Some clips lose their depth, so that joints of pictures profit.

    Args:
        seed: Seed of the training.
        overrides: Settings by their dotted names.
        assignments: Settings as ``section.key=value``, which have precedence.

    Raises:
        ConfigError: If a setting is wrong.
    """
    config = compact_config(Stream.JOINT, RECIPE, archive="base", origin=Origin.PERSON)
    config = replace(
        config,
        kernel_ridge=KernelRidgeSettings(),
        clips=replace(config.clips, test_clips=1),
        data=replace(config.data, imputation=Imputation.NONE),
        augment=replace(config.augment, depth_drop=0.1),
        training=replace(config.training, batch_size=64),
        agents=replace(config.agents, chat=NOBODY),
        seed=seed,
    )
    return with_overrides(with_values(config, overrides or {}), assignments)


def pretrain(
    *archives: str | Path,
    out: str | Path,
    generated: int = 0,
    unlabelled: Sequence[str | Path] = (),
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    export: str | Path | None = None,
    watch: CallbackFactory = lambda *_: nullcontext(CallbackList([])),
    on_remark: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a base for trainings on few clips to begin with, and return its summary.

    All clips of the archives are taken, whatever their splits; every tenth clip of a class is held
    out and tested on.

    Args:
        archives: Skeleton archives of any layouts.
        out: Run directory to write.
        generated: Number of generated motions, each of which is a class.
        unlabelled: Archives, keypoint files or folders of recordings that nobody labelled; each
            clip of them is a class.
        seed: Seed of motions and training.
        overrides: Settings by their dotted names, such as ``{"training.steps": 3000}``.
        assignments: Settings as ``section.key=value``, as a command line has them.
        export: Folder in which the weights alone are written as well, see :func:`export_base`.
        watch: Display of the training.
        on_remark: Function that is called with a line for each source.

    Raises:
        ConfigError: If a setting is wrong, there is no source, or ``out`` holds a run.
        DataError: If an archive cannot be used.

    Examples:
        >>> import skeletonagent as sa
        >>> summary = sa.pretrain(
        ...     "skeletons/mine",
        ...     out="runs/own_base",
        ...     generated=4,
        ...     overrides={"training.steps": 2, "clips.frames": 8, "model.readout_width": 4},
        ... )
        >>> summary["data"]
        'base'
        >>> run = sa.train(
        ...     init_from="runs/own_base",
        ...     data="skeletons/mine",
        ...     out="runs/from_base",
        ...     overrides={"training.steps": 2, "agents.chat": "none"},
        ... )
        >>> [source["name"] for source in run.summary["initial_weights"]["pretrained_on"]]
        ['mine', 'generated']
    """
    config = base_config(seed, overrides, assignments)
    paths = [Path(archive).expanduser() for archive in archives]
    others = [Path(source).expanduser() for source in unlabelled]
    data = base_dataset(paths, generated, seed, others, on_remark)
    folder = Path(out).expanduser()
    summary = run_experiment(config, data, folder, resume=False, watch=watch)
    if export is not None:
        export_base(folder, Path(export).expanduser())
    return summary


def export_base(run: Path, folder: Path) -> Path:
    """Write :func:`exported_base` of a run, and return the checkpoint.

    Args:
        run: Run directory.
        folder: Folder to write, which ``train --from`` takes as it takes the run.

    Raises:
        CheckpointError: If there is no such run, or the folder cannot be written.
    """
    return RunDirectory(folder).checkpoints.save(exported_base(read_source(run)))


def exported_base(source: SourceRun) -> Checkpoint:
    """Return the weights of a base alone, matrices in half precision.

    What belongs to its training and its machine is left out: the optimizer's state, what was asked,
    folders of archives, and the class head, whose classes nobody asks for.
    """
    tensors = source.checkpoint.tensors_under("ema") or source.checkpoint.tensors_under(
        "recognizer"
    )
    sources = tuple(
        replace(s, archive=None if s.archive is None else Path(s.archive).name)
        for s in source.metadata.sources
    )
    return Checkpoint(
        epoch=source.checkpoint.epoch,
        tensors={
            f"recognizer.{name}": tensor.half() if _is_matrix(tensor) else tensor
            for name, tensor in tensors.items()
            if not name.startswith(CLASS_HEAD)
        },
        metadata={
            **replace(source.metadata, sources=sources).to_json(),
            "guidance": Guidance(layout=source.metadata.layout, classes=()).to_json(),
        },
    )


def _is_matrix(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is a layer's weights, whose rounding changes hardly anything."""
    return tensor.is_floating_point() and tensor.ndim > 1
