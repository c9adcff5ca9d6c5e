"""The training loop: refresh the guidance, update, validate, save.

The loop meets the agents at two values only: it hands up :class:`Confusions` and is handed down
:class:`Guidance`. It does not know that a language model exists.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from signal import Signals
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import Stopped
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.prefetch import ClipSource
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.epoch import Plan, Progress, learn
from skeletonagent.training.learner import Learner
from skeletonagent.training.pace import learning_rate_at
from skeletonagent.training.rounds import Rounds
from skeletonagent.training.scoring import score_shared
from skeletonagent.training.signals import Encode, GuidanceSignals
from skeletonagent.training.stopping import Stop


@dataclass(frozen=True)
class TrainingData:
    """What is learned from.

    Args:
        source: Where the clips of all samples come from.
        train: Samples learned from.
        validation: Samples kept apart, maybe none.
    """

    source: ClipSource
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

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """See the losses of the epoch's first ``step`` steps; reading them waits for the device."""

    def on_epoch(self, record: EpochRecord) -> None:
        """See a finished epoch."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """See new guidance; ``before`` is None for the first."""

    def on_answers(self, done: int, of: int) -> None:
        """See of how many classes the agents have told before training."""

    def on_problem(self, problem: str) -> None:
        """See why a round of the agents came to nothing."""


@dataclass
class Training:
    """A recognizer's training with guidance that follows its confusions.

    All processes of a run train; the first one writes the checkpoints.

    Args:
        learner: The recognizer to train.
        data: What it learns from.
        guidance: What the agents say before training; replaced by the checkpoint's on resuming.
        rounds: The agents.
        encode: The text encoder; called once per change of the sentences.
        checkpoints: Where to save after each epoch.
        observer: Who watches.
        seed: Of all randomness, together with epoch, step and process.
        facts: What else a checkpoint says: the configuration and the class names.
        stop: Whether a signal has asked this process to end.
    """

    learner: Learner
    data: TrainingData
    guidance: Guidance
    rounds: Rounds
    encode: Encode
    checkpoints: CheckpointFolder
    observer: Observer
    seed: int
    facts: Mapping[str, Any]
    stop: Stop = field(default_factory=Stop)
    confusions: Confusions = field(init=False)
    """Of the latest epoch that came to its end."""

    def __post_init__(self) -> None:
        """Begin without confusions."""
        store = self.data.source.store
        self.confusions = Confusions.empty(store.num_classes, self.learner.engine.device)

    def run(self, resume: Checkpoint | None = None) -> Guidance:
        """Train to the end, or from a checkpoint on, and return the last guidance.

        Raises:
            TrainingError: If the loss stops being finite, naming the samples of the batch.
            CheckpointError: If a checkpoint cannot be written or is of another recognizer.
            Stopped: If a process was asked to end; how far all came is saved.
        """
        if resume is not None:
            self._go_back(resume)
        self.observer.on_guidance(None, self.guidance)
        signals = self._signals()
        first = resume.epoch if resume else 0
        for epoch in range(first, self.learner.settings.epochs):
            begun = resume if resume and resume.step and epoch == first else None
            started = time.perf_counter()
            if begun is None and self._refresh(epoch):
                signals = self._signals()
            progress = self._learn(epoch, signals, begun)
            seconds = time.perf_counter() - started
            self.confusions = progress.confusions
            self._tell(epoch, progress, seconds)
            self._save(epoch + 1)
            if signal := self._stopped_by():
                raise Stopped(signal)
        return self.guidance

    def _go_back(self, checkpoint: Checkpoint) -> None:
        self.learner.load(checkpoint)
        self.confusions.counts.copy_(checkpoint.tensors["confusions"])
        self.guidance = Guidance.from_json(checkpoint.facts["guidance"], self.guidance.layout)
        if "pending" in checkpoint.tensors:
            self.rounds.begin(Confusions(checkpoint.tensors["pending"]), self.guidance)

    def _signals(self) -> GuidanceSignals:
        return GuidanceSignals.of(
            self.guidance,
            self.data.source.settings.stream,
            self.encode,
            self.learner.engine.device,
            self.learner.judged.objective.settings,
        )

    def _refresh(self, epoch: int) -> bool:
        """Begin a round of the agents where one is due, and return whether one changed a class."""
        period = self.learner.settings.period
        if epoch and period and epoch % period == 0:
            self.rounds.begin(self.confusions, self.guidance)
        before = self.guidance
        self.guidance, problem = self.rounds.collect(before)
        if problem:
            self.observer.on_problem(problem)
        if self.guidance is not before:
            self.observer.on_guidance(before, self.guidance)
        return self.guidance.classes != before.classes

    def _learn(self, epoch: int, signals: GuidanceSignals, begun: Checkpoint | None) -> Progress:
        """Return what an epoch came to, begun anew or in the middle."""
        learner, source, engine = self.learner, self.data.source, self.learner.engine
        schedule = learner.judged.objective.settings.schedule
        plan = Plan.draw(
            self._samples_of(epoch),
            source.store.persons,
            learner.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            processes=engine.processes,
        )
        progress = Progress.start(len(plan.batches), source.store.num_classes, engine.device)
        if begun:
            progress.load(begun.step, begun.part("progress"), engine)
        signal = learn(
            learner,
            source,
            plan,
            progress,
            signals.at(epoch / learner.settings.epochs, schedule),
            on_step=lambda p: self.observer.on_step(epoch, p.step, p.losses),
            stop=self._stopped_by,
        )
        learner.agree()
        if signal:
            self._save(epoch, progress)
            raise Stopped(signal)
        return progress

    def _tell(self, epoch: int, progress: Progress, seconds: float) -> None:
        cls, con, align, total = progress.losses.mean(dim=0).tolist()
        self.observer.on_epoch(
            EpochRecord(
                epoch=epoch,
                loss=total,
                cls=cls,
                con=con,
                align=align,
                train_top1=progress.confusions.accuracy,
                validation_top1=self._validate(epoch),
                learning_rate=learning_rate_at(epoch + 1, self.learner.settings),
                round=self.guidance.round,
                clips_per_second=len(self._samples_of(epoch)) / seconds,
                seconds=seconds,
            )
        )

    def _save(self, epoch: int, progress: Progress | None = None) -> None:
        """Save between two epochs, or in the middle of one."""
        tensors = {**self.learner.tensors(), "confusions": self.confusions.counts}
        if progress:
            tensors |= {f"progress.{name}": t for name, t in progress.tensors().items()}
        if self.rounds.pending is not None:
            tensors["pending"] = self.rounds.pending.counts
        facts = {**self.facts, "guidance": self.guidance.to_json()}
        checkpoint = Checkpoint(epoch, tensors, facts, step=progress.step if progress else 0)
        self.learner.engine.on_first(lambda: self.checkpoints.save(checkpoint))

    def _stopped_by(self) -> Signals | None:
        """Return a signal that any of the processes got, the same in all of them."""
        number = self.learner.engine.largest(self.stop.by or 0)
        return Signals(number) if number else None

    def _samples_of(self, epoch: int) -> Int[Tensor, " n"]:
        data = self.data
        held_out = self._holds_out(epoch)
        return data.train if held_out else torch.cat([data.train, data.validation])

    def _holds_out(self, epoch: int) -> bool:
        settings = self.learner.settings
        return epoch < settings.hold_out_until * settings.epochs

    def _validate(self, epoch: int) -> float | None:
        """Return the accuracy on the validation part while it is kept apart, a clip a sample."""
        if not len(self.data.validation) or not self._holds_out(epoch):
            return None
        size = 4 * self.learner.settings.batch_size
        scores = score_shared(
            self.learner, self.data.source, self.data.validation, batch_size=size, clips=1
        )
        return scores.top(1)
