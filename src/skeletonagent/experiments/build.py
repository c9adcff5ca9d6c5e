"""Objects of a training run, built from its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.pose_model import PoseModel
from skeletonagent.data.imputation import PoseImputation, training_poses
from skeletonagent.data.loader import ClipLoader, DeviceOptions, build_clip_loader
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Imputation
from skeletonagent.data.splits import choose_split, evaluation_parts, evaluation_samples
from skeletonagent.data.training_draw import training_and_validation
from skeletonagent.experiments.build_agents import NOBODY, Agents, build_agents
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import absolute_archive
from skeletonagent.experiments.fine_tuning import InitialWeights, read_source, take_from_source
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.text.encoder import (
    CachedEncoder,
    TextEncoder,
    build_encoder,
    default_cache_folder,
)
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.distributed import init_distributed, pick_device
from skeletonagent.training.initial_weights import CLASS_HEAD
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.schedule import TrainingSchedule
from skeletonagent.training.settings import TrainSettings
from skeletonagent.training.train_step import TrainState
from skeletonagent.training.trainer import TrainingData


@dataclass(frozen=True)
class Experiment:
    """Objects of a training run.

    Args:
        config: Configuration as :func:`complete_config` returns it.
        data: Data set.
        metadata: Shapes, names and settings of the recognizer.
        state: Recognizer and optimizer.
        train_data: Training set and validation set.
        test_samples: Indices of the test set.
        evaluation_parts: Sample ids of each part of the test set, by its name.
        agents: Agents that give guidance.
        encoder: Text encoder.
        initial_weights: Record of the weights it begins with; None if they are fresh.
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
    initial_weights: InitialWeights | None = None


def complete_config(config: Config, data: SkeletonData) -> Config:
    """Return a configuration as a run of it is saved.

    Its split is named, the path of its archive is absolute, the number of epochs is that of its
    steps, and without agents the weights of the losses that need guidance are zero.

    Raises:
        ConfigError: If the data set has no such split, or agents are asked for guidance that no
            loss uses.
    """
    split, samples = choose_split(data, config.data.split)
    archive = absolute_archive(config.data.archive)
    if source := config.training.init_from:
        source = str(Path(source).expanduser().resolve())
        config = replace(config, training=replace(config.training, init_from=source))
    _require_pairs(config, data)
    is_guided = config.agents.chat != NOBODY
    if is_guided and not config.loss.alpha and not config.loss.beta:
        raise ConfigError(
            f"agents.chat is {config.agents.chat!r}, but loss.alpha and loss.beta are 0, so no "
            "loss would use the guidance; set one of them, or agents.chat=none"
        )
    return replace(
        config,
        data=replace(config.data, split=split, archive=archive),
        training=_with_epochs(config, data.store, samples),
        loss=config.loss if is_guided else replace(config.loss, alpha=0.0, beta=0.0),
    )


def _require_pairs(config: Config, data: SkeletonData) -> None:
    """Refuse to mirror clips of a skeleton whose left and right joints are not known."""
    augment, layout = config.augment, data.store.layout
    asked = [name for name in ("mirror", "swap") if getattr(augment, name)]
    if asked and not layout.pairs:
        raise ConfigError(
            f"augment.{asked[0]} exchanges left and right joints, and the joints of {layout.name} "
            f"name no pairs ({', '.join(layout.joints[:4])}, ...); set augment.{asked[0]}=0, or "
            "name the joints, such as 'left hand' and 'right hand'"
        )


def _with_epochs(config: Config, store: ClipStore, split: Split) -> TrainSettings:
    """Return the settings of the training with the number of epochs that its steps make."""
    settings = config.training
    if settings.steps is None:
        return settings
    train = store.indices(split.train)
    parts = training_and_validation(
        store, train, config.data, settings.validation_share, config.seed
    )
    schedule = TrainingSchedule.plan(
        settings, len(parts[0]), len(parts[1]), LaunchInfo.detect().world_size
    )
    return replace(settings, epochs=schedule.epochs)


def build_experiment(
    config: Config, data: SkeletonData, kept: InitialWeights | None = None
) -> Experiment:
    """Return the objects of a training run.

    Args:
        config: Configuration.
        data: Data set, preprocessed.
        kept: Record of the weights that the run began with, if a checkpoint of it has them: those
            of ``training.init_from`` are then not read again.

    Raises:
        ConfigError: If the configuration does not fit the data or the machine.
        CheckpointError: If the weights to begin with cannot be read, or none fits.
    """
    config = complete_config(config, data)
    name, split = choose_split(data, config.data.split)
    data, poses = _with_all_joints(config, data, split)
    context = init_distributed(pick_device(config.device), config.precision, config.distributed)
    loader = build_loader(config, data, context.device)
    store = loader.store
    train, validation = training_and_validation(
        store,
        store.indices(split.train),
        config.data,
        config.training.validation_share,
        config.seed,
    )
    labels = store.labels[torch.cat([train, validation])].cpu()
    loss = SkeletonAgentLoss.from_settings(config.loss, labels, store.num_classes)
    encoder = CachedEncoder(build_encoder(config.agents.text_encoder), default_cache_folder())
    parts = evaluation_parts(data, name)
    metadata = RecognizerMetadata.of(config, data, encoder.dim, poses)
    torch.manual_seed(config.seed)
    recognizer = new_recognizer(metadata)
    initial = kept or _take_initial_weights(recognizer, loss, metadata)
    taken = None if initial is None else initial.weights
    return Experiment(
        config=config,
        data=data,
        metadata=metadata,
        state=TrainState(recognizer, config.training, context, loss, taken),
        train_data=TrainingData(loader, train, validation),
        test_samples=evaluation_samples(store, parts),
        evaluation_parts=parts,
        agents=build_agents(config.agents, loader, train, encoder),
        encoder=encoder,
        initial_weights=initial,
    )


def _with_all_joints(
    config: Config, data: SkeletonData, split: Split
) -> tuple[SkeletonData, PoseModel | None]:
    """Return the data with absent joints where ``data.imputation`` puts them, and the poses."""
    if config.data.imputation is Imputation.NONE:
        return data, None
    train, _ = training_and_validation(
        data.store,
        data.store.indices(split.train),
        config.data,
        config.training.validation_share,
        config.seed,
    )
    poses = training_poses(data, train)
    if poses is None:
        return data, None
    impute = PoseImputation(poses, Preprocessor.from_settings(config.data))
    return impute.of_data(data), poses.model


def build_loader(config: Config, data: SkeletonData, device: torch.device) -> ClipLoader:
    """Return the loader of a data set's clips."""
    options = DeviceOptions(
        device,
        getattr(torch, config.data.storage_dtype),
        config.data.placement,
        config.data.shard_megabytes,
    )
    return build_clip_loader(data, config.clips, config.augment, options)


def load_recognizer(
    checkpoint: Checkpoint, metadata: RecognizerMetadata | None = None
) -> Recognizer:
    """Return the recognizer of a checkpoint, on the host: the averaged weights, if it kept any.

    Of a base that was exported the class head is zeros.

    Args:
        checkpoint: Weights and metadata.
        metadata: Metadata in place of the checkpoint's own.

    Raises:
        CheckpointError: If the weights do not fit the metadata.
    """
    metadata = metadata or RecognizerMetadata.from_json(checkpoint.metadata)
    recognizer = new_recognizer(metadata)
    tensors = checkpoint.tensors_under("ema") or checkpoint.tensors_under("recognizer")
    if metadata.sources and not any(name.startswith(CLASS_HEAD) for name in tensors):
        tensors |= {
            name: torch.zeros_like(tensor)
            for name, tensor in recognizer.state_dict().items()
            if name.startswith(CLASS_HEAD)
        }
    try:
        recognizer.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"the run's recognizer is another one than asked for (model.*): {error}"
        ) from error
    return recognizer


def _take_initial_weights(
    recognizer: Recognizer, loss: SkeletonAgentLoss, metadata: RecognizerMetadata
) -> InitialWeights | None:
    """Copy the weights of ``training.init_from`` as far as they fit, and return the record."""
    if metadata.config.training.init_from is None:
        return None
    source = read_source(metadata.config.training.init_from)
    trained = load_recognizer(source.checkpoint, source.metadata)
    of_loss = source.checkpoint.tensors_under("loss")
    if of_loss.keys() == loss.state_dict().keys():
        loss.load_state_dict(of_loss)
    return take_from_source(recognizer, metadata, source, trained)


def new_recognizer(metadata: RecognizerMetadata) -> Recognizer:
    """Return a freshly initialised recognizer as metadata describe it.

    Raises:
        ConfigError: If no such recognizer can be built.
    """
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
            inputs=model.inputs,
            readout=model.readout,
            readout_width=model.readout_width,
            person_pooling=model.person_pooling,
            dropout=model.dropout,
        )
    except ValueError as error:
        raise ConfigError(f"model: {error}") from error
