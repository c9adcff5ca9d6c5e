"""``skeletonagent demo``: the whole system on generated data, in a few minutes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json

if TYPE_CHECKING:
    from skeletonagent.evaluation.significance import Estimate
    from skeletonagent.experiments.config import Config
    from skeletonagent.experiments.demo import DemoResult

_TITLES: Mapping[str, str] = {"baseline": "without the agents", "guided": "with them"}
"""The two trainings of a pair, in words."""


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder to write; an earlier demo in it is replaced.")
    ] = Path("runs/demo"),
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of pairs of trainings, a seed for each.")
    ] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Fewer epochs, for a quick look.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON instead of tables.")
    ] = False,
) -> None:
    """Train without and with the agents on generated actions that look alike, and compare.

    Needs no data, no network and no key. A folder with anything but a demo in it is left alone.

    Example:
      skeletonagent demo --out runs/demo
    """
    from skeletonagent.core.files import write_text
    from skeletonagent.experiments.datasets import prepare_dataset
    from skeletonagent.experiments.demo import (
        BASELINE,
        GUIDED,
        DemoResult,
        claim_folder,
        demo_config,
        demo_runs,
    )

    began = time.perf_counter()
    config = demo_config(epochs)
    runs = demo_runs(config, seeds, out)
    claim_folder(out, list(runs))
    _train(runs)
    result = DemoResult.read(out, seeds, prepare_dataset(config.data))
    summary = result.summary() | {"seconds": round(time.perf_counter() - began, 1)}
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    _save_picture(result, out)
    if as_json:
        print_json(summary)
    else:
        _print(summary, result)
    console.print(f"summary: {out / 'summary.json'}", markup=False, soft_wrap=True)
    console.print(
        f"look at the runs: skeletonagent report {out / GUIDED} {out / BASELINE}",
        markup=False,
        soft_wrap=True,
    )


def _train(runs: Mapping[Path, Config]) -> None:
    """Train all runs, one on each core at a time, and print the accuracy of each as it ends."""
    from skeletonagent.cli.progress import print_failure
    from skeletonagent.core.predictions import ClassProbabilities
    from skeletonagent.experiments.run import train_quietly
    from skeletonagent.experiments.workers import RunStatus, RunUpdate, train_on_devices
    from skeletonagent.training.run_directory import RunDirectory

    cores = min(len(runs), os.cpu_count() or 1)
    epochs = next(iter(runs.values())).training.epochs
    console.print(
        f"{len(runs)} trainings of {epochs} epochs, {cores} at a time: "
        + " and ".join(_TITLES.values())
    )
    finished = 0

    def show(update: RunUpdate) -> None:
        nonlocal finished
        print_failure(update)
        if update.status is not RunStatus.FINISHED:
            return
        finished += 1
        run = update.out
        top1 = ClassProbabilities.load(RunDirectory(run).predictions).topk_accuracy(1)
        line = f"{run.parent.name}, {run.name}: {top1:.1%}, {finished} of {len(runs)} finished"
        console.print(line, markup=False)

    # A recognizer this small gains nothing from a second thread.
    train_on_devices(runs, ["cpu"] * cores, train_quietly, on_update=show, threads=1)


def _save_picture(result: DemoResult, out: Path) -> None:
    from skeletonagent.report.confusion_plot import write_confusion_plot

    picture = out / "confusions.svg"
    counts = {
        f"{name}: {fmean(values):.1%}": result.confusions(name)
        for name, values in result.top1.items()
    }
    write_confusion_plot(counts, result.class_names, picture)
    console.print(f"picture: {picture}", markup=False, soft_wrap=True)


def _print(summary: Mapping[str, Any], result: DemoResult) -> None:
    from skeletonagent.cli.progress import exchange_panel
    from skeletonagent.evaluation.significance import Estimate

    guidance = result.guidance[0]
    by_action = {item.action: item for item in guidance.classes}
    output.print("\n[bold]what was asked and answered about the hardest classes[/]")
    for action in result.hardest_classes():
        output.print(exchange_panel(by_action[action], guidance.layout))
    joints, top1 = summary["joints"], summary["top1"]
    table = Table("top-1 by seed", *map(str, range(len(top1["guided"]))), "mean", box=None)
    for name in _TITLES:
        values = [*top1[name], summary[name]["mean"]]
        table.add_row(name, *(f"{value:.1%}" for value in values))
    output.print(table)
    output.print(
        f"joints that truly tell the classes apart: {joints['recall']:.0%} were chosen, "
        f"{joints['precision']:.0%} of the chosen ones are true ({joints['classes']} classes)\n"
        f"with the agents: {difference_in_words(Estimate(**summary['difference']))}"
    )


def difference_in_words(difference: Estimate) -> str:
    """Return a difference of accuracies in points, with its interval and what that allows."""
    mean = f"{100 * difference.mean:+.1f} points"
    if difference.low is None or difference.high is None:
        return f"{mean}; one pair of runs says nothing about a method"
    interval = f"{mean} (95 % interval {100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    if difference.low <= 0 <= difference.high:
        return f"{interval}; {difference.n} pairs cannot tell that from chance"
    return interval
