"""Speed of everything before the recognizer: reading an archive, sampling and augmenting clips.

Example:
  python -m benchmarks.pipeline --device cuda --json pipeline.json
  python -m benchmarks.pipeline --device cpu --small --clips-in-batch 8 --frames 32
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from benchmarks.generated import SEQUENCES, Persons, generated
from benchmarks.measuring import Clock, Spread, print_rows, write_facts
from benchmarks.program import drawn, experiment_of, paper_config, sampler_of
from benchmarks.throughput import WARM_UP, measured
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import write_archive
from skeletonagent.data.augmentation import augment_clips
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.settings import AugmentSettings, DataSettings
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.training.distributed import describe_device, pick_device

STILL = AugmentSettings(rotation=0.0)
CHANGES = {
    "rotation (the paper's)": AugmentSettings(rotation=0.2),
    "rotation and swap": AugmentSettings(rotation=0.2, swap=0.5),
    "rotation and part drop": AugmentSettings(rotation=0.2, part_drop=0.2),
    "everything": AugmentSettings(
        rotation=0.2, scale=0.1, mirror=0.5, crop=0.8, swap=0.5, part_drop=0.2
    ),
}
"""Augmentations that are timed, by name."""


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    clips_in_batch: Annotated[int, typer.Option(min=2)] = 64,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    persons: Annotated[Persons, typer.Option(help="Bodies of a clip.")] = Persons.NTU,
    precision: Annotated[str, typer.Option(help="Of the step: bf16 or 32.")] = "32",
    repeats: Annotated[int, typer.Option(min=1, help="Batches timed of each kind.")] = 30,
    steps: Annotated[int, typer.Option(min=2, help="Training steps timed.")] = 20,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    sequences: Annotated[int | None, typer.Option(help="In the store; as in NTU-60.")] = None,
    small: Annotated[bool, typer.Option(help="Few sequences and a narrow recognizer.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time loading, sampling and augmenting, each as a share of the training step."""
    config = paper_config(
        device, precision, clips_in_batch=clips_in_batch, frames=frames, small=small
    )
    config = replace(config, training=replace(config.training, validation_share=0.0))
    clock = Clock(pick_device(device))
    needed = max(3 * classes, 8 * (steps + WARM_UP) * clips_in_batch // 5)
    number = sequences or (needed if small else max(needed, SEQUENCES))
    data, loading = _loaded(generated(number, persons, classes), clock)
    experiment = experiment_of(config, data)
    step = measured(experiment, clock, steps)["step_ms"]["median"]
    rows = [*_sampled(experiment, clock, repeats), *_augmented(experiment, clock, repeats)]
    for row in rows:
        row["share_of_step"] = row["ms"] / step
    facts = {
        "device": describe_device(clock.device),
        "sequences": number,
        "batch": {"clips": clips_in_batch, "frames": frames, "persons": persons.value},
        "loading": loading,
        "step_ms": step,
        "batches": rows,
    }
    print_rows("loading", [{"what": n.replace("_", " "), "value": v} for n, v in loading.items()])
    print_rows(f"batches of {clips_in_batch}; the training step takes {step:.4g} ms", rows)
    write_facts(facts, json)


def _loaded(data: SkeletonData, clock: Clock) -> tuple[SkeletonData, dict[str, float]]:
    """Return a data set read from its archive, and how long that took."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_archive(data, Path(folder))
        size = path.stat().st_size
        began = time.perf_counter()
        opened = prepare_dataset(DataSettings(archive=str(path)))
        read = time.perf_counter() - began
        began = time.perf_counter()
        moved = opened.store.to(clock.device, torch.float32)
        clock.wait()
        carried = time.perf_counter() - began
    store = moved.frames
    return opened, {
        "archive_megabytes": size / 1e6,
        "store_megabytes": store.numel() * store.element_size() / 1e6,
        "read_seconds": read,
        "to_device_seconds": carried,
        "sequences_per_second": len(opened.store) / (read + carried),
    }


def _sampled(experiment: Experiment, clock: Clock, repeats: int) -> list[dict[str, Any]]:
    """Return how long it takes to sample a batch of each stream, not augmented."""
    sampler, rows = sampler_of(experiment), []
    for stream in Stream:
        seen = ClipSampler(sampler.store, replace(sampler.settings, stream=stream), STILL)
        rows.append(
            _row(f"sampling, {stream}", _drawn(experiment, seen, clock, repeats), experiment)
        )
    return rows


def _augmented(experiment: Experiment, clock: Clock, repeats: int) -> list[dict[str, Any]]:
    """Return how long augmenting takes by itself, and what the whole batch takes with it."""
    sampler, rows = sampler_of(experiment), []
    store, samples = sampler.store, _samples(experiment)
    still = replace(sampler, augment=STILL)
    clips = drawn(still, samples, samples.cpu()).clips
    for name, augment in CHANGES.items():
        spread = clock.durations(partial(_changed, clips, store, augment, clock), repeats)
        rows.append(_row(f"augmenting, {name}", spread, experiment))
        both = replace(sampler, augment=augment)
        rows.append(_row(f"both, {name}", _drawn(experiment, both, clock, repeats), experiment))
    return rows


def _changed(clips: Tensor, store: ClipStore, augment: AugmentSettings, clock: Clock) -> object:
    generator = torch.Generator(clock.device).manual_seed(0)
    return augment_clips(clips, store.layout, augment, generator, store.coordinates)


def _drawn(experiment: Experiment, sampler: ClipSampler, clock: Clock, repeats: int) -> Spread:
    samples = _samples(experiment)
    return clock.durations(partial(drawn, sampler, samples, samples.cpu()), repeats)


def _samples(experiment: Experiment) -> Tensor:
    return experiment.train_data.train[: experiment.config.training.batch_size]


def _row(name: str, spread: Spread, experiment: Experiment) -> dict[str, Any]:
    return {
        "batch": name,
        "ms": 1e3 * spread.median,
        "clips_per_second": experiment.config.training.batch_size / max(spread.median, 1e-9),
    }


if __name__ == "__main__":
    typer.run(main)
