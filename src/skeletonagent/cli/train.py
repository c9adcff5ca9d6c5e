"""``skeletonagent train``."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skeletonagent.cli.options import SetOption
from skeletonagent.experiments.recipes import PresetSize, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skeletonagent.experiments.config import Config


def train_command(
    config: Annotated[
        str | None,
        typer.Argument(
            help="A preset ('config show' lists them) or a YAML file; with --data, 'default'.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A skeleton archive: NAME.npz or its folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run directory to write.")] = Path("runs/train"),
    init_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A run or a checkpoint whose weights to begin with, as far as they fit: joints "
            "and classes by name. Its settings are taken as well, and without --data its archive.",
        ),
    ] = None,
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
        int | None, typer.Option(min=1, help="Number of runs that differ in the seed alone.")
    ] = None,
    preset_size: Annotated[
        PresetSize | None,
        typer.Option(
            help="'small' for a CPU (default), 'paper' for a GPU, 'tiny' for studies of many runs."
        ),
    ] = None,
    recipe: Annotated[
        Recipe | None,
        typer.Option(
            help="'paper' follows the paper's text (default), 'released' the authors' code, for "
            "its benchmarks; 'best', for utd-mhad, sbu, jhmdb and nw-ucla, is the best of our "
            "study of guidance."
        ),
    ] = None,
    dims: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=2,
            help="2 for a recognizer of joints in 2D, whatever the archive has; the "
            "same as --set data.dims=2.",
        ),
    ] = None,
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
    duration: Annotated[
        str | None,
        typer.Option(
            "--time",
            help="Wall time of training and test, such as 90s, 3m or 1h, in place of a number of "
            "steps or epochs; it is measured what fits.",
        ),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline", help="Compute first what methods without deep learning reach, once."
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue what is in OUT; no other option is needed then."),
    ] = False,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON instead of tables.")
    ] = False,
) -> None:
    """Train a recognizer with guidance from its agents, and test it once at the end.

    Examples:
      skeletonagent train synthetic --out runs/first

      skeletonagent train --data skeletons/mine --out runs/mine

      skeletonagent train --data skeletons/mine --out runs/mine --time 3m

      skeletonagent train utd-mhad --data utd_mhad --out runs/utd --seeds 3

      skeletonagent train utd-mhad --data utd_mhad --out runs/utd --stream all

      skeletonagent train sbu --data sbu --out runs/sbu --split all --set agents.chat=none

      skeletonagent train --out runs/utd --resume

      skeletonagent train --from runs/mine --data skeletons/office --out runs/office
    """
    from skeletonagent.cli.baseline import (
        baselines_beside,
        compute_missing_baselines,
        print_baseline_hint,
        print_beside,
    )
    from skeletonagent.cli.console import console, print_json, print_remark, warnings_at_once
    from skeletonagent.cli.guided_classes import print_guided
    from skeletonagent.core.errors import ConfigError
    from skeletonagent.core.files import write_text
    from skeletonagent.experiments.auto_recipe import kept_with_begun_runs
    from skeletonagent.experiments.fusion import combine_summaries
    from skeletonagent.experiments.planned_runs import write_plan
    from skeletonagent.experiments.resolve import plan_training
    from skeletonagent.experiments.time_budget import leaves_time_to_compare
    from skeletonagent.experiments.training_request import TrainingRequest

    if devices and tensorboard:
        raise ConfigError("--tensorboard logs runs of this process; leave out --devices")
    named = {"agents.chat": chat, "data.dims": dims}
    given = [f"{setting}={value}" for setting, value in named.items() if value is not None]
    assignments = (*(set_ or []), *given)
    request = TrainingRequest(
        config, data, stream, split, seeds, preset_size, recipe, assignments, init_from
    )
    start, compare = time.perf_counter(), not duration or leaves_time_to_compare(duration)
    runs = plan_training(request, out, resume=resume, compare=compare, on_remark=print_remark)
    with kept_with_begun_runs(runs):
        if duration:
            runs = _fit_to_time(runs, duration, time.perf_counter() - start)
        write_plan(runs, out)
        if baseline:
            compute_missing_baselines(runs)
        with warnings_at_once():
            if devices:
                summaries = _train_on_devices(runs, devices.split(","), resume=resume)
            else:
                summaries = _train_here(runs, resume=resume, tensorboard=tensorboard)
    result = combine_summaries(runs, summaries)
    baselines = baselines_beside(runs, summaries, result.get("ensembles", ()))
    if baselines:
        result["baselines"] = baselines
    if len(runs) > 1:
        write_text(out / "summary.json", json.dumps(result, indent=1))
    if as_json:
        print_json(result)
    else:
        _print(summaries, result)
        print_beside(baselines)
    if not baselines:
        print_baseline_hint(runs)
    print_guided(summaries)
    console.print(f"everything is in {out}", markup=False, soft_wrap=True)


def _fit_to_time(runs: Mapping[Path, Config], duration: str, spent: float) -> dict[Path, Config]:
    """Return the runs with the number of steps that fits a time, and print which it is."""
    from skeletonagent.cli.console import console
    from skeletonagent.experiments.run import shared_dataset
    from skeletonagent.experiments.time_budget import fit_to_time

    data = shared_dataset(next(iter(runs.values())).data)
    fitted, line = fit_to_time(runs, data, duration, spent)
    console.print(f"--time {line}", markup=False, soft_wrap=True)
    return fitted


def _train_here(
    runs: Mapping[Path, Config], *, resume: bool, tensorboard: bool
) -> list[dict[str, Any]]:
    """Train one run after the other and return their summaries."""
    from skeletonagent.cli.progress import display_with_tensorboard, watch
    from skeletonagent.experiments.run import run_experiment, shared_dataset

    return [
        run_experiment(
            config,
            shared_dataset(config.data),
            run,
            resume=resume,
            watch=display_with_tensorboard(run / "tensorboard") if tensorboard else watch,
        )
        for run, config in runs.items()
    ]


def _train_on_devices(
    runs: Mapping[Path, Config], devices: Sequence[str], *, resume: bool
) -> list[dict[str, Any]]:
    """Train runs at once, each with a log file beside its directory, and return their summaries."""
    from skeletonagent.cli.progress import print_update, train_displayed
    from skeletonagent.experiments.workers import train_on_devices
    from skeletonagent.training.run_directory import RunDirectory

    train_one = functools.partial(train_displayed, resume=resume)
    train_on_devices(runs, devices, train_one, on_update=print_update, logs=True)
    summaries = (RunDirectory(run).read_summary() for run in runs)
    return [summary for summary in summaries if summary is not None]


def _print(summaries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> None:
    """Print the accuracies of all runs, and those of their fusion or their mean."""
    from rich.markup import escape

    from skeletonagent.cli.console import accuracy_table, output
    from skeletonagent.cli.ensemble import print_fusions

    for summary in summaries:
        if len(summaries) > 1:
            title = f"{summary['split']}, {summary['stream']}, seed {summary['seed']}"
            output.print(title, markup=False)
        output.print(accuracy_table(summary["test"]))
        output.print(
            f"{summary['epochs']} epochs in {summary['seconds']:.0f} s on {summary['device']}"
        )
    for report in result.get("ensembles", ()):
        print_fusions(report)
    if "protocols" in result:
        output.print("no mean is taken: these splits are different protocols", style="yellow")
    for name, mean in result.get("protocols", {}).items():
        deviation = f" (standard deviation {mean['top1_sd']:.2%})" if "top1_sd" in mean else ""
        output.print(f"[bold]{escape(name)}: {mean['top1']:.2%}[/]{deviation}")
    if "top1_sd" in result:
        output.print(
            f"[bold]mean of {len(summaries)} runs: {result['top1']:.2%}[/] "
            f"(standard deviation {result['top1_sd']:.2%})"
        )
