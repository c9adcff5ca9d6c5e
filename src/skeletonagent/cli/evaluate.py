"""``skeletonagent evaluate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.console import accuracy_table, output, print_json, warnings_on_console
from skeletonagent.cli.options import SetOption


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory that 'train' wrote.")],
    data: Annotated[
        Path | None, typer.Option(help="Another archive of the same classes and joints.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Another split of the archive.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write the class probabilities to this npz file.")
    ] = None,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON instead of a table.")
    ] = False,
) -> None:
    """Evaluate a trained recognizer on the test set.

    Examples:
      skeletonagent evaluate runs/utd

      skeletonagent evaluate runs/utd --set clips.test_clips=1 --json
    """
    from skeletonagent.experiments.datasets import prepare_dataset
    from skeletonagent.inference.evaluate import evaluate_split
    from skeletonagent.inference.predictor import load_predictor

    with warnings_on_console():
        model = load_predictor(run, None, overrides=set_ or ())
    settings = model.config.data
    archive = str(data) if data else settings.archive
    opened = prepare_dataset(replace(settings, archive=archive))
    result = evaluate_split(model, opened, split or (settings.split if data is None else None))
    if predictions is not None:
        result.probabilities.save(predictions)
    if as_json:
        epoch = model.models[0].epoch
        test = {name: dict(figures) for name, figures in result.parts.items()}
        print_json({"split": result.split, "epoch": epoch, "top1": result.top1, "test": test})
    else:
        output.print(accuracy_table(result.parts))
