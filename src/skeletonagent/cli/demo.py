"""``skeletonagent demo``: the whole system on generated data, in a few minutes."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from skeletonagent.cli.console import asked_and_answered, console, exchange_panel, print_json
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.synthetic.generate import true_joints
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.experiments.build import prepare_dataset
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.workers import train_in_lanes
from skeletonagent.report.confusion_plot import save_confusions
from skeletonagent.training.run_directory import RunDirectory

BASELINE, GUIDED = "baseline", "guided"
WAYS: Mapping[str, str] = {BASELINE: "without the agents", GUIDED: "with them"}
"""The two trainings of a pair, in words."""
PERIOD = 5
"""Epochs between rounds of the agents, as in the paper."""
SNAPSHOTS = 6
"""How often what was learned is kept, for the report."""


def demo(
    out: Annotated[
        Path, typer.Option(help="Where to write; an earlier demo there is replaced.")
    ] = Path("runs/demo"),
    seeds: Annotated[
        int, typer.Option(min=1, help="How many pairs of trainings, a seed for each.")
    ] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Fewer epochs, for a quick look.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train without and with the agents on generated actions that look alike, and compare.

    Needs no data, no network and no key.

    Example:
      skeletonagent demo --out runs/demo
    """
    began = time.perf_counter()
    config = preset("synthetic", PresetSize.TINY)
    training = replace(config.training, guidance_period=PERIOD, feature_snapshots=SNAPSHOTS)
    if epochs:
        training = replace(training, epochs=epochs)
    config = replace(config, training=training)
    data = prepare_dataset(config.data)
    runs = {name: [RunDirectory(out / name / f"seed{n}") for n in range(seeds)] for name in WAYS}
    _train(config, runs)
    scores = {
        name: [ClassProbabilities.load(run.predictions) for run in own]
        for name, own in runs.items()
    }
    top1 = {name: [part.topk_accuracy(1) for part in own] for name, own in scores.items()}
    guidance = [_last_guidance(run, data) for run in runs[GUIDED]]
    actions = _most_confused(scores[BASELINE], data.store.class_names)
    summary = {
        **{name: asdict(mean_interval(each)) for name, each in top1.items()},
        "difference": asdict(paired_difference(top1[GUIDED], top1[BASELINE])),
        "top1": top1,
        "joints": score_joints(guidance),
        "exchanges": asked_and_answered(guidance[0], actions),
        "seconds": round(time.perf_counter() - began, 1),
    }
    picture = out / "confusions.png"
    counts = {
        f"{name}: {fmean(top1[name]):.1%}": np.sum([part.confusions() for part in own], axis=0)
        for name, own in scores.items()
    }
    save_confusions(counts, data.store.class_names, picture)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    _print(summary, guidance[0], actions)
    console.print(f"picture: {picture}\nsummary: {out / 'summary.json'}", soft_wrap=True)
    console.print(
        f"look at the runs: skeletonagent report {out / GUIDED} {out / BASELINE}", soft_wrap=True
    )
    if as_json:
        print_json(summary)


def score_joints(guidance: Sequence[Guidance]) -> dict[str, float]:
    """Return how well the chosen joints agree with those that truly tell classes apart.

    Counted over all classes, of all runs, that were asked about with a rival whose difference is
    known:
    precision is the share of chosen joints that are true, recall the share of true ones chosen.
    """
    chosen_true = chosen_all = true_all = classes = 0
    for told in (told for each in guidance for told in each.classes):
        truth = true_joints(told.action, told.rivals)
        if truth:
            classes += 1
            chosen_true += len(truth & set(told.joints))
            chosen_all += len(told.joints)
            true_all += len(truth)
    return {
        "precision": chosen_true / max(chosen_all, 1),
        "recall": chosen_true / max(true_all, 1),
        "classes": classes,
    }


def _train(config: Config, runs: Mapping[str, Sequence[RunDirectory]]) -> None:
    """Train all runs, one on each core at a time, and tell what each came to."""
    planned: dict[Path, Config] = {}
    for seed, pair in enumerate(zip(*runs.values(), strict=True)):
        for name, run in zip(runs, pair, strict=True):
            if run.path.exists():
                shutil.rmtree(run.path)
            agents = config.agents if name == GUIDED else replace(config.agents, chat="none")
            planned[run.path] = replace(config, seed=seed, agents=agents)
    cores = min(len(planned), os.cpu_count() or 1)
    console.print(
        f"{len(planned)} trainings of {config.training.epochs} epochs, {cores} at a time: "
        + " and ".join(WAYS.values())
    )
    # So small a recognizer gains nothing from a second thread.
    ended = train_in_lanes(planned, ["cpu"] * cores, threads=1)
    for number, path in enumerate(ended, start=1):
        top1 = ClassProbabilities.load(RunDirectory(path).predictions).topk_accuracy(1)
        told = f"{path.parent.name}, {path.name}: {top1:.1%}"
        console.print(f"{told}, {number} of {len(planned)} done", markup=False)


def _last_guidance(run: RunDirectory, data: SkeletonData) -> Guidance:
    checkpoint = run.checkpoints.latest().checkpoint
    assert checkpoint is not None
    return Guidance.from_json(checkpoint.metadata["guidance"], data.store.layout)


def _most_confused(
    scores: Sequence[ClassProbabilities], class_names: tuple[str, ...], number: int = 3
) -> list[str]:
    accuracy = np.mean([part.per_class_accuracy() for part in scores], axis=0)
    return [class_names[label] for label in np.argsort(accuracy)[:number]]


def _print(summary: dict[str, Any], guidance: Guidance, actions: list[str]) -> None:
    told = {item.action: item for item in guidance.classes}
    console.print("\n[bold]what was asked and answered about the hardest classes[/]")
    for action in actions:
        console.print(exchange_panel(told[action], guidance))
    joints = summary["joints"]
    table = Table("top-1 by seed", *map(str, range(summary[GUIDED]["n"])), "mean", box=None)
    for name in WAYS:
        each = [*summary["top1"][name], summary[name]["mean"]]
        table.add_row(name, *(f"{value:.1%}" for value in each))
    console.print(table)
    console.print(
        f"joints that truly tell the classes apart: {joints['recall']:.0%} found, "
        f"{joints['precision']:.0%} of those named are true ({joints['classes']} classes)\n"
        f"with the agents: {in_words(Estimate(**summary['difference']))}"
    )


def in_words(difference: Estimate) -> str:
    """Return what a difference of accuracies comes to, in points."""
    told = f"{100 * difference.mean:+.1f} points"
    if difference.low is None or difference.high is None:
        return f"{told}; one pair of runs says nothing about a method"
    interval = f"{told} (95 % interval {100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    if difference.low <= 0 <= difference.high:
        return f"{interval}; {difference.n} pairs cannot tell that from chance"
    return interval
