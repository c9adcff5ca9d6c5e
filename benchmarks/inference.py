"""Speed of class scores: the recognizer made ready for inference beside the literal model.

On the CPU what counts is processor time on one thread, which does not depend on what else the
machine does. The literal model computes all heads and runs absent bodies, as the released does,
so that with absent bodies the two give other scores.

Example:
  python -m benchmarks.inference --device cuda --batch 256 --precision bf16 --json inference.json
  python -m benchmarks.inference --device cpu --batch 4 --repeats 3
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tests.reference.agreement import move_zeros
from tests.reference.recognizer import dense_k, literal_recognizer
from torch import Tensor

from benchmarks.generated import Persons, generated, guidance_of
from benchmarks.measuring import (
    Clock,
    Spread,
    flops_of,
    forget_peak,
    peak_megabytes,
    print_rows,
    write_facts,
)
from benchmarks.program import batch_of, classifiers_of, experiment_of, paper_config
from skeletonagent.core.clips import Batch
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.config import Config
from skeletonagent.training.distributed import describe_device, pick_device


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    batch: Annotated[int, typer.Option(min=1, help="Clips at once.")] = 256,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    repeats: Annotated[int, typer.Option(min=1, help="Batches timed.")] = 20,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    small: Annotated[bool, typer.Option(help="A narrow recognizer.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time class scores of clips of two bodies, and of one or two as in NTU RGB+D."""
    clock = Clock(pick_device(device))
    config = paper_config(
        device, precision, clips_in_batch=max(batch, 2), frames=frames, small=small
    )
    config = replace(config, training=replace(config.training, validation_share=0.0))
    with single_thread(clock.device):
        rows = [
            row
            for persons in Persons
            for row in _compared(config, persons, clock, batch, repeats, classes)
        ]
    facts = {
        "device": describe_device(clock.device),
        "torch": torch.__version__,
        "precision": precision,
        "batch": {"clips": batch, "frames": frames},
        "rows": rows,
    }
    print_rows(f"inference, {facts['device']}, {precision}, {batch} clips at once", rows)
    write_facts(facts, json)


@contextmanager
def single_thread(device: torch.device) -> Iterator[None]:
    """Run the CPU's arithmetic on one thread, until the end of the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if device.type == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def _compared(
    config: Config, persons: Persons, clock: Clock, clips: int, repeats: int, classes: int
) -> list[dict[str, Any]]:
    """Return what the program and the literal model take for the same clips, with a ratio."""
    experiment = _settled(
        experiment_of(config, generated(max(3 * classes, 2 * clips), persons, classes))
    )
    drawn = batch_of(experiment, clips=clips)
    model = (
        literal_recognizer(experiment.state.recognizer, experiment.data.store)
        .to(clock.device)
        .eval()
    )
    k = dense_k(guidance_of(experiment.data).salient(experiment.config.clips.stream)).to(
        clock.device
    )

    def literal(batch: Batch) -> Tensor:
        with experiment.state.context.autocast():
            scores: Tensor = model(batch.clips, k)[0]
        return scores

    ways = {**classifiers_of(experiment), "literal": literal}
    expected = literal(drawn).float()
    # What all clips have in common says nothing of how scores agree.
    spread = (expected - expected.mean(dim=0)).norm().clamp(min=1e-9)
    rows = [
        {
            "bodies": persons.value,
            "scores by": name,
            "apart": float((classify(drawn).float() - expected).norm() / spread),
            "gflops_per_clip": flops_of(partial(classify, drawn)) / clips / 1e9,
            **_timed(partial(classify, drawn), clock, repeats, clips),
        }
        for name, classify in ways.items()
    ]
    for row in rows:
        row["times_as_fast"] = rows[-1]["ms_per_clip"] / row["ms_per_clip"]
    return rows


def _settled(experiment: Experiment) -> Experiment:
    """Return the training with running statistics of a batch and gates that are open."""
    recognizer = experiment.state.recognizer
    move_zeros(recognizer)
    recognizer.train()
    for seed in range(3):
        recognizer.classify(batch_of(experiment, seed).clips)
    recognizer.eval()
    return experiment


def _timed(work: Callable[[], object], clock: Clock, repeats: int, clips: int) -> dict[str, Any]:
    """Return the time a clip takes: on the CPU the processor's, on a GPU the clock's."""
    forget_peak(clock.device)
    if clock.device.type == "cuda":
        spread = clock.durations(work, repeats)
    else:
        spread = processor_time(work, repeats)
    return {
        "ms_per_clip": 1e3 * spread.median / clips,
        "lower": 1e3 * spread.lower / clips,
        "upper": 1e3 * spread.upper / clips,
        "clips_per_second": clips / spread.median,
        "peak_megabytes": peak_megabytes(clock.device),
    }


def processor_time(work: Callable[[], object], repeats: int) -> Spread:
    """Return the processor time of some work, warmed up."""
    seconds = []
    for _ in range(1 + repeats):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return Spread.of(seconds[1:])


if __name__ == "__main__":
    typer.run(main)
