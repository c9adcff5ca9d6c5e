"""From a configuration to objects: the only module that knows every family."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.build_agents import NOBODY, Agents, build_agents
from skeletonagent.config import Config, DataSettings, to_dict
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.data.archive import read_archive
from skeletonagent.data.prefetch import ClipSource, Place, clip_source
from skeletonagent.data.residence import Preparation, open_stored, stays_on_disk
from skeletonagent.data.sampling import Sampler
from skeletonagent.data.splits import choose_split, hold_out, test_parts, test_samples
from skeletonagent.data.synthetic import synthetic
from skeletonagent.data.transforms import Augment
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.text.encoder import (
    CachedEncoder,
    TextEncoder,
    build_encoder,
    default_cache_folder,
)
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.devices import pick_device
from skeletonagent.training.engine import Engine, start_engine
from skeletonagent.training.learner import Learner
from skeletonagent.training.loop import TrainingData
from skeletonagent.training.objective import Objective

SYNTHETIC = "synthetic"
"""Names the generated data where an archive is named."""


@dataclass(frozen=True)
class Job:
    """All that a training run is made of.

    Args:
        config: The configuration, its split filled in.
        data: The data set.
        learner: The recognizer and its optimizer.
        training: Clips to learn from and to validate on.
        test: Samples of the test part.
        tested: Split names the test part is reported for, with their sample ids.
                agents: Who give guidance.
        encoder: The text encoder.
    """

    config: Config
    data: SkeletonData
    learner: Learner
    training: TrainingData
    test: Int[Tensor, " n"]
    tested: Mapping[str, Set[str]]
    agents: Agents
    encoder: TextEncoder


def open_data(settings: DataSettings) -> SkeletonData:
    """Return a data set ready for use: finite, scaled and centred once and for all.

    One that stays on disk is made so whenever a part of it is read.

    Raises:
        DataError: If it cannot be used.
    """
    prepare = Preparation(settings.scale, settings.origin)
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.residence):
        return open_stored(path, settings.score, prepare)
    data = read_data(settings.archive, settings.score)
    return replace(data, store=prepare(data.store))


def read_data(archive: str, score: bool = False) -> SkeletonData:
    """Return a data set as it is stored, for inspection.

    Args:
        archive: Path of a skeleton archive, or ``synthetic``.
        score: Whether the detector's confidence is a channel.

    Raises:
        DataError: If its structure is damaged.
    """
    return synthetic() if archive == SYNTHETIC else read_archive(Path(archive), score)


def assemble(config: Config, data: SkeletonData) -> Job:
    """Return the objects of a training run.

    Raises:
        ConfigError: If the configuration does not fit the data or the machine.
    """
    name, split = choose_split(data, config.data.split)
    config = replace(config, data=replace(config.data, split=name))
    engine = start_engine(pick_device(config.device), config.precision, config.processes)
    source = source_of(config, data, engine.device)
    store = source.store
    train, validation = hold_out(
        store, store.indices(split.train), config.training.hold_out, config.seed
    )
    encoder = CachedEncoder(build_encoder(config.agents.text_encoder), default_cache_folder())
    guided = config.agents.chat != NOBODY
    settings = config.objective if guided else replace(config.objective, alpha=0.0, beta=0.0)
    tested = test_parts(data, name)
    return Job(
        config=config,
        data=data,
        learner=_learner(config, store, encoder.dim, engine, Objective(settings)),
        training=TrainingData(source, train, validation),
        test=test_samples(store, tested),
        tested=tested,
        agents=build_agents(config.agents, source, train, encoder),
        encoder=encoder,
    )


def source_of(config: Config, data: SkeletonData, device: torch.device) -> ClipSource:
    """Return where clips come from, wherever the data are kept."""
    place = Place(
        device,
        getattr(torch, config.data.storage),
        config.data.residence,
        config.data.shard_megabytes,
    )
    return clip_source(data, config.clips, config.augment, place)


def facts_of(job: Job) -> dict[str, object]:
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


def recognizer_of(checkpoint: Checkpoint, config: Config, data: SkeletonData) -> Recognizer:
    """Return the recognizer a run ended with, on the host: the averaged weights, if it kept any.

    Raises:
        CheckpointError: If it does not fit the data.
    """
    facts, store = checkpoint.facts, data.store
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
        recognizer.load_state_dict(checkpoint.part("averaged") or checkpoint.part("recognizer"))
    except RuntimeError as error:
        raise CheckpointError(
            f"the run's recognizer is another one than asked for (model.*, --data): {error}"
        ) from error
    return recognizer


def evaluation_sampler(config: Config, store: ClipStore) -> Sampler:
    """Return a sampler for test clips of as many bodies as the store has room for."""
    return Sampler(store, config.clips, Augment(rotation=0.0))


def _learner(
    config: Config, store: ClipStore, text_dim: int, engine: Engine, objective: Objective
) -> Learner:
    torch.manual_seed(config.seed)
    recognizer = _recognizer(config, store, text_dim, persons=store.max_persons)
    return Learner(recognizer, config.training, engine, objective)


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
            person_rule=config.model.person_rule,
            dropout=config.model.dropout,
        )
    except ValueError as error:
        raise ConfigError(f"model: {error}") from error
