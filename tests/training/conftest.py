"""A small world to train in: few joints, random clips, agents and encoders that take notes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.clips import Batch, ClipStore, SkeletonSequence
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.settings import AugmentSettings, ClipSettings
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training import trainer
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.distributed import init_distributed
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.losses import Losses, SkeletonAgentLoss
from skeletonagent.training.settings import LossSettings, TrainSettings
from skeletonagent.training.train_step import TrainState
from skeletonagent.training.trainer import TrainingData

ARM = SkeletonLayout("arm", ("chest", "shoulder", "elbow", "hand"), ((1, 0), (2, 1), (3, 2)))
CLASSES = ("lift", "swing", "rest")
TEXT_DIM = 5


def samples(count: int, seed: int = 0) -> ClipStore:
    """Return random clips of varied length, classes in turn."""
    rng = np.random.default_rng(seed)
    sequences = [
        SkeletonSequence(rng.normal(0, 1, (1, 6 + n % 5, 4, 3)), n % len(CLASSES), f"clip{n}")
        for n in range(count)
    ]
    return ClipStore.from_sequences(sequences, ARM, CLASSES)


def told(round_: int) -> Guidance:
    """Return guidance that differs in joints and sentences from that of any other round."""
    classes = tuple(
        ClassGuidance(name, ((label + round_) % 4,), f"{name} as of round {round_}")
        for label, name in enumerate(CLASSES)
    )
    return Guidance(ARM, classes, round_)


def embedded(sentences: Sequence[str]) -> Tensor:
    """Return a unit vector per sentence, drawn by its digest."""
    seeds = [int.from_bytes(sha256(s.encode()).digest()[:4]) for s in sentences]
    rows = [np.random.default_rng(seed).normal(0, 1, TEXT_DIM) for seed in seeds]
    return torch.nn.functional.normalize(torch.tensor(np.stack(rows), dtype=torch.float32), dim=1)


@dataclass(frozen=True)
class NotedSampler(ClipSampler):
    """A sampler that remembers what it was asked for and gave."""

    asked: list[list[int]] = field(default_factory=list)
    given: list[Batch] = field(default_factory=list)

    def train_batch(
        self, samples: Tensor, generator: torch.Generator, bodies: int | None = None
    ) -> Batch:
        """Return the batch, and note it."""
        batch = super().train_batch(samples, generator, bodies)
        self.asked.append(samples.tolist())
        self.given.append(batch)
        return batch


@dataclass(frozen=True)
class NotedObjective(SkeletonAgentLoss):
    """An objective that remembers the sentences it judged by."""

    tables: list[Tensor] = field(default_factory=list)

    def __call__(self, prediction: Any, labels: Tensor, text_table: Tensor, *others: Any) -> Losses:
        """Return the losses, and note the table."""
        self.tables.append(text_table)
        return super().__call__(prediction, labels, text_table, *others)


@dataclass
class Notes:
    """Everything a training showed to whoever was around."""

    steps: list[tuple[int, int, int]] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)
    guidance: list[tuple[Guidance | None, Guidance]] = field(default_factory=list)
    encoded: list[tuple[str, ...]] = field(default_factory=list)
    refreshed: list[tuple[Tensor, Guidance]] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)

    def on_step(self, epoch: int, step: int, losses: Tensor) -> None:
        """Note it."""
        self.steps.append((epoch, step, len(losses)))

    def on_epoch(self, record: EpochRecord) -> None:
        """Note it."""
        self.epochs.append(record)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Note it."""
        self.guidance.append((before, after))

    def on_answers(self, done: int, of: int) -> None:
        """Note it."""
        self.answers.append((done, of))

    def on_problem(self, problem: str) -> None:
        """Note it."""
        self.problems.append(problem)

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Return the sentences' vectors, and note the sentences."""
        self.encoded.append(tuple(sentences))
        return embedded(sentences)

    def refresh(self, confusions: Any, guidance: Guidance) -> Guidance:
        """Return the next round, and note what it was asked for."""
        self.refreshed.append((confusions.counts.clone(), guidance))
        return told(guidance.round + 1)


@dataclass
class Training:
    """One training of a small recognizer, ready to run and to be looked into."""

    folder: Path
    settings: TrainSettings
    data: TrainingData
    learner: TrainState
    notes: Notes

    def run(self, **changes: Any) -> Guidance:
        """Train; arguments of the training and of its rounds may be replaced."""
        refresh = changes.pop("refresh", self.notes.refresh)
        resume = changes.pop("resume", None)
        arguments: dict[str, Any] = {
            "learner": self.learner,
            "data": self.data,
            "guidance": told(0),
            "rounds": GuidanceUpdater(refresh, wait=changes.pop("wait", True)),
            "encode": self.notes.encode,
            "checkpoints": CheckpointFolder(self.folder, keep=99),
            "observer": self.notes,
            "seed": 7,
            "metadata": {"class_names": list(CLASSES)},
        }
        return trainer.Trainer(**(arguments | changes)).fit(resume)

    @property
    def objective(self) -> SkeletonAgentLoss:
        """What the recognizer is judged by."""
        return self.learner.model_with_loss.objective

    @property
    def weights(self) -> dict[str, Tensor]:
        """All that learning changes, as it is now."""
        return {name: tensor.clone() for name, tensor in self.learner.tensors().items()}


def training(
    folder: Path, *, train_count: int = 9, validation: int = 0, **settings: Any
) -> Training:
    """Return a training of ``train_count`` clips; further ones are for validation."""
    defaults = TrainSettings(epochs=3, batch_size=4, learning_rate=0.05, validation_share=0.0)
    chosen = replace(defaults, **settings)
    engine = init_distributed(torch.device("cpu"), "32")
    torch.manual_seed(0)
    recognizer = build_recognizer(
        "stgcn++", ARM, channels=3, persons=1, num_classes=3, text_dim=TEXT_DIM, width=8
    )
    notes = Notes()
    objective = NotedObjective(LossSettings(alpha=0.3, beta=0.6))
    recognizer.register_forward_pre_hook(lambda _, inputs: notes.masks.append(inputs[1]))
    sampler = NotedSampler(
        samples(train_count + validation),
        ClipSettings(frames=5, test_clips=2),
        AugmentSettings(rotation=0.3, mirror=0.5, crop=0.8),
    )
    numbers = torch.arange(train_count + validation)
    return Training(
        folder=folder,
        settings=chosen,
        data=TrainingData(sampler, numbers[:train_count], numbers[train_count:]),
        learner=TrainState(recognizer, chosen, engine, objective),
        notes=notes,
    )


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """What this file makes, for tests cannot import from each other."""
    return sys.modules[__name__]
