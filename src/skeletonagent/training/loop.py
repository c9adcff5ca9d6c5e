"""The training loop: refresh the guidance, update, validate, save.

The loop meets the agents at two values only: it hands up :class:`Confusions` and is handed down
:class:`Guidance`. It does not know that a language model exists.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.sampling import Sampler
from skeletonagent.evaluation.evaluate import score
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.epoch import learn_once
from skeletonagent.training.learner import Learner, TrainSettings, learning_rate_at
from skeletonagent.training.objective import Objective
from skeletonagent.training.rounds import Rounds
from skeletonagent.training.signals import Encode, GuidanceSignals


@dataclass(frozen=True)
class TrainingData:
    """What is learned from.

    Args:
        sampler: Clips of all samples.
        train: Samples learned from.
        validation: Samples kept apart, maybe none.
    """

    sampler: Sampler
    train: Int[Tensor, " n"]
    validation: Int[Tensor, " m"]


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to; a line of ``metrics.jsonl``."""

    epoch: int
    loss: float
    cls: float
    con: float
    align: float
    train_top1: float
    validation_top1: float | None
    learning_rate: float
    round: int
    clips_per_second: float
    seconds: float


@runtime_checkable
class Observer(Protocol):
    """Whoever watches a training run; the loop waits for none of them to look."""

    def on_step(self, epoch: int, step: int, steps: int, losses: Float[Tensor, "4"]) -> None:
        """See the summed losses of the epoch so far; reading them waits for the device."""

    def on_epoch(self, record: EpochRecord) -> None:
        """See a finished epoch."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """See new guidance; ``before`` is None for the first."""

    def on_answers(self, done: int, of: int) -> None:
        """See of how many classes the agents have told before training."""

    def on_problem(self, problem: str) -> None:
        """See why a round of the agents came to nothing."""


def train(
    learner: Learner,
    data: TrainingData,
    objective: Objective,
    guidance: Guidance,
    *,
    rounds: Rounds,
    encode: Encode,
    checkpoints: CheckpointFolder,
    observer: Observer,
    seed: int,
    facts: Mapping[str, Any],
    resume: Checkpoint | None = None,
) -> Guidance:
    """Train a recognizer with guidance that follows its confusions, and return the last guidance.

    Args:
        learner: The recognizer to train.
        data: What it learns from.
        objective: What it is judged by.
        guidance: What the agents say before training; replaced by the checkpoint's on resuming.
        rounds: The agents.
        encode: The text encoder; called once per change of the sentences.
        checkpoints: Where to save after each epoch.
        observer: Who watches.
        seed: Of all randomness, together with the epoch.
        facts: What else a checkpoint says: the configuration and the class names.
        resume: Where to go on.

    Raises:
        TrainingError: If the loss stops being finite, naming the samples of the batch.
        CheckpointError: If a checkpoint cannot be written or is of another recognizer.
    """
    settings, device = learner.settings, learner.engine.device
    stream = data.sampler.settings.stream
    confusions = Confusions.empty(data.sampler.store.num_classes, device)
    first_epoch = 0
    if resume is not None:
        learner.load(resume)
        confusions.counts.copy_(resume.tensors["confusions"])
        guidance = Guidance.from_json(resume.facts["guidance"], guidance.layout)
        first_epoch = resume.epoch
        if "pending" in resume.tensors:
            rounds.begin(Confusions(resume.tensors["pending"]), guidance)
    observer.on_guidance(None, guidance)
    signals = GuidanceSignals.of(guidance, stream, encode, device)
    for epoch in range(first_epoch, settings.epochs):
        started = time.perf_counter()
        if epoch and epoch % settings.period == 0:
            rounds.begin(confusions, guidance)
        before = guidance
        guidance, problem = rounds.collect(guidance)
        if problem:
            observer.on_problem(problem)
        if guidance is not before:
            observer.on_guidance(before, guidance)
        if guidance.classes != before.classes:
            signals = GuidanceSignals.of(guidance, stream, encode, device)
        confusions.reset()
        samples = _samples_of(epoch, data, settings)
        losses = learn_once(
            learner,
            data.sampler,
            samples,
            objective,
            signals,
            confusions,
            seed=seed,
            epoch=epoch,
            on_step=observer.on_step,
        )
        seconds = time.perf_counter() - started
        observer.on_epoch(
            EpochRecord(
                epoch=epoch,
                loss=losses[3],
                cls=losses[0],
                con=losses[1],
                align=losses[2],
                train_top1=confusions.accuracy,
                validation_top1=_validate(learner, data, epoch),
                learning_rate=learning_rate_at(epoch + 1, settings),
                round=guidance.round,
                clips_per_second=len(samples) / seconds,
                seconds=seconds,
            )
        )
        tensors = {**learner.tensors(), "confusions": confusions.counts}
        if rounds.pending is not None:
            tensors["pending"] = rounds.pending.counts
        checkpoints.save(Checkpoint(epoch + 1, tensors, {**facts, "guidance": guidance.to_json()}))
    return guidance


def _samples_of(epoch: int, data: TrainingData, settings: TrainSettings) -> Int[Tensor, " n"]:
    if epoch < settings.hold_out_until * settings.epochs:
        return data.train
    return torch.cat([data.train, data.validation])


def _validate(learner: Learner, data: TrainingData, epoch: int) -> float | None:
    """Return the accuracy on the validation part while it is kept apart, one clip a sample."""
    held_out = epoch < learner.settings.hold_out_until * learner.settings.epochs
    if not len(data.validation) or not held_out:
        return None
    scores = score(
        learner.evaluated,
        data.sampler,
        data.validation,
        batch_size=4 * learner.settings.batch_size,
        clips=1,
        autocast=learner.engine.autocast,
    )
    return scores.top(1)
