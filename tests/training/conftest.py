"""Small trainings: few joints, random clips, callbacks and encoders that record their calls."""

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
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.distributed import init_distributed
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.losses import GuidanceTensors, Losses, SkeletonAgentLoss
from skeletonagent.training.settings import TrainSettings
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


def make_guidance(round_: int) -> Guidance:
    """Return guidance that differs in joints and sentences from that of any other round."""
    classes = tuple(
        ClassGuidance(name, ((label + round_) % 4,), f"{name} as of round {round_}")
        for label, name in enumerate(CLASSES)
    )
    return Guidance(ARM, classes, round_)


def encode_sentences(sentences: Sequence[str]) -> Tensor:
    """Return a unit vector per sentence, drawn by its digest."""
    seeds = [int.from_bytes(sha256(s.encode()).digest()[:4]) for s in sentences]
    rows = [np.random.default_rng(seed).normal(0, 1, TEXT_DIM) for seed in seeds]
    return torch.nn.functional.normalize(torch.tensor(np.stack(rows), dtype=torch.float32), dim=1)


@dataclass(frozen=True)
class RecordingSampler(ClipSampler):
    """Sampler that records the samples and batches of its calls."""

    sampled: list[list[int]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def train_batch(
        self, samples: Tensor, generator: torch.Generator, bodies: int | None = None
    ) -> Batch:
        """Return the batch, and record it."""
        batch = super().train_batch(samples, generator, bodies)
        self.sampled.append(samples.tolist())
        self.batches.append(batch)
        return batch


class RecordingLoss(SkeletonAgentLoss):
    """Loss that records the text tables of its calls."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.arguments = arguments
        self.tables: list[Tensor] = []

    def forward(self, prediction: Any, labels: Tensor, guidance: GuidanceTensors) -> Losses:
        """Return the losses, and record the table."""
        self.tables.append(guidance.text_table)
        return super().forward(prediction, labels, guidance)


@dataclass
class Recorder(Callback):
    """Callback, text encoder and agents that record all their calls."""

    steps: list[tuple[int, int, int]] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)
    guidance: list[tuple[Guidance | None, Guidance]] = field(default_factory=list)
    encoded: list[tuple[str, ...]] = field(default_factory=list)
    refreshed: list[tuple[Tensor, Guidance]] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)

    def on_step(self, epoch: int, step: int, losses: Tensor) -> None:
        """Record it."""
        self.steps.append((epoch, step, len(losses)))

    def on_epoch(self, record: EpochRecord) -> None:
        """Record it."""
        self.epochs.append(record)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Record it."""
        self.guidance.append((before, after))

    def on_answers(self, done: int, total: int) -> None:
        """Record it."""
        self.answers.append((done, total))

    def on_problem(self, problem: str) -> None:
        """Record it."""
        self.problems.append(problem)

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Return the sentences' vectors, and record the sentences."""
        self.encoded.append(tuple(sentences))
        return encode_sentences(sentences)

    def refresh(self, confusions: Any, guidance: Guidance) -> Guidance:
        """Return the next round, and record the arguments."""
        self.refreshed.append((confusions.counts.clone(), guidance))
        return make_guidance(guidance.round + 1)


@dataclass
class Training:
    """One training of a small recognizer, ready to run and to be looked into."""

    folder: Path
    settings: TrainSettings
    data: TrainingData
    state: TrainState
    recorder: Recorder

    def run(self, **changes: Any) -> Guidance:
        """Train; arguments of the trainer and of its updater may be replaced."""
        refresh = changes.pop("refresh", self.recorder.refresh)
        resume = changes.pop("resume", None)
        arguments: dict[str, Any] = {
            "state": self.state,
            "data": self.data,
            "guidance": make_guidance(0),
            "updater": GuidanceUpdater(refresh, wait=changes.pop("wait", True)),
            "encode": self.recorder.encode,
            "checkpoints": CheckpointFolder(self.folder, keep=99),
            "callback": self.recorder,
            "seed": 7,
            "metadata": {"class_names": list(CLASSES)},
        }
        return trainer.Trainer(**(arguments | changes)).fit(resume)

    @property
    def loss(self) -> RecordingLoss:
        """The loss."""
        assert isinstance(self.state.loss, RecordingLoss)
        return self.state.loss

    def with_loss(self, **arguments: Any) -> Training:
        """Return the training, with a new loss."""
        state = self.state
        loss = RecordingLoss(**arguments)
        self.state = TrainState(state.recognizer, self.settings, state.context, loss)
        return self

    @property
    def weights(self) -> dict[str, Tensor]:
        """All that learning changes, as it is now."""
        return {name: tensor.clone() for name, tensor in self.state.tensors().items()}


def training(
    folder: Path, *, train_count: int = 9, validation: int = 0, **settings: Any
) -> Training:
    """Return a training of ``train_count`` clips; further ones are for validation."""
    defaults = TrainSettings(
        epochs=3,
        batch_size=4,
        learning_rate=0.05,
        validation_share=0.0,
        ema_reach=100.0,  # averages of a few steps reach back over all of them
    )
    chosen = replace(defaults, **settings)
    context = init_distributed(torch.device("cpu"), "32")
    torch.manual_seed(0)
    recognizer = build_recognizer(
        "stgcn++", ARM, channels=3, persons=1, num_classes=3, text_dim=TEXT_DIM, width=8
    )
    recorder = Recorder()
    recognizer.register_forward_pre_hook(lambda _, inputs: recorder.masks.append(inputs[1]))
    sampler = RecordingSampler(
        samples(train_count + validation),
        ClipSettings(frames=5, test_clips=2),
        AugmentSettings(rotation=0.3, mirror=0.5, crop=0.8),
    )
    numbers = torch.arange(train_count + validation)
    return Training(
        folder=folder,
        settings=chosen,
        data=TrainingData(sampler, numbers[:train_count], numbers[train_count:]),
        state=TrainState(recognizer, chosen, context, RecordingLoss(alpha=0.3, beta=0.6)),
        recorder=recorder,
    )


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """What this file makes, for tests cannot import from each other."""
    return sys.modules[__name__]
