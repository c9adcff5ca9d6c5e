"""``skeletonagent train``."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, print_json, watch
from skeletonagent.cli.ensemble import fuse_runs, print_fusions
from skeletonagent.cli.options import RecipeOption, SizeOption
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.streams import Stream
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.build import prepare_dataset
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.processes import train_in_processes
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import plan_runs, require_run_layout, resolve_config
from skeletonagent.experiments.run import CallbackFactory, run_experiment
from skeletonagent.training.callbacks import Callback, CallbackList
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.tensorboard import TensorBoardCallback


def train(
    config: Annotated[
        str, typer.Argument(help="A preset ('config show' lists them) or a YAML file.")
    ] = "default",
    data: Annotated[
        Path | None, typer.Option(help="A skeleton archive: NAME.npz or its folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run directory to write.")] = Path("runs/train"),
    stream: Annotated[
        str | None,
        typer.Option(
            help="joint, bone, kbone, joint_motion, ... or j, b, k, jm, bm, km; several with "
            "commas, or 'all' for the six, which are then fused."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split, several with commas, or 'all' for one run each.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of runs that differ in the seed alone.")
    ] = 1,
    preset_size: SizeOption = PresetSize.SMALL,
    recipe: RecipeOption = Recipe.PAPER,
    chat: Annotated[
        str | None,
        typer.Option(help="Who answers the agents; the same as --set agents.chat=..."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log to OUT/tensorboard as well.")
    ] = False,
    devices: Annotated[
        str | None,
        typer.Option(help="Devices with commas: several runs at once, a process on each."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override section.key=value; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train a recognizer that its agents guide, and test it once at the end.

    Examples:
      skeletonagent train synthetic --out runs/first

      skeletonagent train utd-mhad --data utd_mhad --out runs/utd --seeds 3

      skeletonagent train utd-mhad --data utd_mhad --out runs/utd --stream all

      skeletonagent train sbu --data sbu --out runs/sbu --split all --set agents.chat=none
    """
    assignments = [*(set_ or []), *([f"agents.chat={chat}"] if chat else [])]
    names = list(Stream) if stream == "all" else stream.split(",") if stream else [None]
    configs = [
        resolve_config(config, preset_size, name, data, assignments, recipe) for name in names
    ]
    opened = prepare_dataset(configs[0].data)
    wanted = list(opened.splits) if split == "all" else split.split(",") if split else [None]
    splits = [choose_split(opened, name or configs[0].data.split)[0] for name in wanted]
    runs = plan_runs(configs, splits, seeds, out)
    require_run_layout(runs, out)
    if devices and tensorboard:
        raise ConfigError("--tensorboard logs runs of this process; leave out --devices")
    if devices:
        summaries = train_in_processes(runs, devices.split(","), resume=resume)
        for summary in summaries:
            _print_summary(summary)
    else:
        summaries = _train_here(runs, opened, resume, tensorboard)
    if len(configs) > 1:
        result = {"runs": summaries, "ensembles": _fuse(runs)}
    else:
        result = summaries[0] if len(summaries) == 1 else _together(summaries)
    if len(summaries) > 1:
        write_text(out / "summary.json", json.dumps(result, indent=1))
    console.print(f"everything is in {out}", soft_wrap=True)
    if as_json:
        print_json(result)


def _train_here(
    runs: Mapping[Path, Config], data: SkeletonData, resume: bool, tensorboard: bool
) -> list[dict[str, Any]]:
    """Train one run after the other and return their summaries."""
    summaries = []
    for run, config in runs.items():
        watching = _logging(run / "tensorboard") if tensorboard else watch
        summaries.append(run_experiment(config, data, run, resume=resume, watch=watching))
        _print_summary(summaries[-1])
    return summaries


def _logging(folder: Path) -> CallbackFactory:
    """Return what shows a run in the terminal and writes its figures to a folder."""

    @contextmanager
    def both(config: Config, found: LatestCheckpoint) -> Iterator[Callback]:
        with watch(config, found) as display:
            yield CallbackList([display, TensorBoardCallback(folder)])

    return both


def _fuse(runs: Mapping[Path, Config]) -> list[dict[str, Any]]:
    """Print and return what the streams of each split and seed come to together."""
    groups: dict[Path, list[Path]] = {}
    for run in runs:
        groups.setdefault(run.parent, []).append(run)
    reports = [fuse_runs(group) for group in groups.values()]
    for report in reports:
        print_fusions(report)
    return reports


def _together(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Print means over several runs, and return them with the runs."""
    values = [summary["top1"] for summary in summaries]
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    console.print(
        f"[bold]mean of {len(summaries)} runs: {mean:.2%}[/] (standard deviation {deviation:.2%})"
    )
    return {"top1": mean, "top1_sd": deviation, "runs": summaries}


def _print_summary(summary: dict[str, Any]) -> None:
    table = Table("test part", "samples", "top-1", "top-5", "mean over classes", box=None)
    for name, part in summary["test"].items():
        figures = (f"{part[key]:.2%}" for key in ("top1", "top5", "mean_class"))
        table.add_row(escape(name), str(part["samples"]), *figures)
    console.print(table)
    console.print(
        f"{summary['epochs']} epochs in {summary['seconds']:.0f} s on {summary['device']}"
    )
