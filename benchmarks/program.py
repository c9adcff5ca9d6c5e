"""What the benchmarks call of the program, in one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.generated import LookupEncoder, guidance_of
from benchmarks.stand_in import StandIn
from skeletonagent.core.clips import Batch, SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.experiments import build, build_agents
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Prediction
from skeletonagent.text.encoder import TEXT_ENCODERS
from skeletonagent.training import train_epoch
from skeletonagent.training.distributed import pick_device
from skeletonagent.training.losses import GuidanceTensors, Losses
from skeletonagent.training.schedule import TrainingSchedule

SMALL_WIDTH = 16
LANGUAGE_MODEL = "openai:stand-in"
"""Names whom the agents ask; nobody is, unless a benchmark puts a chat in the place."""

GRAPHS = "training.cuda_graphs=true"
SWITCHES: Mapping[str, Sequence[str]] = {
    "default": (),
    "eager": ("training.compile=false", "training.cuda_graphs=false"),
    "compiled": ("training.compile=true", "training.cuda_graphs=false"),
    "graphs": ("training.compile=false", GRAPHS),
    "both": ("training.compile=true", GRAPHS),
    "kernels": ("training.compile=false", GRAPHS, "training.kernels=triton"),
}
"""Ways to run a step, by name: what of the configuration they set."""


def paper_config(
    device: str, precision: str, *, clips_in_batch: int, frames: int, small: bool = False
) -> Config:
    """Return the paper's recipe; a small one has a narrow recognizer."""
    changes = [
        f"device={device}",
        f"precision='{precision}'",
        f"training.batch_size={clips_in_batch}",
        f"clips.frames={frames}",
        f"agents.chat={LANGUAGE_MODEL}",
        f"agents.text_encoder={LookupEncoder.name}",
        *([f"model.width={SMALL_WIDTH}"] if small else []),
    ]
    return with_overrides(Config(), changes)


def variant(config: Config, name: str) -> Config:
    """Return the configuration that runs a step in one of the :data:`SWITCHES`.

    What the program has no switch for is off.

    Raises:
        ConfigError: If the program does not offer it.
    """
    if name not in SWITCHES:
        raise ConfigError(f"no variant {name!r}; there are {', '.join(SWITCHES)}")
    if GRAPHS in SWITCHES[name] and pick_device(config.device).type != "cuda":
        raise ConfigError(f"{name}: kernels are recorded on a GPU alone")
    for change in SWITCHES[name]:
        try:
            config = with_overrides(config, [change])
        except ConfigError:
            if change.endswith("=true"):
                raise
    return config


@contextmanager
def lookup_text() -> Iterator[None]:
    """Make the lookup encoder known to the program, until the end of the block."""
    with patch.dict(TEXT_ENCODERS, {LookupEncoder.name: LookupEncoder}):
        yield


def run_answered(
    config: Config, data: SkeletonData, run: Path, answer: StandIn, watch: CallbackFactory
) -> None:
    """Run an experiment whose agents ask a stand-in, and remember no answer of another one."""
    chat = ScriptedChat(answer, name="stand-in")
    with (
        patch.dict(os.environ, {"XDG_CACHE_HOME": str(run.parent / "cache")}),
        patch.object(build_agents, "build_chat", lambda *_, **__: chat),
        lookup_text(),
    ):
        run_experiment(config, data, run, resume=False, watch=watch)


def experiment_of(config: Config, data: SkeletonData) -> Experiment:
    """Return the objects of a training; of the clips no evidence is taken, which needs minutes."""
    make = build_agents.build_agents

    def silent(settings: Any, *others: Any) -> Any:
        return make(replace(settings, chat="none"), *others)

    with lookup_text(), patch.object(build, "build_agents", silent):
        return build.build_experiment(config, data)


def guidance_tensors_of(experiment: Experiment) -> GuidanceTensors:
    """Return generated guidance as tensors."""
    stream, device = experiment.config.clips.stream, experiment.state.context.device
    return GuidanceTensors.from_guidance(
        guidance_of(experiment.data), stream, LookupEncoder().encode, device
    )


def learn(
    experiment: Experiment, guidance: GuidanceTensors, steps: int, on_step: Callable[[], None]
) -> Tensor:
    """Take some steps of an epoch, by the program's own loop; return the losses of each, (s, 4).

    Args:
        experiment: What learns.
        guidance: The guidance.
        steps: How many, at most as many as there are batches in the training part.
        on_step: Called after each step, before the device has done it.
    """
    size = experiment.config.training.batch_size
    store, seed = sampler_of(experiment).store, experiment.config.seed
    samples = experiment.train_data.train[: steps * size]
    plan = train_epoch.BatchPlan.draw(samples, store.persons, size, seed=seed, epoch=0)
    schedule = TrainingSchedule.plan(experiment.config.training, len(samples))
    progress = train_epoch.EpochState.start(len(plan.batches), store.num_classes, store.device)
    train_epoch.train_one_epoch(
        experiment.state,
        experiment.train_data.loader,
        plan,
        progress,
        guidance,
        schedule,
        on_step=lambda _: on_step(),
        stop=lambda: None,
    )
    return progress.losses


def sampler_of(experiment: Experiment) -> ClipSampler:
    """Return where a training's clips come from; generated ones are all on the device."""
    assert isinstance(experiment.train_data.loader, ClipSampler)
    return experiment.train_data.loader


def batch_of(experiment: Experiment, seed: int = 0, clips: int | None = None) -> Batch:
    """Return a batch as the training step draws it, of as many clips if not of any number."""
    samples = experiment.train_data.train[: clips or experiment.config.training.batch_size]
    return drawn(sampler_of(experiment), samples, samples.cpu(), seed)


def drawn(sampler: ClipSampler, samples: Tensor, known: Tensor, seed: int = 0) -> Batch:
    """Return a random clip of each sample; ``known`` are the samples on the host."""
    generator = torch.Generator(sampler.store.device).manual_seed(seed)
    return sampler.train_batch(samples, generator, sampler.count_bodies(known))


def predict(experiment: Experiment, batch: Batch, guidance: GuidanceTensors) -> Prediction:
    """Return what the recognizer in training makes of a batch, at the run's precision."""
    experiment.state.recognizer.train()
    with experiment.state.context.autocast():
        prediction: Prediction = experiment.state.recognizer(
            batch.clips, guidance.salient, batch.bodies
        )
    return prediction


def losses_of(
    experiment: Experiment, prediction: Prediction, batch: Batch, guidance: GuidanceTensors
) -> Losses:
    """Return the losses of a prediction."""
    with experiment.state.context.autocast():
        losses: Losses = experiment.state.loss(prediction, batch.labels, guidance)
    return losses


def backward(loss: Tensor) -> None:
    """Add a loss's gradients to the parameters'."""
    torch.autograd.backward(loss)


def classifiers_of(experiment: Experiment) -> dict[str, Callable[[Batch], Tensor]]:
    """Return the ways to class scores at the run's precision, by name, the fastest first."""
    recognizer, autocast = experiment.state.recognizer.eval(), experiment.state.context.autocast
    lower = experiment.config.precision == "bf16"
    ready = fuse_for_inference(recognizer, torch.bfloat16 if lower else torch.float32)

    def plain(batch: Batch) -> Tensor:
        with autocast():
            return recognizer.classify(batch.clips, batch.bodies)

    return {
        "fused": lambda batch: ready(batch.clips, batch.bodies),
        "recognizer": plain,
    }
