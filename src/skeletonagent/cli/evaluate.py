"""``skeletonagent evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from skeletonagent.cli.console import (
    accuracy_table,
    output,
    print_json,
    print_warning,
    warnings_on_console,
)
from skeletonagent.cli.options import SetOption

if TYPE_CHECKING:
    from skeletonagent.inference.predictor import Predictor


def evaluate(
    run: Annotated[
        Path, typer.Argument(help="A run directory that 'train' wrote, or a file of 'export'.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Another archive of the same classes and joints.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Another split of the archive.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write the class probabilities to this npz file.")
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Table of the true segments (file, label, start, end) of untrimmed recordings, "
            "which are looked for in --data or beside the table."
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, help="With --segments: frames a second.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="With --segments: unit of the times, seconds or frames.")
    ] = None,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON instead of a table.")
    ] = False,
) -> None:
    """Evaluate a trained recognizer on the test set, or on segments of recordings.

    Examples:
      skeletonagent evaluate runs/utd

      skeletonagent evaluate runs/utd --set clips.test_clips=1 --json

      skeletonagent evaluate runs/utd --segments days.csv --fps 30
    """
    from skeletonagent.experiments.datasets import prepare_dataset
    from skeletonagent.inference.evaluate import evaluate_split
    from skeletonagent.inference.loading import open_predictor

    with warnings_on_console():
        model = open_predictor(run, None, overrides=set_ or ())
    if segments is not None:
        _evaluate_segments(model, segments, data, fps, unit, as_json)
        return
    settings = model.config.data
    archive = str(data) if data else settings.archive
    opened = prepare_dataset(replace(settings, archive=archive))
    with warnings_on_console():
        result = evaluate_split(model, opened, split or (settings.split if data is None else None))
    if predictions is not None:
        result.probabilities.save(predictions)
    if as_json:
        epoch = model.models[0].epoch
        test = {name: dict(figures) for name, figures in result.parts.items()}
        print_json({"split": result.split, "epoch": epoch, "top1": result.top1, "test": test})
    else:
        output.print(accuracy_table(result.parts))


def _evaluate_segments(
    model: Predictor,
    table: Path,
    data: Path | None,
    fps: float | None,
    unit: str | None,
    as_json: bool,
) -> None:
    """Print how well the actions in untrimmed recordings are found."""
    from skeletonagent.inference.evaluate_segments import evaluate_segments

    with warnings_on_console():
        found = evaluate_segments(model.segmenter, table, data=data, fps=fps, unit=unit)
    for prediction in found.predictions:
        for warning in prediction.warnings:
            print_warning(f"{prediction.name}: {warning}")
    if as_json:
        print_json({"segments": str(table), "metrics": dict(found.metrics)})
    else:
        output.print(_segments_table(found.metrics))


def _segments_table(metrics: Mapping[str, Any]) -> Table:
    """Return metrics of segmentation as a table."""
    table = Table("segments of recordings", "", box=None)
    for name, key in (
        ("recordings", "recordings"), ("true segments", "segments"),
        ("predicted segments", "predicted"), ("false positives at IoU 0.50", "false_positives"),
    ):  # fmt: skip
        table.add_row(name, str(metrics[key]))
    shares = {
        "frame accuracy": metrics["frame_accuracy"],
        "edit score": metrics["edit"],
        **{f"F1 at IoU {overlap}": value for overlap, value in metrics["f1"].items()},
        **{f"mAP at IoU {overlap}": value for overlap, value in metrics["map"].items()},
    }
    for name, share in shares.items():
        table.add_row(name, f"{share:.2%}")
    return table
