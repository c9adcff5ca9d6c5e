"""Accuracy on held-out parts of a training set: what choices of the compact recipe rest on.

A preset is trained once for each fold of the training set, by subjects where these are known or by
a part of the samples' names such as the view, and one line of JSON has accuracy and cross-entropy
of the clips that were held out. The test set is never looked at. Settings of ``default`` that
follow from statistics rest on the whole training set.

Example:
  python -m benchmarks.held_out utd-mhad utd_mhad --set augment.yaw=0.6
  python -m benchmarks.held_out nw-ucla nw_ucla --folds 2 --by 'v[0-9]+$'
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.console import print_json
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.held_out import held_out_predictions
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config


def main(
    preset: Annotated[str, typer.Argument(help="Preset or YAML file.")],
    archive: Annotated[Path, typer.Argument(help="Skeleton archive, or synthetic.")],
    folds: Annotated[int, typer.Option(min=2, help="Parts that are held out in turn.")] = 4,
    by: Annotated[
        str | None,
        typer.Option(help="Hold out together what matches alike in the samples' names."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as section.key=value.")
    ] = None,
) -> None:
    """Train without each fold in turn, without agents, and print a line of JSON for all folds."""
    assignments = ["agents.chat=none", *(set_ or [])]
    config = resolve_config(preset, PresetSize.SMALL, None, archive, assignments)
    data = open_dataset(archive, config.data.confidence)
    _, split = choose_split(data, config.data.split)
    part = replace(data, store=data.store.subset(data.store.indices(split.train)))
    if by:
        matches = [found[0] if (found := re.search(by, i)) else "" for i in part.store.sample_ids]
        groups = tuple(sorted(set(matches)).index(match) for match in matches)
        part = replace(part, store=replace(part.store, subjects=groups))
    start = time.process_time()
    predictions = held_out_predictions(config, part, folds)
    print_json(
        {
            "preset": preset,
            "by": by or "subjects, where they are known",
            "set": set_ or [],
            "clips": len(predictions.labels),
            "top1": round(predictions.topk_accuracy(1), 4),
            "loss": round(float(predictions.cross_entropies().mean()), 4),
            "processor_seconds": round(time.process_time() - start),
        }
    )


if __name__ == "__main__":
    typer.run(main)
