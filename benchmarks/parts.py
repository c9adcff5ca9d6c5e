"""The training step taken apart: how long each part takes, and what the whole has to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import Clock, Spread, bytes_of, flops_of
from benchmarks.program import (
    backward,
    batch_of,
    drawn,
    guidance_tensors_of,
    losses_of,
    predict,
    sampler_of,
)
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
        experiment: The training.
        guidance: The guidance.
    """

    experiment: Experiment
    guidance: GuidanceTensors

    def augmented(self, clips: Tensor) -> object:
        """Return clips augmented."""
        store, augment = sampler_of(self.experiment).store, self.experiment.config.augment
        generator = torch.Generator(store.device).manual_seed(0)
        return augment_clips(clips, store.layout, augment, generator, store.coordinates)

    def times(self, clock: Clock, repeats: int) -> dict[str, Spread]:
        """Return how long each part takes."""
        experiment, batch = self.experiment, batch_of(self.experiment)
        prediction = predict(experiment, batch, self.guidance)
        apart = Prediction(*(part.detach().requires_grad_() for part in prediction))
        losses: list[Tensor] = []
        still = replace(sampler_of(experiment), augment=AugmentSettings(rotation=0.0))
        samples = experiment.train_data.train[: experiment.config.training.batch_size]
        known = samples.cpu()
        counts = Confusions.empty(experiment.data.store.num_classes, clock.device)

        def forward_and_losses() -> None:
            experiment.state.optimizer.zero_grad(set_to_none=True)
            found = predict(experiment, batch, self.guidance)
            losses[:] = [losses_of(experiment, found, batch, self.guidance).total]

        parts: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "sampling": (lambda: drawn(still, samples, known), _nothing),
            "augmenting": (lambda: self.augmented(batch.clips), _nothing),
            "forward": (lambda: predict(experiment, batch, self.guidance), _nothing),
            "losses": (lambda: losses_of(experiment, apart, batch, self.guidance), _nothing),
            "backward": (lambda: backward(losses[0]), forward_and_losses),
            "optimizer": (experiment.state.optimizer.step, _nothing),
            "counting": (lambda: counts.add(batch.labels, apart[0].argmax(1)), _nothing),
        }
        return {
            name: clock.durations(work, repeats, prepare) for name, (work, prepare) in parts.items()
        }


def _nothing() -> None:
    """Prepare nothing."""


def times_of_parts(experiment: Experiment, clock: Clock, repeats: int) -> dict[str, Any]:
    """Return how long each part of a training's step takes by itself, in milliseconds."""
    times = Parts(experiment, guidance_tensors_of(experiment)).times(clock, repeats)
    return {name: spread.milliseconds() for name, spread in times.items()}


def work_of(experiment: Experiment) -> dict[str, Any]:
    """Return the operations and the memory traffic of one eager step, sampling included."""
    guidance = guidance_tensors_of(experiment)

    def step() -> None:
        batch = batch_of(experiment)
        found = predict(experiment, batch, guidance)
        backward(losses_of(experiment, found, batch, guidance).total)
        experiment.state.optimizer.step()

    step()
    batch = batch_of(experiment)
    with torch.no_grad():
        forward = flops_of(lambda: predict(experiment, batch, guidance))
    return {
        "flops": flops_of(step),
        "forward_flops_per_clip": forward / len(batch.labels),
        "bytes": bytes_of(step),
    }
