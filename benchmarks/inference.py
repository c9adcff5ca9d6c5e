"""Speed of class scores: the recognizer made ready for inference beside the literal model.

On the CPU what counts is processor time on one thread, which depends less than the clock on what
else the machine does; all forms are timed in turn. The literal model computes all heads and runs
absent bodies, as the released does, so that with absent bodies the two give other scores. Of
another backbone than the paper's there is no literal model; its recognizer as it is trained is what
the others are compared with.

Example:
  python -m benchmarks.inference --device cuda --batch 256 --precision bf16 --json inference.json
  python -m benchmarks.inference --batch 4,8 --backbones skeletonagent,stgcn++ --all-forms
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
    Work,
    flops_of,
    forget_peak,
    peak_megabytes,
    print_rows,
    write_facts,
)
from benchmarks.program import batch_of, classifiers_of, experiment_of, paper_config
from skeletonagent.core.clips import Batch
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.export.accuracy import batch_arrays
from skeletonagent.export.graph import export_program, onnx_bytes
from skeletonagent.export.session import OnnxSession
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.distributed import describe_device, pick_device

PAPER = "skeletonagent"
"""Backbone of the paper's recognizer."""


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    batch: Annotated[str, typer.Option(help="Clips at once, several by commas.")] = "256",
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    repeats: Annotated[int, typer.Option(min=1, help="Batches timed.")] = 20,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    small: Annotated[bool, typer.Option(help="A narrow recognizer.")] = False,
    backbones: Annotated[str, typer.Option(help="Backbones by commas.")] = PAPER,
    all_forms: Annotated[
        bool, typer.Option(help="On a CPU also the exported form, and fused in bfloat16.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Of a CPU; of several, wall time.")] = 1,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time class scores of clips of two bodies, and of one or two as in NTU RGB+D."""
    clock = Clock(pick_device(device))
    sizes = list(map(int, batch.split(",")))
    rows: list[dict[str, Any]] = []
    with cpu_threads(clock.device, threads):
        for backbone in backbones.split(","):
            for clips in sizes:
                config = paper_config(
                    device, precision, clips_in_batch=max(clips, 2), frames=frames, small=small
                )
                config = with_overrides(
                    config, [f"model.backbone={backbone}", "training.validation_share=0.0"]
                )
                for persons in Persons:
                    work = Comparison(config, persons, clips, classes, all_forms)
                    rows += work.rows(clock, repeats)
    facts = {
        "device": describe_device(clock.device),
        "torch": torch.__version__,
        "precision": precision,
        "batch": {"clips": sizes if len(sizes) > 1 else sizes[0], "frames": frames},
        "rows": rows,
    }
    print_rows(f"inference, {facts['device']}, {precision}", rows)
    write_facts(facts, json)


@contextmanager
def cpu_threads(device: torch.device, threads: int) -> Iterator[None]:
    """Run the CPU's arithmetic on so many threads, until the end of the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads if device.type == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Comparison:
    """Class scores of the same clips in several ways.

    Args:
        config: Configuration of the recognizer.
        persons: Bodies of the clips.
        clips: Clips at once.
        classes: Y.
        all_forms: Whether the exported form and the one in bfloat16 are among the ways.
    """

    config: Config
    persons: Persons
    clips: int
    classes: int
    all_forms: bool

    @torch.inference_mode()
    def rows(self, clock: Clock, repeats: int) -> list[dict[str, Any]]:
        """Return the time of each way, and how far its scores are from those of the last."""
        data = generated(max(3 * self.classes, 2 * self.clips), self.persons, self.classes)
        experiment = _settled(experiment_of(self.config, data))
        drawn = batch_of(experiment, clips=self.clips)
        ways = self._ways(experiment, drawn)
        expected = list(ways.values())[-1](drawn).float()
        # What all clips have in common says nothing of how scores agree.
        spread = (expected - expected.mean(dim=0)).norm().clamp(min=1e-9)
        works = {name: partial(classify, drawn) for name, classify in ways.items()}
        times = _timed(works, clock, repeats, self.clips)
        last = list(times.values())[-1]["ms_per_clip"]
        return [
            {
                "backbone": self.config.model.backbone,
                "clips": self.clips,
                "bodies": self.persons.value,
                "scores by": name,
                "apart": float((work().float() - expected).norm() / spread),
                "gflops_per_clip": flops_of(work) / self.clips / 1e9,
                **times[name],
                "times_as_fast": last / times[name]["ms_per_clip"],
            }
            for name, work in works.items()
        ]

    def _ways(self, experiment: Experiment, drawn: Batch) -> dict[str, Callable[[Batch], Tensor]]:
        """Return the ways to scores; the last is what the others are compared with."""
        ways = classifiers_of(experiment)
        if self.all_forms:
            ways = {**_further_forms(experiment.state.recognizer, drawn), **ways}
        if self.config.model.backbone != PAPER:
            return ways
        device = experiment.state.context.device
        model = literal_recognizer(experiment.state.recognizer, experiment.data.store)
        model = model.to(device).eval()
        k = dense_k(guidance_of(experiment.data).salient(self.config.clips.stream)).to(device)

        def literal(batch: Batch) -> Tensor:
            with experiment.state.context.autocast():
                scores: Tensor = model(batch.clips, k)[0]
            return scores

        return {**ways, "literal": literal}


def _further_forms(recognizer: Recognizer, drawn: Batch) -> dict[str, Callable[[Batch], Tensor]]:
    """Return the exported recognizer in ONNX Runtime, and a fused one in bfloat16."""
    joints, _ = batch_arrays(drawn)
    with torch.inference_mode(mode=False):
        program = export_program(recognizer, joints.shape[1:], None, True)
        session = OnnxSession.of(onnx_bytes(program), threads=torch.get_num_threads())
    lower = fuse_for_inference(recognizer, torch.bfloat16)
    return {
        "exported": lambda batch: torch.from_numpy(session.run(*batch_arrays(batch))[0]),
        "fused, bf16": lambda batch: lower(batch.clips, batch.bodies),
    }


def _settled(experiment: Experiment) -> Experiment:
    """Return the training with running statistics of a batch and gates that are open."""
    recognizer = experiment.state.recognizer
    move_zeros(recognizer)
    recognizer.train()
    for seed in range(3):
        recognizer.classify(batch_of(experiment, seed).clips)
    recognizer.eval()
    return experiment


def _timed(
    works: Mapping[str, Work], clock: Clock, repeats: int, clips: int
) -> dict[str, dict[str, Any]]:
    """Return the times of a clip: on the CPU the processor's, taken in turn, else the clock's."""
    if clock.device.type != "cuda":
        times = _in_turn(works, repeats)
        return {name: _told(spread, clips, clock) for name, spread in times.items()}
    found = {}
    for name, work in works.items():
        forget_peak(clock.device)
        found[name] = _told(clock.durations(work, repeats), clips, clock)
    return found


def _told(spread: Spread, clips: int, clock: Clock) -> dict[str, Any]:
    return {
        "ms_per_clip": 1e3 * spread.median / clips,
        "lower": 1e3 * spread.lower / clips,
        "upper": 1e3 * spread.upper / clips,
        "clips_per_second": clips / spread.median,
        "peak_megabytes": peak_megabytes(clock.device),
    }


def _in_turn(works: Mapping[str, Work], repeats: int) -> dict[str, Spread]:
    """Return the time of works, each run once in every turn and once before.

    It is the processor's, and on several threads the clock's.
    """
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 + repeats):
        for name, work in works.items():
            began = now()
            work()
            seconds[name].append(now() - began)
    return {name: Spread.of(values[1:]) for name, values in seconds.items()}


def processor_time(work: Work, repeats: int) -> Spread:
    """Return the processor time of some work, warmed up."""
    return _in_turn({"": work}, repeats)[""]


if __name__ == "__main__":
    typer.run(main)
