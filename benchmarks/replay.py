"""Replayed and compiled training steps beside eager ones: do they learn the same?

Each variant takes the same steps from the same weights; the losses of all steps are compared.

Example:
  python -m benchmarks.replay --device cuda --precision 32 --json replay.json
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.generated import Persons, generated
from benchmarks.measuring import print_rows, write_facts
from benchmarks.program import experiment_of, guidance_tensors_of, learn, paper_config, variant
from skeletonagent.cli.console import console
from skeletonagent.core.errors import ConfigError
from skeletonagent.training.distributed import describe_device, pick_device


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    clips_in_batch: Annotated[int, typer.Option(min=2)] = 16,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 64,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    variants: Annotated[str, typer.Option(help="Of graphs, compiled, both.")] = "graphs",
    steps: Annotated[int, typer.Option(min=1, help="Steps of each.")] = 12,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 10,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Compare the losses of each variant with those of eager steps; fail if they are others."""
    config = paper_config(
        device, precision, clips_in_batch=clips_in_batch, frames=frames, small=True
    )
    config = replace(config, training=replace(config.training, validation_share=0.0))
    data = generated(max(3 * classes, 2 * steps * clips_in_batch), Persons.NTU, classes)
    limit = 1e-3 if precision == "32" else 5e-2
    wanted, rows, others = None, [], False
    for name in ("eager", "eager", *variants.split(",")):
        try:
            experiment = experiment_of(variant(config, name), data)
        except ConfigError as error:
            console.print(f"{name}: left out; {error}", markup=False)
            continue
        losses = learn(experiment, guidance_tensors_of(experiment), steps, lambda: None)
        if wanted is None:
            wanted = losses
            continue
        apart = float(((losses - wanted) / wanted).abs().max())
        others |= not apart <= limit  # NaN is another loss
        rows.append({"step": name, "losses apart": apart, "within": limit})
    print_rows(f"{steps} steps beside eager ones", rows)
    place = describe_device(pick_device(device))
    facts: dict[str, Any] = {"device": place, "torch": torch.__version__, "rows": rows}
    write_facts({**facts, "precision": precision}, json)
    if others:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
