"""``skeletonagent export``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from skeletonagent.cli.console import output, print_json, warnings_on_console
from skeletonagent.core.errors import ConfigError


def export_command(
    run: Annotated[Path, typer.Argument(help="A run directory that 'train' wrote.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; by default model.onnx or model.pt2 in the run."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="'onnx', or 'torch-export' for PyTorch alone.")
    ] = "onnx",
    precision: Annotated[
        str, typer.Option(help="'fp32', or smaller ones of ONNX: 'fp16' and 'int8'.")
    ] = "fp32",
    data: Annotated[
        Path | None,
        typer.Option(help="Archive to measure the accuracy on; by default, that of the training."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Another split of the archive.")] = None,
    card: Annotated[Path | None, typer.Option(help="Write a model card (.md) as well.")] = None,
    seeds: Annotated[
        list[Path] | None,
        typer.Option(
            "--seed-run",
            help="Run of the same recipe with another seed, for the card's intervals; repeatable.",
        ),
    ] = None,
    license_: Annotated[
        str, typer.Option("--license", help="Licence of the training data, in words.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a trained recognizer for other software, checked against PyTorch.

    The file takes any number of clips and carries what prediction needs: names, skeleton,
    preprocessing, threshold, sentences. 'predict --run FILE.onnx' uses it. Of other precisions than
    fp32 the accuracy on test clips is measured.

    Examples:
      skeletonagent export runs/utd --out utd.onnx

      skeletonagent export runs/utd --out small.onnx --precision int8 --card small.md

      skeletonagent export runs/utd --out utd.pt2 --format torch-export
    """
    from skeletonagent.export.write import ExportFormat
    from skeletonagent.inference.action_examples import knowing_examples
    from skeletonagent.inference.predictor import load_predictor

    suffix = ExportFormat.TORCH.suffix if form == ExportFormat.TORCH else ExportFormat.ONNX.suffix
    target = out or run / f"model{suffix}"
    for file in (target, card):
        if file is not None and file.exists():
            raise ConfigError(f"{file} exists already; choose another name")
    with warnings_on_console():
        predictor = knowing_examples(load_predictor(run, "cpu"))
        written = predictor.export(
            target, form=form, precision=precision, data=data, split=split, license=license_
        )
    accuracy = written.description.accuracy
    if card is not None:
        from skeletonagent.export.model_card import write_model_card
        from skeletonagent.training.run_directory import RunDirectory

        runs = (RunDirectory(folder) for folder in (run, *(seeds or ())))
        write_model_card(written, card, [found for one in runs if (found := one.read_summary())])
    if as_json:
        print_json(
            {
                "out": str(target),
                "format": form,
                "precision": written.description.precision,
                "megabytes": round(written.megabytes, 3),
                "difference": written.difference,
                "accuracy": accuracy and asdict(accuracy),
                "card": card and str(card),
            }
        )
        return
    output.print(
        escape(
            f"{target}: {written.megabytes:.1f} MB, {written.description.precision}; differs from "
            f"PyTorch by {written.difference:.1e} of the largest value"
        ),
        soft_wrap=True,
    )
    if accuracy is not None:
        output.print(escape(str(accuracy)), soft_wrap=True)
    if card is not None:
        output.print(escape(f"model card: {card}"), soft_wrap=True)
