"""The training loop: refresh the guidance, update, validate, save.

The loop meets the agents at two values only: it hands up :class:`Confusions` and is handed down
:class:`Guidance`. It does not know that a language model exists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import Batch
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingError
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.mixing import mixed
from skeletonagent.data.sampling import Sampler
from skeletonagent.evaluation.evaluate import score
from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.learner import Learner, TrainSettings, learning_rate_at
from skeletonagent.training.objective import Losses, Objective, step_losses
from skeletonagent.training.rounds import Rounds

Encode = Callable[[Sequence[str]], Float[Tensor, "y d"]]
"""The text encoder, seen from the loop."""


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
    signals = GuidanceSignals.of(guidance, data.sampler, encode, device)
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
            signals = GuidanceSignals.of(guidance, data.sampler, encode, device)
        confusions.reset()
        samples = _samples_of(epoch, data, settings)
        losses = _update(
            learner, data.sampler, samples, objective, signals, confusions, observer, seed, epoch
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


@dataclass(frozen=True)
class GuidanceSignals:
    """Guidance as tensors on the training device."""

    salient: Float[Tensor, "y v"]
    text_table: Float[Tensor, "y d"]

    @classmethod
    def of(
        cls, guidance: Guidance, sampler: Sampler, encode: Encode, device: torch.device
    ) -> GuidanceSignals:
        """Return the mask of the sampler's stream and the embedded sentences."""
        salient = guidance.salient(sampler.settings.stream).float()
        return cls(salient.to(device), encode(guidance.sentences).to(device))


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


def _update(
    learner: Learner,
    sampler: Sampler,
    samples: Int[Tensor, " n"],
    objective: Objective,
    signals: GuidanceSignals,
    confusions: Confusions,
    observer: Observer,
    seed: int,
    epoch: int,
) -> list[float]:
    """Learn from every sample once; return the mean losses (cls, con, align, total)."""
    device = learner.engine.device
    torch.manual_seed(_derived_seed(seed, epoch))
    generator = torch.Generator(device).manual_seed(_derived_seed(seed, epoch))
    shuffled = samples[torch.randperm(len(samples), generator=generator, device=device)]
    batches = list(_full_batches(shuffled, learner.settings.batch_size))
    sums = torch.zeros(4, device=device)
    totals = torch.zeros(len(batches), device=device)
    learner.module.train()
    for step, chosen in enumerate(batches):
        batch = sampler.train_batch(chosen, generator)
        logits, losses = _judged(learner, sampler, batch, objective, signals, generator)
        learner.step(losses.total, learning_rate_at(epoch + step / len(batches), learner.settings))
        confusions.add(batch.labels, logits.detach().argmax(dim=1))
        sums += step_losses(losses)
        totals[step] = losses.total.detach()
        observer.on_step(epoch, step + 1, len(batches), sums)
    _require_finite(totals, batches, sampler, epoch)
    return [float(value) for value in sums / len(batches)]


def _judged(
    learner: Learner,
    sampler: Sampler,
    batch: Batch,
    objective: Objective,
    signals: GuidanceSignals,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n y"], Losses]:
    """Return a batch's class scores and losses; a mixed copy, if one is learned from, has a share.

    Batch and copy go through the recognizer together, so that they have their statistics in common.
    """
    if not objective.settings.mixed:
        prediction = learner.module(batch.clips, signals.salient)
        return prediction.logits, objective(prediction, batch.labels, signals.text_table)
    store, n = sampler.store, len(batch.labels)
    copy = mixed(batch.clips, batch.labels, store.layout, generator, store.num_classes)
    both = learner.module(torch.cat([batch.clips, copy.clips]), signals.salient)
    clean = Prediction(*(part[:n] for part in both))
    losses = objective(clean, batch.labels, signals.text_table)
    return clean.logits, objective.with_copy(losses, both.logits[n:], copy.targets)


def _full_batches(samples: Int[Tensor, " n"], size: int) -> Iterator[Int[Tensor, " b"]]:
    """Yield batches; a last one of a single clip, which has no statistics, joins its neighbour."""
    chunks = list(samples.split(size))
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    yield from chunks


def _require_finite(
    totals: Float[Tensor, " s"], batches: Sequence[Tensor], sampler: Sampler, epoch: int
) -> None:
    """Raise once an epoch if a loss was not finite, so that no step waits for the device."""
    bad = (~torch.isfinite(totals)).nonzero().flatten().tolist()
    if bad:
        ids = [sampler.store.sample_ids[i] for i in batches[bad[0]].tolist()]
        raise TrainingError(
            f"the loss is not finite since epoch {epoch}, step {bad[0]}; lower "
            f"training.learning_rate or look at the samples of that batch: {', '.join(ids)}"
        )


def _derived_seed(seed: int, epoch: int) -> int:
    """Return a seed of its own for every epoch, so that a resumed run draws the same numbers."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % (2**63)
