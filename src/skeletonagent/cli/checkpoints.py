"""``skeletonagent convert-checkpoint``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from skeletonagent.cli.console import output, print_json, print_warning
from skeletonagent.core.errors import ConfigError


def convert_checkpoint(
    file: Annotated[Path, typer.Argument(help="A checkpoint (.pth) of the authors' code.")],
    out: Annotated[
        Path, typer.Option(help="Run directory to write, or NAME.safetensors for one file.")
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(help="Benchmark it was trained on; by default, recognized by its sizes."),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Stream it was trained on, if the file does not say.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the checkpoint's properties as JSON.")
    ] = False,
) -> None:
    """Convert a checkpoint of the authors' released code into a run that can be evaluated.

    Weights and K are kept; the text encoder is left out. No code in the file is run.

    Examples:
      skeletonagent convert-checkpoint xsub_j.pth --out runs/released

      skeletonagent convert-checkpoint k.pth --out runs/k --benchmark uav-human --stream k
    """
    from skeletonagent.experiments.released_run import read_released_run
    from skeletonagent.experiments.resolve import parse_stream
    from skeletonagent.training.run_directory import RunDirectory

    given = parse_stream(stream) if stream else None
    if RunDirectory(out).exists or out.is_file():
        raise ConfigError(f"{out} exists already; choose another --out")
    run = read_released_run(file, benchmark, given)
    run.save(out)
    summary = {
        "benchmark": run.benchmark.name if run.benchmark else None,
        "backbone": run.released.backbone,
        "width": run.released.width,
        "parameters": run.parameters,
        "classes": run.released.num_classes,
        "joints": run.released.joints,
        "channels": run.released.channels,
        "persons": run.released.persons,
        "stream": run.config.clips.stream.value,
        "epoch": run.released.epoch,
        "text_tower": run.released.text_tower,
        "out": str(out),
    }
    if run.benchmark is None:
        print_warning("classes are numbered; name them with --benchmark, or no data will fit")
    if as_json:
        print_json(summary)
        return
    summary["text_tower"] = f"{run.released.text_tower} tensors left out"
    for key, value in summary.items():
        output.print(f"[bold]{key:10}[/] {escape(str(value))}", soft_wrap=True)
