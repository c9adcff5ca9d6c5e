"""Speed of the paper's training step, whole and in parts, beside the literal step.

The step is the program's own: sampling and augmenting from a store on the device, the three
losses, the optimizer, counting of confusions. The literal one gets clips that are sampled already,
and neither a CLIP tower nor a mixed copy to learn from, so the ratio is against the program.

Example:
  python -m benchmarks.throughput --device cuda --variants eager,compiled,graphs --json step.json
  python -m benchmarks.throughput --device cpu --small --clips-in-batch 8 --frames 32
"""

from __future__ import annotations

import gc
import platform
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tests.reference.agreement import agreement
from tests.reference.train_step import LiteralStep, count_confusions, label_matrix, literal_step
from torch import Tensor

from benchmarks.generated import SEQUENCES, Persons, generated
from benchmarks.measuring import (
    Clock,
    Mark,
    Spread,
    SyncWatch,
    copy_bandwidth,
    flops_of,
    forget_peak,
    peak_megabytes,
    print_rows,
    write_facts,
)
from benchmarks.parts import times_of_parts, work_of
from benchmarks.program import (
    batch_of,
    experiment_of,
    guidance_tensors_of,
    learn,
    paper_config,
    variant,
)
from skeletonagent.cli.console import console
from skeletonagent.core.errors import ConfigError
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.config import Config
from skeletonagent.training.distributed import describe_device, pick_device

WARM_UP = 10
"""Steps before any is timed: graphs are recorded and kernels chosen in them."""
NOTES = (
    "parts are timed one by one and eagerly; the whole step is timed inside the program's loop",
    "bytes are those of all operators' operands and results, what eager code moves at most",
    "operations are those of convolutions and matrix products in the eager step",
    "the literal step is given its clips, has a lookup table for a CLIP tower and no mixed copy",
)


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    clips_in_batch: Annotated[int, typer.Option(min=2)] = 64,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    persons: Annotated[Persons, typer.Option(help="Bodies of a clip.")] = Persons.NTU,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    variants: Annotated[
        str, typer.Option(help="Of default, eager, compiled, graphs, both.")
    ] = "default",
    steps: Annotated[int, typer.Option(min=2, help="Steps timed.")] = 30,
    literal_steps: Annotated[int, typer.Option(min=1, help="Literal steps timed.")] = 10,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    sequences: Annotated[int | None, typer.Option(help="In the store; as in NTU-60.")] = None,
    small: Annotated[bool, typer.Option(help="Few sequences and a narrow recognizer.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time the training step, tell what it comes to, and compare it with the literal one."""
    config = paper_config(
        device, precision, clips_in_batch=clips_in_batch, frames=frames, small=small
    )
    config = replace(config, training=replace(config.training, validation_share=0.0))
    needed = max(3 * classes, 8 * (steps + WARM_UP) * clips_in_batch // 5)
    number = sequences or (needed if small else max(needed, SEQUENCES))
    place = Clock(pick_device(device))
    facts: dict[str, Any] = {
        "device": describe_device(place.device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "batch": {"clips": clips_in_batch, "frames": frames, "persons": persons.value},
        "precision": precision,
        "classes": classes,
        "sequences": number,
        "notes": list(NOTES),
    }
    with tempfile.TemporaryDirectory() as folder:
        facts["agreement"] = _agreements(config, Path(folder), classes)
        facts["copy_bytes_per_second"] = copy_bandwidth(place, 64 if small else 512)
        data = generated(number, persons, classes)
        facts["variants"] = []
        for name in variants.split(","):
            try:
                experiment = experiment_of(variant(config, name), data)
            except ConfigError as error:
                facts["notes"].append(f"{name}: left out; {str(error).splitlines()[-1].strip()}")
                continue
            facts["variants"].append({"name": name, **measured(experiment, place, steps)})
            del experiment
            gc.collect()
        experiment = experiment_of(config, data)
        facts["parts_ms"] = times_of_parts(experiment, place, steps)
        facts["work"] = work_of(experiment)
        facts["literal"] = _literal(experiment, place, Path(folder), literal_steps)
    _derive(facts)
    _print(facts)
    write_facts(facts, json)


def _agreements(config: Config, folder: Path, classes: int) -> dict[str, Any]:
    """Return how well the program and the literal step agree, before anything is timed."""
    found: dict[str, Any] = {}
    for precision in dict.fromkeys(("32", config.precision)):
        told = agreement(replace(config, precision=precision), folder, classes).facts()
        found[precision] = told
        console.print(
            f"agreement with the literal step at {precision}: losses within "
            f"{told['relative']:.1e}, gradients within {told['gradients']:.1e}"
        )
    return found


def measured(experiment: Experiment, clock: Clock, steps: int) -> dict[str, Any]:
    """Return how long the program's own steps take, and the peak of memory."""
    guidance = guidance_tensors_of(experiment)
    marks: list[Mark] = []
    forget_peak(clock.device)
    learn(experiment, guidance, WARM_UP + steps, lambda: marks.append(clock.mark()))
    spread = Spread.of(clock.seconds(marks[WARM_UP - 1 :]))
    clips = experiment.config.training.batch_size
    peak = peak_megabytes(clock.device)
    waits = SyncWatch(clock.device)
    with waits:
        learn(experiment, guidance, 3, waits.between_steps)
    return {
        "step_ms": spread.milliseconds(),
        "clips_per_second": clips / spread.median,
        "peak_megabytes": peak,
        "waits_in_two_steps": waits.seen,
    }


def _literal(experiment: Experiment, clock: Clock, folder: Path, repeats: int) -> dict[str, Any]:
    """Return how long the literal step takes with the same clips, whole and in parts."""
    step, batch = literal_step(experiment, folder), batch_of(experiment)
    clips, labels = batch.clips, batch.labels
    forget_peak(clock.device)
    whole = clock.durations(lambda: step(clips, labels), repeats)
    peak = peak_megabytes(clock.device)
    parts: dict[str, Callable[[], object]] = {
        "forward": lambda: _forward(step, clips),
        "texts": lambda: step.texts.of_batch(labels),
        "label matrix": lambda: label_matrix(labels),
        "counting": lambda: count_confusions(step.counts, labels, labels.roll(1)),
    }
    times = {name: clock.durations(work, repeats).milliseconds() for name, work in parts.items()}
    pairs = ("texts", "label matrix", "counting")
    network = whole.milliseconds()["median"] - sum(times[name]["median"] for name in pairs)
    with torch.no_grad():
        flops = flops_of(lambda: _forward(step, clips))
    return {
        "step_ms": whole.milliseconds(),
        "clips_per_second": len(labels) / whole.median,
        "parts_ms": times,
        "network_ms": network,
        "forward_flops_per_clip": flops / len(labels),
        "peak_megabytes": peak,
    }


def _forward(step: LiteralStep, clips: Tensor) -> object:
    with step.autocast():
        return step.model(clips, step.k)


def _derive(facts: dict[str, Any]) -> None:
    """Add what follows from times and work to each variant."""
    work, literal = facts["work"], facts["literal"]
    for row in facts["variants"]:
        seconds = row["step_ms"]["median"] / 1e3
        row["gflops_per_second"] = work["flops"] / seconds / 1e9
        row["share_of_copy_bandwidth"] = work["bytes"] / seconds / facts["copy_bytes_per_second"]
        row["times_as_fast_as_literal"] = literal["step_ms"]["median"] / row["step_ms"]["median"]
        row["times_as_fast_as_literal_network"] = literal["network_ms"] / row["step_ms"]["median"]


def _print(facts: dict[str, Any]) -> None:
    rows = [
        {
            "step": row["name"],
            "ms": row["step_ms"]["median"],
            "quartiles": "{lower:.4g} to {upper:.4g}".format(**row["step_ms"]),
            "clips/s": row["clips_per_second"],
            "GFLOP/s": row.get("gflops_per_second", ""),
            "of copy bandwidth": row.get("share_of_copy_bandwidth", ""),
            "peak MB": row["peak_megabytes"],
            "x literal": row.get("times_as_fast_as_literal", 1.0),
            "x its network": row.get("times_as_fast_as_literal_network", ""),
        }
        for row in [*facts["variants"], {"name": "literal", **facts["literal"]}]
    ]
    print_rows(f"training step, {facts['device']}, {facts['precision']}", rows)
    ours = [{"part": name, "ms": part["median"]} for name, part in facts["parts_ms"].items()]
    print_rows("parts of the step, eager", ours)
    parts = facts["literal"]["parts_ms"].items()
    print_rows("parts of the literal step", [{"part": n, "ms": p["median"]} for n, p in parts])
    for note in facts["notes"]:
        console.print(f"note: {note}", markup=False)


if __name__ == "__main__":
    typer.run(main)
