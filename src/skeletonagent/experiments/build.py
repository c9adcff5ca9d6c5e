"""From a configuration to objects: the only module that knows every family."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.data.loader import ClipLoader, DeviceOptions, build_clip_loader
from skeletonagent.data.splits import (
    choose_split,
    evaluation_parts,
    evaluation_samples,
    split_validation,
)
from skeletonagent.experiments.build_agents import NOBODY, Agents, build_agents
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import absolute_archive
from skeletonagent.experiments.datasets import open_dataset as open_dataset
from skeletonagent.experiments.datasets import prepare_dataset as prepare_dataset
from skeletonagent.experiments.metadata import RecognizerMetadata
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


@dataclass(frozen=True)
class Experiment:
    """All that a training run is made of.

    Args:
        config: The configuration, its split filled in.
        data: The data set.
        metadata: Shapes, names and settings of the recognizer.
        state: The recognizer and its optimizer.
        train_data: Clips to learn from and to validate on.
        test_samples: Samples of the test part.
        evaluation_parts: Split names the test part is reported for, with their sample ids.
        agents: Who give guidance.
        encoder: The text encoder.
    """

    config: Config
    data: SkeletonData
    metadata: RecognizerMetadata
    state: TrainState
    train_data: TrainingData
    test_samples: Int[Tensor, " n"]
    evaluation_parts: Mapping[str, Set[str]]
    agents: Agents
    encoder: TextEncoder


def build_experiment(config: Config, data: SkeletonData) -> Experiment:
    """Return the objects of a training run.

    Raises:
        ConfigError: If the configuration does not fit the data or the machine.
    """
    name, split = choose_split(data, config.data.split)
    archive = absolute_archive(config.data.archive)
    config = replace(config, data=replace(config.data, split=name, archive=archive))
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
    metadata = RecognizerMetadata.of(config, data, encoder.dim)
    return Experiment(
        config=config,
        data=data,
        metadata=metadata,
        state=_train_state(metadata, engine, SkeletonAgentLoss(settings)),
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


def load_recognizer(
    checkpoint: Checkpoint, metadata: RecognizerMetadata | None = None
) -> Recognizer:
    """Return the recognizer of a checkpoint, on the host: the averaged weights, if it kept any.

    Args:
        checkpoint: Weights and metadata.
        metadata: Metadata in place of the checkpoint's own.

    Raises:
        CheckpointError: If the weights do not fit the metadata.
    """
    metadata = metadata or RecognizerMetadata.from_json(checkpoint.metadata)
    recognizer = _recognizer(metadata)
    try:
        recognizer.load_state_dict(
            checkpoint.tensors_under("ema") or checkpoint.tensors_under("recognizer")
        )
    except RuntimeError as error:
        raise CheckpointError(
            f"the run's recognizer is another one than asked for (model.*): {error}"
        ) from error
    return recognizer


def _train_state(
    metadata: RecognizerMetadata, engine: DistributedContext, loss: SkeletonAgentLoss
) -> TrainState:
    config = metadata.config
    torch.manual_seed(config.seed)
    return TrainState(_recognizer(metadata), config.training, engine, loss)


def _recognizer(metadata: RecognizerMetadata) -> Recognizer:
    model = metadata.config.model
    try:
        return build_recognizer(
            model.backbone,
            metadata.layout,
            channels=metadata.channels,
            persons=metadata.persons,
            num_classes=len(metadata.class_names),
            text_dim=metadata.text_dim,
            width=model.width,
            person_pooling=model.person_pooling,
            dropout=model.dropout,
        )
    except ValueError as error:
        raise ConfigError(f"model: {error}") from error
