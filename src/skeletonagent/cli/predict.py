"""``skeletonagent predict``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_json, warnings_on_console
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.inference.predictions import Predictions


def predict_files(
    files: Annotated[
        list[Path],
        typer.Argument(help="Arrays (.npy, .npz), skeleton archives or PYSKL pickles (.pkl)."),
    ],
    run: Annotated[
        Path,
        typer.Option(help="A run directory that 'train' wrote, or a folder of one per stream."),
    ],
    top_k: Annotated[int, typer.Option(min=1, help="Classes to print for each sample.")] = 5,
    image_size: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Width and height of the images in pixels, if no file says them."),
    ] = None,
    device: Annotated[str, typer.Option(help="Device, such as cpu or cuda:1.")] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value, such as clips.test_clips=1."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a line for each sample and class as CSV.")
    ] = False,
) -> None:
    """Predict the action of samples that have no labels.

    An array is one sample, (frames, joints, channels) of one body or (bodies, frames, joints,
    channels) of several; NaN marks joints that were not seen. Neither the training data nor
    labels or splits are needed.

    Examples:
      skeletonagent predict clip.npy --run runs/utd

      skeletonagent predict new.pkl recordings.npz --run runs/utd --top-k 1 --csv
    """
    from skeletonagent.inference.predictor import load_predictor

    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; choose one")
    with warnings_on_console():
        model = load_predictor(run, device, overrides=set_ or ())
        results = [
            (file, model.predict(file, top_k=top_k, image_size=image_size)) for file in files
        ]
    rows = [row for file, predictions in results for row in _rows(file, predictions)]
    if as_json:
        print_json({"run": str(run), "class_names": list(model.class_names), "samples": rows})
    elif as_csv:
        _print_csv(rows)
    else:
        output.print(_table(rows, several_files=len(files) > 1))


def _rows(file: Path, predictions: Predictions) -> Iterator[dict[str, Any]]:
    """Yield each sample as plain values."""
    for sample in predictions:
        yield {
            "file": str(file),
            "sample": sample.sample_id,
            "label": sample.label,
            "class": sample.class_name,
            "probability": sample.probability,
            "top": [{"class": name, "probability": share} for name, share in sample.top],
        }


def _print_csv(rows: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "sample", "rank", "class", "probability"])
    for row in rows:
        for rank, best in enumerate(row["top"], start=1):
            writer.writerow(
                [row["file"], row["sample"], rank, best["class"], f"{best['probability']:.6f}"]
            )


def _table(rows: list[dict[str, Any]], *, several_files: bool) -> Table:
    columns = [*(["file"] if several_files else []), "sample", "class", "probability", "next"]
    table = Table(*columns, box=None)
    for row in rows:
        following = [f"{escape(best['class'])} {best['probability']:.1%}" for best in row["top"]]
        table.add_row(
            *([escape(row["file"])] if several_files else []),
            escape(row["sample"]),
            escape(row["class"]),
            f"{row['probability']:.1%}",
            ", ".join(following[1:]),
        )
    return table
