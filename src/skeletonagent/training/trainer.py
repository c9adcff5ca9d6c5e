"""The training loop: refresh the guidance, update, validate, save.

The loop meets the agents at two values only: it hands up :class:`Confusions` and is handed down
:class:`Guidance`. It does not know that a language model exists.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from signal import Signals
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.loader import ClipLoader
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.guidance_tensors import Encode, GuidanceTensors
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.interrupts import InterruptFlag
from skeletonagent.training.schedule import learning_rate_at
from skeletonagent.training.train_epoch import BatchPlan, EpochState, train_one_epoch
from skeletonagent.training.train_step import TrainState, predict_distributed


@dataclass(frozen=True)
class TrainingData:
    """What is learned from.

    Args:
        loader: Where the clips of all samples come from.
        train: Samples learned from.
        validation: Samples kept apart, maybe none.
    """

    loader: ClipLoader
    train: Int[Tensor, " n"]
    validation: Int[Tensor, " m"]


@dataclass
class Trainer:
    """A recognizer's training with guidance that follows its confusions.

    All processes of a run train; the first one writes the checkpoints.

    Args:
        state: The recognizer to train.
        data: What it learns from.
        guidance: What the agents say before training; replaced by the checkpoint's on resuming.
        updater: The agents.
        encode: The text encoder; called once per change of the sentences.
        checkpoints: Where to save after each epoch.
        callback: Who watches.
        seed: Of all randomness, together with epoch, step and process.
        metadata: What else a checkpoint says: the configuration and the class names.
        interrupt: Whether a signal has asked this process to end.
    """

    state: TrainState
    data: TrainingData
    guidance: Guidance
    updater: GuidanceUpdater
    encode: Encode
    checkpoints: CheckpointFolder
    callback: Callback
    seed: int
    metadata: Mapping[str, Any]
    interrupt: InterruptFlag = field(default_factory=InterruptFlag)
    confusions: Confusions = field(init=False)
    """Of the latest epoch that came to its end."""

    def __post_init__(self) -> None:
        """Begin without confusions."""
        store = self.data.loader.store
        self.confusions = Confusions.empty(store.num_classes, self.state.context.device)

    def fit(self, resume: Checkpoint | None = None) -> Guidance:
        """Train to the end, or from a checkpoint on, and return the last guidance.

        Raises:
            TrainingError: If the loss stops being finite, naming the samples of the batch.
            CheckpointError: If a checkpoint cannot be written or is of another recognizer.
            Stopped: If a process was asked to end; how far all came is saved.
        """
        if resume is not None:
            self._restore(resume)
        self.callback.on_guidance(None, self.guidance)
        signals = self._guidance_tensors()
        first = resume.epoch if resume else 0
        for epoch in range(first, self.state.settings.epochs):
            begun = resume if resume and resume.step and epoch == first else None
            started = time.perf_counter()
            if begun is None and self._refresh(epoch):
                signals = self._guidance_tensors()
            progress = self._run_epoch(epoch, signals, begun)
            seconds = time.perf_counter() - started
            self.confusions = progress.confusions
            self._log_epoch(epoch, progress, seconds)
            self._save(epoch + 1)
            if signal := self._interrupted_by():
                raise TrainingInterrupted(signal)
        return self.guidance

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.state.load(checkpoint)
        self.confusions.counts.copy_(checkpoint.tensors["confusions"])
        self.guidance = Guidance.from_json(checkpoint.metadata["guidance"], self.guidance.layout)
        if "pending" in checkpoint.tensors:
            self.updater.start(Confusions(checkpoint.tensors["pending"]), self.guidance)

    def _guidance_tensors(self) -> GuidanceTensors:
        return GuidanceTensors.of(
            self.guidance,
            self.data.loader.settings.stream,
            self.encode,
            self.state.context.device,
            self.state.model_with_loss.objective.settings,
        )

    def _refresh(self, epoch: int) -> bool:
        """Begin a round of the agents where one is due, and return whether one changed a class."""
        period = self.state.settings.guidance_period
        if epoch and period and epoch % period == 0:
            self.updater.start(self.confusions, self.guidance)
        before = self.guidance
        self.guidance, problem = self.updater.collect(before)
        if problem:
            self.callback.on_problem(problem)
        if self.guidance is not before:
            self.callback.on_guidance(before, self.guidance)
        return self.guidance.classes != before.classes

    def _run_epoch(
        self, epoch: int, signals: GuidanceTensors, begun: Checkpoint | None
    ) -> EpochState:
        """Return what an epoch came to, begun anew or in the middle."""
        learner, source, engine = self.state, self.data.loader, self.state.context
        schedule = learner.model_with_loss.objective.settings.schedule
        plan = BatchPlan.draw(
            self._samples_of(epoch),
            source.store.persons,
            learner.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            processes=engine.world_size,
        )
        progress = EpochState.start(len(plan.batches), source.store.num_classes, engine.device)
        if begun:
            progress.load(begun.step, begun.tensors_under("progress"), engine)
        signal = train_one_epoch(
            learner,
            source,
            plan,
            progress,
            signals.at(epoch / learner.settings.epochs, schedule),
            on_step=lambda p: self.callback.on_step(epoch, p.step, p.losses),
            stop=self._interrupted_by,
        )
        learner.broadcast_buffers()
        if signal:
            self._save(epoch, progress)
            raise TrainingInterrupted(signal)
        return progress

    def _log_epoch(self, epoch: int, progress: EpochState, seconds: float) -> None:
        cls, con, align, total = progress.losses.mean(dim=0).tolist()
        self.callback.on_epoch(
            EpochRecord(
                epoch=epoch,
                loss=total,
                cls=cls,
                con=con,
                align=align,
                train_top1=progress.confusions.accuracy,
                validation_top1=self._validate(epoch),
                learning_rate=learning_rate_at(epoch + 1, self.state.settings),
                round=self.guidance.round,
                clips_per_second=len(self._samples_of(epoch)) / seconds,
                seconds=seconds,
            )
        )

    def _save(self, epoch: int, progress: EpochState | None = None) -> None:
        """Save between two epochs, or in the middle of one."""
        tensors = {**self.state.tensors(), "confusions": self.confusions.counts}
        if progress:
            tensors |= {f"progress.{name}": t for name, t in progress.tensors().items()}
        if self.updater.pending is not None:
            tensors["pending"] = self.updater.pending.counts
        facts = {**self.metadata, "guidance": self.guidance.to_json()}
        checkpoint = Checkpoint(epoch, tensors, facts, step=progress.step if progress else 0)
        self.state.context.run_on_main(lambda: self.checkpoints.save(checkpoint))

    def _interrupted_by(self) -> Signals | None:
        """Return a signal that any of the processes got, the same in all of them."""
        number = self.state.context.all_reduce_max(self.interrupt.signal or 0)
        return Signals(number) if number else None

    def _samples_of(self, epoch: int) -> Int[Tensor, " n"]:
        data = self.data
        held_out = self._holds_out(epoch)
        return data.train if held_out else torch.cat([data.train, data.validation])

    def _holds_out(self, epoch: int) -> bool:
        settings = self.state.settings
        return epoch < settings.validation_until * settings.epochs

    def _validate(self, epoch: int) -> float | None:
        """Return the accuracy on the validation part while it is kept apart, a clip a sample."""
        if not len(self.data.validation) or not self._holds_out(epoch):
            return None
        size = 4 * self.state.settings.batch_size
        scores = predict_distributed(
            self.state, self.data.loader, self.data.validation, batch_size=size, clips=1
        )
        return scores.topk_accuracy(1)
