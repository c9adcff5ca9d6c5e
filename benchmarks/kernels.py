"""Kernels of the paper's training step, by the time they take together.

Example:
  python -m benchmarks.kernels --device cuda --precision bf16 --variants eager,both
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch.profiler import ProfilerActivity, profile

from benchmarks.generated import Persons, generated
from benchmarks.measuring import print_rows, write_facts
from benchmarks.program import experiment_of, guidance_tensors_of, learn, paper_config, variant
from skeletonagent.cli.console import console
from skeletonagent.core.errors import ConfigError
from skeletonagent.training.distributed import describe_device, pick_device

WARM_UP = 6
"""Steps before the profile: kernels are chosen and graphs recorded in them."""


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    clips_in_batch: Annotated[int, typer.Option(min=2)] = 64,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    persons: Annotated[Persons, typer.Option(help="Bodies of a clip.")] = Persons.FULL,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    variants: Annotated[str, typer.Option(help="Of eager, compiled, graphs, both.")] = "eager",
    steps: Annotated[int, typer.Option(min=1, help="Steps profiled.")] = 3,
    rows: Annotated[int, typer.Option(min=1, help="Kernels of the table.")] = 25,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    small: Annotated[bool, typer.Option(help="A narrow recognizer.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Profile a few steps of each variant, and list the kernels that take longest."""
    config = paper_config(
        device, precision, clips_in_batch=clips_in_batch, frames=frames, small=small
    )
    config = replace(config, training=replace(config.training, validation_share=0.0))
    data = generated(max(3 * classes, 2 * (steps + WARM_UP) * clips_in_batch), persons, classes)
    place = pick_device(device)
    facts: dict[str, Any] = {"device": describe_device(place), "torch": torch.__version__}
    for name in variants.split(","):
        try:
            experiment = experiment_of(variant(config, name), data)
        except ConfigError as error:
            console.print(f"{name}: left out; {error}", markup=False)
            continue
        guidance = guidance_tensors_of(experiment)
        learn(experiment, guidance, WARM_UP, lambda: None)
        on_gpu = place.type == "cuda"
        activities = [ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]
        with profile(activities=activities) as profiled:
            learn(experiment, guidance, steps, lambda: None)
        facts[name] = _slowest(profiled, steps, on_gpu)[:rows]
        print_rows(f"kernels of a step, {name}, {describe_device(place)}", facts[name])
    write_facts(facts, json)


def _slowest(profiled: profile, steps: int, on_gpu: bool) -> list[dict[str, Any]]:
    """Return the kernels of a step, those that take longest first."""
    events = [
        (
            event.key,
            (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / steps / 1e3,
            event.count / steps,
        )
        for event in profiled.key_averages()
    ]
    whole = sum(ms for _, ms, _ in events) or 1.0
    return [
        {"kernel": key[:90], "ms": ms, "share": ms / whole, "calls": calls}
        for key, ms, calls in sorted(events, key=lambda event: -event[1])
        if ms > 0
    ]


if __name__ == "__main__":
    typer.run(main)
