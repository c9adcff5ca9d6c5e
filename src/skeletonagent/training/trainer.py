"""The training loop: refresh the guidance, train an epoch, validate, save.

The loop exchanges two values with the agents: it passes :class:`Confusions` up and gets
:class:`Guidance` back. It does not depend on the agents or on a language model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from signal import Signals
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import CheckpointError, ConfigError, TrainingInterrupted
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.splits import describe_validation
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder, unwritable
from skeletonagent.training.dialogue_log import DIALOGUE_LOG, DialogueLog
from skeletonagent.training.early_stopping import BestEpoch
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.interrupts import InterruptFlag
from skeletonagent.training.losses import Encode, GuidanceTensors
from skeletonagent.training.schedule import TrainingSchedule
from skeletonagent.training.train_epoch import BatchPlan, EpochState, train_one_epoch
from skeletonagent.training.train_step import TrainState

FITTED = 0.9
"""Accuracy on the training clips below which a recognizer has not learned them."""


@dataclass(frozen=True)
class TrainingData:
    """Clips to train and to validate on.

    Args:
        loader: Loader of the clips of all samples.
        train: Training samples.
        validation: Validation samples, perhaps none.
    """

    loader: ClipLoader
    train: Int[Tensor, " n"]
    validation: Int[Tensor, " m"]


@dataclass
class Trainer:
    """Training of a recognizer with guidance that follows its confusions.

    All ranks of a run train; the first one writes the checkpoints.

    Args:
        state: Recognizer and optimizer.
        data: Training and validation samples.
        guidance: Guidance before training; replaced by the checkpoint's on resuming.
        updater: Rounds of the agents.
        encode: Text encoder; called once per change of the sentences.
        checkpoints: Folder to save to after each epoch.
        callback: Callback.
        seed: Seed of all randomness, together with epoch, step and rank.
        metadata: Further content of a checkpoint: the configuration and the class names.
        alter: Change of the guidance's tensors before they are trained with, as a control.
        interrupt: Flag that a signal sets to end this process.
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
    alter: Callable[[GuidanceTensors], GuidanceTensors] = lambda tensors: tensors
    interrupt: InterruptFlag = field(default_factory=InterruptFlag)
    confusions: Confusions = field(init=False)
    """Confusions of the latest complete epoch."""
    schedule: TrainingSchedule = field(init=False)
    """Epochs, and hyperparameters of each step."""
    best: BestEpoch = field(init=False)
    """Best epoch so far, if training may end early."""
    fit_accuracy: float | None = field(init=False, default=None)
    """Accuracy on the training clips in the latest epoch of a considerable length."""

    def __post_init__(self) -> None:
        """Plan the epochs, and start without confusions.

        Raises:
            ConfigError: If training may end early, but there is no validation set.
        """
        patience = self.state.settings.patience
        if patience and not len(self.data.validation):
            raise ConfigError(
                f"training.patience {patience} needs a validation set, and it is empty; set "
                "training.validation_share, or training.patience=0"
            )
        self.best = BestEpoch(patience)
        self._log = DialogueLog(self.checkpoints.path / DIALOGUE_LOG)
        store = self.data.loader.store
        sizes = len(self.data.train), len(self.data.validation)
        world_size = self.state.context.world_size
        self.schedule = TrainingSchedule.plan(self.state.settings, *sizes, world_size)
        self.confusions = Confusions.empty(store.num_classes, self.state.context.device)

    def fit(self, resume: Checkpoint | None = None) -> Guidance:
        """Train to the end, or from a checkpoint on, and return the last guidance.

        Raises:
            TrainingError: If the loss stops being finite, naming the samples of the batch.
            CheckpointError: If a checkpoint cannot be written or is of another recognizer.
            TrainingInterrupted: If a rank got a signal to end; everything is saved.
        """
        if resume is not None:
            self._restore(resume)
        elif self.state.taken.anything:
            self._save(0)  # so that what the weights were taken from is not needed again
        self.callback.on_guidance(None, self.guidance)
        self._describe_validation()
        tensors = self._guidance_tensors()
        done = first = resume.epoch if resume else 0
        for epoch in range(first, self.schedule.epochs):
            if self.best.is_over(epoch):
                break
            begun = resume if resume and resume.step and epoch == first else None
            start = time.perf_counter()
            if begun is None and self._refresh(epoch):
                tensors = self._guidance_tensors()
            epoch_state = self._run_epoch(epoch, tensors, begun)
            seconds = time.perf_counter() - start
            self.confusions = epoch_state.confusions
            self._log_epoch(epoch, epoch_state, seconds)
            done = epoch + 1
            self._save(done)
            if signal := self._interrupted_by():
                raise TrainingInterrupted(signal)
        self._finish(done)
        return self.guidance

    def _finish(self, epochs: int) -> None:
        """Take over the weights of the best epoch, if one is kept, and say how the fit is."""
        if self.best.patience:
            self.best.restore(self.state.eval_model)
            self._save(epochs)
            self.callback.on_remark(
                f"kept are the weights of epoch {self.best.epochs} of {epochs}, the best on the "
                f"validation set ({self.best.accuracy:.1%})"
            )
        accuracy = self.fit_accuracy
        if accuracy is not None and accuracy < FITTED and self.confusions.counts.shape[0] > 1:
            self.callback.on_remark(
                f"the recognizer has not learned its own training clips ({accuracy:.0%} of them "
                "as they are augmented): more steps (training.steps or training.epochs) or weaker "
                "augmentation (augment.*) may help"
            )

    def _describe_validation(self) -> None:
        data, settings = self.data, self.state.settings
        if remark := describe_validation(
            data.loader.store, data.train, data.validation, settings.validation_share,
            settings.validation_until,
        ):  # fmt: skip
            self.callback.on_remark(remark)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.state.load(checkpoint)
        self.confusions.counts.copy_(self._counts_in(checkpoint, "confusions"))
        self.best.load(checkpoint.tensors_under("best"), self.state.context.device)
        self.guidance = checkpoint.guidance(self.guidance.layout)
        if checkpoint.dialogues is not None:
            self._log.resume(checkpoint.dialogues, [one.dialogue for one in self.guidance.classes])
        elif "dialogues" in checkpoint.metadata:
            raise CheckpointError(
                f"{self._log.path} is missing, in which the dialogues of {checkpoint.name} are; "
                "put it back from a copy, then --resume, or begin anew with another --out"
            )
        if "pending" in checkpoint.tensors:
            pending = Confusions(self._counts_in(checkpoint, "pending"))
            self.updater.start(pending, self.guidance)

    def _counts_in(self, checkpoint: Checkpoint, name: str) -> Tensor:
        """Return confusion counts of a checkpoint.

        Raises:
            CheckpointError: If there are none, or they are of another number of classes.
        """
        counts, wanted = checkpoint.tensors.get(name), self.confusions.counts
        if counts is None or counts.shape != wanted.shape or counts.dtype != wanted.dtype:
            raise CheckpointError(
                f"the checkpoint {checkpoint.name} has no {name} of these classes"
            )
        return counts

    def _guidance_tensors(self) -> GuidanceTensors:
        tensors = GuidanceTensors.from_guidance(
            self.guidance, self.data.loader.settings.stream, self.encode
        )
        device = self.state.context.device
        return GuidanceTensors(*(tensor.to(device) for tensor in self.alter(tensors)))

    def _refresh(self, epoch: int) -> bool:
        """Start a round of the agents where one is due, and return whether one changed a class."""
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
        self, epoch: int, guidance: GuidanceTensors, begun: Checkpoint | None
    ) -> EpochState:
        """Train an epoch, from its beginning or from a checkpoint within it."""
        state, loader, context = self.state, self.data.loader, self.state.context
        plan = BatchPlan.draw(
            self._samples_of(epoch),
            loader.store.persons,
            state.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            world_size=context.world_size,
            steps=self.schedule.epoch_steps[epoch],
            first_pass=self.schedule.passes_before[epoch],
        )
        epoch_state = EpochState.start(len(plan.batches), loader.store.num_classes, context.device)
        if begun:
            epoch_state.load(begun.step, begun.tensors_under("epoch_state"), context)
        signal = train_one_epoch(
            state,
            loader,
            plan,
            epoch_state,
            guidance,
            self.schedule,
            on_step=lambda p: self.callback.on_step(epoch, p.step, p.losses),
            stop=self._interrupted_by,
        )
        state.broadcast_buffers()
        if signal:
            self._save(epoch, epoch_state)
            raise TrainingInterrupted(signal)
        return epoch_state

    def _log_epoch(self, epoch: int, epoch_state: EpochState, seconds: float) -> None:
        cls, con, align, total = epoch_state.losses.mean(dim=0).tolist()
        if 2 * len(epoch_state.losses) >= self.schedule.pass_steps or epoch == 0:
            self.fit_accuracy = epoch_state.confusions.accuracy
        self.callback.on_epoch(
            EpochRecord(
                epoch=epoch,
                loss=total,
                cls=cls,
                con=con,
                align=align,
                train_top1=epoch_state.confusions.accuracy,
                validation_top1=self._validate(epoch),
                learning_rate=self.schedule.learning_rate(epoch + 1),
                round=self.guidance.round,
                clips_per_second=int(epoch_state.confusions.counts.sum()) / seconds,
                seconds=seconds,
            )
        )

    def _save(self, epoch: int, epoch_state: EpochState | None = None) -> None:
        """Save a checkpoint between two epochs, or within one."""
        tensors = {
            **self.state.tensors(),
            **self.best.tensors(),
            "confusions": self.confusions.counts,
        }
        if epoch_state:
            tensors |= {f"epoch_state.{name}": t for name, t in epoch_state.tensors().items()}
        if self.updater.pending is not None:
            tensors["pending"] = self.updater.pending.counts
        step = epoch_state.step if epoch_state else 0

        def save() -> None:
            size = self._log.size
            guidance = self.guidance.to_json_without_dialogues()
            metadata = {
                **self.metadata, "guidance": guidance, "dialogues": self._log_dialogues(),
            }  # fmt: skip
            try:
                self.checkpoints.save(Checkpoint(epoch, tensors, metadata, step=step))
            except CheckpointError:
                self._log.withdraw(size)
                raise

        self.state.context.run_on_main(save)

    def _log_dialogues(self) -> dict[str, Any]:
        """Write new exchanges beside the checkpoints, and return the position for a checkpoint."""
        try:
            return self._log.append([one.dialogue for one in self.guidance.classes]).to_json()
        except OSError as error:
            raise unwritable(self._log.path, error) from error

    def _interrupted_by(self) -> Signals | None:
        """Return a signal that any of the ranks got, the same in all of them."""
        number = self.state.context.all_reduce_max(self.interrupt.signal or 0)
        return Signals(number) if number else None

    def _samples_of(self, epoch: int) -> Int[Tensor, " n"]:
        data = self.data
        return data.train if self._validates(epoch) else torch.cat([data.train, data.validation])

    def _validates(self, epoch: int) -> bool:
        """Return whether the validation samples are not trained on yet."""
        return epoch < self.schedule.validated_epochs

    def _validate(self, epoch: int) -> float | None:
        """Return the accuracy on the validation samples, a clip each, until they are trained on."""
        if not len(self.data.validation) or not self._validates(epoch):
            return None
        batch_size = 4 * self.state.settings.batch_size
        predictions = self.state.predict(
            self.data.loader, self.data.validation, batch_size=batch_size, num_clips=1
        )
        self.best.update(epoch + 1, predictions, self.state.eval_model)
        return predictions.topk_accuracy(1)
