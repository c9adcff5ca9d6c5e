"""From a configuration to objects: the only module that knows every family."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.data.archive import read_archive
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.loader import ClipLoader, DeviceOptions, build_clip_loader
from skeletonagent.data.placement import open_on_disk, stays_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import AugmentSettings, DataSettings
from skeletonagent.data.splits import (
    choose_split,
    evaluation_parts,
    evaluation_samples,
    split_validation,
)
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments.build_agents import NOBODY, Agents, build_agents
from skeletonagent.experiments.config import Config, to_dict
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.text.encoder import (
    CachedEncoder,
    TextEncoder,
    build_encoder,
    default_cache_folder,
)
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.distributed import DistributedContext, init_distributed, pick_device
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.train_step import TrainState
from skeletonagent.training.trainer import TrainingData

SYNTHETIC = "synthetic"
"""Names the generated data where an archive is named."""


@dataclass(frozen=True)
class Experiment:
    """All that a training run is made of.

    Args:
        config: The configuration, its split filled in.
        data: The data set.
        state: The recognizer and its optimizer.
        train_data: Clips to learn from and to validate on.
        test_samples: Samples of the test part.
        evaluation_parts: Split names the test part is reported for, with their sample ids.
                agents: Who give guidance.
        encoder: The text encoder.
    """

    config: Config
    data: SkeletonData
    state: TrainState
    train_data: TrainingData
    test_samples: Int[Tensor, " n"]
    evaluation_parts: Mapping[str, Set[str]]
    agents: Agents
    encoder: TextEncoder


def prepare_dataset(settings: DataSettings) -> SkeletonData:
    """Return a data set ready for use: finite, scaled and centred once and for all.

    One that stays on disk is made so whenever a part of it is read.

    Raises:
        DataError: If it cannot be used.
    """
    prepare = Preprocessor(settings.scale, settings.origin)
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.placement):
        return open_on_disk(path, settings.confidence, prepare)
    data = open_dataset(settings.archive, settings.confidence)
    return replace(data, store=prepare(data.store))


def open_dataset(archive: str, score: bool = False) -> SkeletonData:
    """Return a data set as it is stored, for inspection.

    Args:
        archive: Path of a skeleton archive, or ``synthetic``.
        score: Whether the detector's confidence is a channel.

    Raises:
        DataError: If its structure is damaged.
    """
    return synthetic_dataset() if archive == SYNTHETIC else read_archive(Path(archive), score)


def build_experiment(config: Config, data: SkeletonData) -> Experiment:
    """Return the objects of a training run.

    Raises:
        ConfigError: If the configuration does not fit the data or the machine.
    """
    name, split = choose_split(data, config.data.split)
    config = replace(config, data=replace(config.data, split=name))
    engine = init_distributed(pick_device(config.device), config.precision, config.distributed)
    source = build_loader(config, data, engine.device)
    store = source.store
    train, validation = split_validation(
        store, store.indices(split.train), config.training.validation_share, config.seed
    )
    encoder = CachedEncoder(build_encoder(config.agents.text_encoder), default_cache_folder())
    guided = config.agents.chat != NOBODY
    settings = config.loss if guided else replace(config.loss, alpha=0.0, beta=0.0)
    tested = evaluation_parts(data, name)
    return Experiment(
        config=config,
        data=data,
        state=_learner(config, store, encoder.dim, engine, SkeletonAgentLoss(settings)),
        train_data=TrainingData(source, train, validation),
        test_samples=evaluation_samples(store, tested),
        evaluation_parts=tested,
        agents=build_agents(config.agents, source, train, encoder),
        encoder=encoder,
    )


def build_loader(config: Config, data: SkeletonData, device: torch.device) -> ClipLoader:
    """Return where clips come from, wherever the data are kept."""
    place = DeviceOptions(
        device,
        getattr(torch, config.data.storage_dtype),
        config.data.placement,
        config.data.shard_megabytes,
    )
    return build_clip_loader(data, config.clips, config.augment, place)


def checkpoint_metadata(job: Experiment) -> dict[str, object]:
    """Return what a checkpoint must say for the recognizer to be built again without the data."""
    store = job.data.store
    return {
        "config": to_dict(job.config),
        "class_names": list(store.class_names),
        "layout": store.layout.to_json(),
        "channels": store.channels,
        "persons": store.max_persons,
        "text_dim": job.encoder.dim,
    }


def load_recognizer(checkpoint: Checkpoint, config: Config, data: SkeletonData) -> Recognizer:
    """Return the recognizer a run ended with, on the host: the averaged weights, if it kept any.

    Raises:
        CheckpointError: If it does not fit the data.
    """
    facts, store = checkpoint.metadata, data.store
    if facts["class_names"] != list(store.class_names) or facts["layout"]["joints"] != list(
        store.layout.joints
    ):
        raise CheckpointError(
            f"the run was trained on {len(facts['class_names'])} classes and "
            f"{len(facts['layout']['joints'])} joints that are not those of {data.name}; name the "
            "data it was trained on with --data"
        )
    recognizer = _recognizer(config, store, int(facts["text_dim"]), persons=int(facts["persons"]))
    try:
        recognizer.load_state_dict(
            checkpoint.tensors_under("ema") or checkpoint.tensors_under("recognizer")
        )
    except RuntimeError as error:
        raise CheckpointError(
            f"the run's recognizer is another one than asked for (model.*, --data): {error}"
        ) from error
    return recognizer


def evaluation_sampler(config: Config, store: ClipStore) -> ClipSampler:
    """Return a sampler for test clips of as many bodies as the store has room for."""
    return ClipSampler(store, config.clips, AugmentSettings(rotation=0.0))


def _learner(
    config: Config,
    store: ClipStore,
    text_dim: int,
    engine: DistributedContext,
    objective: SkeletonAgentLoss,
) -> TrainState:
    torch.manual_seed(config.seed)
    recognizer = _recognizer(config, store, text_dim, persons=store.max_persons)
    return TrainState(recognizer, config.training, engine, objective)


def _recognizer(config: Config, store: ClipStore, text_dim: int, persons: int) -> Recognizer:
    try:
        return build_recognizer(
            config.model.backbone,
            store.layout,
            channels=store.channels,
            persons=persons,
            num_classes=store.num_classes,
            text_dim=text_dim,
            width=config.model.width,
            person_pooling=config.model.person_pooling,
            dropout=config.model.dropout,
        )
    except ValueError as error:
        raise ConfigError(f"model: {error}") from error
