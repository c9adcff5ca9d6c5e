"""``skeletonagent demo``: the whole system on generated data, in a few minutes."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from skeletonagent.build import open_data
from skeletonagent.cli.console import asked_and_answered, console, exchange_panel, print_json, watch
from skeletonagent.config import Config
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.scores import Scores
from skeletonagent.data.synthetic import true_joints
from skeletonagent.experiment import run_experiment
from skeletonagent.presets import preset
from skeletonagent.report.figures import save_confusions
from skeletonagent.training.record import RunDirectory


def demo(
    out: Annotated[
        Path, typer.Option(help="Where to write; an earlier demo there is replaced.")
    ] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Seed of both trainings.")] = 0,
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
    config = preset("synthetic")
    config = replace(config, seed=seed)
    if epochs:
        config = replace(config, training=replace(config.training, epochs=epochs))
    data = open_data(config.data)
    runs = {name: RunDirectory(out / name) for name in ("baseline", "guided")}
    _run(config, data, runs["baseline"], guided=False)
    _run(config, data, runs["guided"], guided=True)
    scores = {name: Scores.load(run.scores) for name, run in runs.items()}
    guidance = _last_guidance(runs["guided"], data)
    actions = _most_confused(scores["baseline"], data.store.class_names)
    summary = {
        **{name: {"top1": part.top(1), "top5": part.top(5)} for name, part in scores.items()},
        "joints": score_joints(guidance),
        "exchanges": asked_and_answered(guidance, actions),
        "seconds": round(time.perf_counter() - began, 1),
    }
    picture = out / "confusions.png"
    titles = {name: f"{name}: {part.top(1):.1%}" for name, part in scores.items()}
    counts = {titles[name]: part.confusions() for name, part in scores.items()}
    save_confusions(counts, data.store.class_names, picture)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    _print(summary, guidance, actions)
    console.print(f"picture: {picture}\nsummary: {out / 'summary.json'}", soft_wrap=True)
    if as_json:
        print_json(summary)


def score_joints(guidance: Guidance) -> dict[str, float]:
    """Return how well the chosen joints agree with those that truly tell classes apart.

    Counted over all classes that were asked about with a rival whose difference is known:
    precision is the share of chosen joints that are true, recall the share of true ones chosen.
    """
    chosen_true = chosen_all = true_all = classes = 0
    for told in guidance.classes:
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


def _run(config: Config, data: SkeletonData, run: RunDirectory, *, guided: bool) -> None:
    if run.begun:
        shutil.rmtree(run.path)
    console.print("[bold]with the agents[/]" if guided else "[bold]without the agents[/]")
    agents = config.agents if guided else replace(config.agents, chat="none")
    run_experiment(replace(config, agents=agents), data, run.path, resume=False, watch=watch)


def _last_guidance(run: RunDirectory, data: SkeletonData) -> Guidance:
    checkpoint = run.checkpoints.newest().checkpoint
    assert checkpoint is not None
    return Guidance.from_json(checkpoint.facts["guidance"], data.store.layout)


def _most_confused(scores: Scores, class_names: tuple[str, ...], number: int = 3) -> list[str]:
    worst = np.argsort(scores.class_accuracy())[:number]
    return [class_names[label] for label in worst]


def _print(summary: dict[str, Any], guidance: Guidance, actions: list[str]) -> None:
    told = {item.action: item for item in guidance.classes}
    console.print("\n[bold]what was asked and answered about the hardest classes[/]")
    for action in actions:
        console.print(exchange_panel(told[action], guidance))
    joints = summary["joints"]
    table = Table("", "top-1", "top-5", box=None)
    for name in ("baseline", "guided"):
        table.add_row(name, f"{summary[name]['top1']:.1%}", f"{summary[name]['top5']:.1%}")
    console.print(table)
    console.print(
        f"joints that truly tell the classes apart: {joints['recall']:.0%} found, "
        f"{joints['precision']:.0%} of those named are true ({joints['classes']} classes)\n"
        "one seed says nothing about a method: compare several before you believe a difference"
    )
