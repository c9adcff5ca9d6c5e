"""``skeletonagent evaluate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, print_json, report_corrupt
from skeletonagent.core.errors import CheckpointError
from skeletonagent.data.splits import choose_split, evaluation_parts, evaluation_samples
from skeletonagent.evaluation.predict import evaluate_parts, predict
from skeletonagent.experiments.build import build_loader, load_recognizer, prepare_dataset
from skeletonagent.experiments.config import read_config, with_overrides
from skeletonagent.training.distributed import pick_device
from skeletonagent.training.run_directory import RunDirectory


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory that 'train' wrote.")],
    data: Annotated[
        Path | None, typer.Option(help="Another archive of the same classes and joints.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Another split of the archive.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Write the scores to this npz file.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value, such as clips.test_clips=1."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score the test part with a trained recognizer.

    Examples:
      skeletonagent evaluate runs/utd

      skeletonagent evaluate runs/utd --set clips.test_clips=1 --json
    """
    directory = RunDirectory(run)
    checkpoint = report_corrupt(directory.checkpoints.latest()) if directory.exists else None
    if checkpoint is None:
        raise CheckpointError(
            f"{run} holds no trained run; train one with 'skeletonagent train --out {run}'"
        )
    config = with_overrides(read_config(directory.config), set_ or [])
    archive = str(data) if data else config.data.archive
    opened = prepare_dataset(replace(config.data, archive=archive))
    name, _ = choose_split(opened, split or (config.data.split if data is None else None))
    device = pick_device(config.device)
    recognizer = load_recognizer(checkpoint, config, opened).to(device)
    # The recognizer's first norm is of as many bodies as it was trained with.
    store = replace(opened.store, person_slots=int(checkpoint.metadata["persons"]))
    source = build_loader(config, replace(opened, store=store), device)
    tested = evaluation_parts(opened, name)
    samples = evaluation_samples(source.store, tested)
    result = predict(recognizer, source, samples, batch_size=2 * config.training.batch_size)
    if scores is not None:
        result.save(scores)
    report = evaluate_parts(result, tested)
    table = Table("test part", "samples", "top-1", "top-5", "mean over classes", box=None)
    for part, figures in report.items():
        table.add_row(
            escape(part),
            str(figures["samples"]),
            *(f"{figures[k]:.2%}" for k in ("top1", "top5", "mean_class")),
        )
    console.print(table)
    if as_json:
        print_json(
            {"split": name, "epoch": checkpoint.epoch, "top1": report[name]["top1"], "test": report}
        )
