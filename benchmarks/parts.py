"""The training step taken apart: how long each part takes, and what the whole has to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import Clock, Spread, bytes_of, flops_of
from benchmarks.program import backward, batch_of, drawn, losses_of, predict, sampler_of, signals_of
from skeletonagent.core.confusion import Confusions
from skeletonagent.data.augmentation import augment_clips
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.experiments.build import Experiment
from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.losses import GuidanceTensors


@dataclass(frozen=True)
class Parts:
    """A training step taken apart; each part can be run by itself.

    Args:
        job: The training.
        signals: The guidance.
    """

    job: Experiment
    signals: GuidanceTensors

    def augmented(self, clips: Tensor) -> object:
        """Return clips augmented."""
        store, augment = sampler_of(self.job).store, self.job.config.augment
        generator = torch.Generator(store.device).manual_seed(0)
        return augment_clips(clips, store.layout, augment, generator, store.coordinates)

    def times(self, clock: Clock, repeats: int) -> dict[str, Spread]:
        """Return how long each part takes."""
        job, batch = self.job, batch_of(self.job)
        prediction = predict(job, batch, self.signals)
        apart = Prediction(*(part.detach().requires_grad_() for part in prediction))
        losses: list[Tensor] = []
        still = replace(sampler_of(job), augment=AugmentSettings(rotation=0.0))
        samples = job.train_data.train[: job.config.training.batch_size]
        known = samples.cpu()
        counts = Confusions.empty(job.data.store.num_classes, clock.device)

        def forward_and_losses() -> None:
            job.state.optimizer.zero_grad(set_to_none=True)
            found = predict(job, batch, self.signals)
            losses[:] = [losses_of(job, found, batch, self.signals).total]

        parts: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "sampling": (lambda: drawn(still, samples, known), _nothing),
            "augmenting": (lambda: self.augmented(batch.clips), _nothing),
            "forward": (lambda: predict(job, batch, self.signals), _nothing),
            "losses": (lambda: losses_of(job, apart, batch, self.signals), _nothing),
            "backward": (lambda: backward(losses[0]), forward_and_losses),
            "optimizer": (job.state.optimizer.step, _nothing),
            "counting": (lambda: counts.add(batch.labels, apart[0].argmax(1)), _nothing),
        }
        return {
            name: clock.durations(work, repeats, prepare) for name, (work, prepare) in parts.items()
        }


def _nothing() -> None:
    """Prepare nothing."""


def times_of_parts(job: Experiment, clock: Clock, repeats: int) -> dict[str, Any]:
    """Return how long each part of a training's step takes by itself, in milliseconds."""
    times = Parts(job, signals_of(job)).times(clock, repeats)
    return {name: spread.milliseconds() for name, spread in times.items()}


def work_of(job: Experiment) -> dict[str, Any]:
    """Return the operations and the memory traffic of one eager step, sampling included."""
    signals = signals_of(job)

    def step() -> None:
        batch = batch_of(job)
        found = predict(job, batch, signals)
        backward(losses_of(job, found, batch, signals).total)
        job.state.optimizer.step()

    step()
    batch = batch_of(job)
    with torch.no_grad():
        forward = flops_of(lambda: predict(job, batch, signals))
    return {
        "flops": flops_of(step),
        "forward_flops_per_clip": forward / len(batch.labels),
        "bytes": bytes_of(step),
    }
