"""``skeletonagent ablate``: the paper's studies, on any data."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.ablate_jobs import LaunchOptions, study_display, train_by_launcher
from skeletonagent.cli.console import console, output, print_json, print_remark
from skeletonagent.cli.options import RecipeOption, SetOption
from skeletonagent.core.errors import ConfigError
from skeletonagent.experiments.recipes import PresetSize, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skeletonagent.experiments.measurements import RowResult
    from skeletonagent.experiments.plans import StudyPlan
    from skeletonagent.experiments.study import Study

STUDY_NAMES = (
    "components, sources, text-encoders, alpha-beta, difficulty, guidance, compact, readouts"
)
"""Names of the plans, for the help text: their module is slow to import."""

BENCHMARK_SEEDS = 10
"""Seeds of a benchmark's own study."""


def ablate(
    plan: Annotated[str, typer.Argument(help=f"Study: {STUDY_NAMES}.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of all runs and the results; with --benchmark, runs/PLAN/BENCHMARK."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A skeleton archive: NAME.npz or its folder.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Preset or YAML file with what all rows share.")
    ] = "default",
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="A preset with the benchmark's own study: tiny, ten seeds, its splits in rotation."
        ),
    ] = None,
    preset_size: Annotated[
        PresetSize | None, typer.Option(help="'tiny' or 'small' for a CPU, 'paper' for a GPU.")
    ] = None,
    recipe: RecipeOption = Recipe.PAPER,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each row, 3 by default; 1 has no intervals."),
    ] = None,
    splits: Annotated[
        str | None, typer.Option(help="Splits with commas, through which the seeds rotate.")
    ] = None,
    validate: Annotated[
        float | None,
        typer.Option(help="Compare on a validation set: this share of the training set, held out."),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(help="Devices with commas: several runs at once, a process on each."),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(help="Train runs as jobs: 'local' or 'slurm' by submitit, or 'ray'."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="With --launcher: jobs at once; 2, of slurm and ray all."),
    ] = None,
    job: Annotated[
        list[str] | None,
        typer.Option(
            help="With --launcher: NAME=VALUE of jobs, such as slurm_partition=gpu; repeatable."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="With --launcher ray: address of a cluster in place of this machine."),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(help="One more row, such as agents.chat=analyst; may be repeated."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Label of a row to run beside the baseline; may be repeated."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="Markdown page whose tables of the preset are replaced; created if missing."
        ),
    ] = None,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON instead of tables.")
    ] = False,
) -> None:
    """Train each recipe of a study with several seeds, and compare them with the baseline.

    The same command again continues a study that was stopped; finished runs are not repeated.

    Examples:
      skeletonagent ablate components --preset utd-mhad --data utd_mhad --out runs/components

      skeletonagent ablate sources --row "agents.chat=analyst agents.max_rivals=3" --out runs/rows

      skeletonagent ablate guidance --benchmark utd-mhad --data utd_mhad --devices cpu,cpu

      skeletonagent ablate guidance --data utd_mhad --out runs/jobs --launcher local --jobs 2
    """
    launched = LaunchOptions(launcher, jobs, tuple(job or ()), address)
    launched.require_fitting(devices)
    from skeletonagent.experiments.datasets import prepare_dataset
    from skeletonagent.experiments.planned_runs import require_free_folders
    from skeletonagent.experiments.presets import ROTATING_SPLITS, require_variants
    from skeletonagent.experiments.resolve import resolve_config
    from skeletonagent.experiments.study import (
        Study,
        hold_out_validation,
        resolve_runs,
        select_plan,
    )
    from skeletonagent.experiments.tables import (
        RESULTS_FILE,
        require_tables,
        update_page,
        write_results,
    )

    require_variants(benchmark or preset, preset_size, None)
    selected = select_plan(plan, row or [], only or [])
    size = preset_size or (PresetSize.TINY if benchmark else PresetSize.SMALL)
    shared = resolve_config(benchmark or preset, size, None, data, set_ or [], recipe)
    shared = shared if validate is None else hold_out_validation(shared, validate)
    opened = functools.cache(prepare_dataset)
    rotation = splits.split(",") if splits else ROTATING_SPLITS.get(benchmark or "", ())
    number = seeds or (BENCHMARK_SEEDS if benchmark else 3)
    runs = resolve_runs(selected, shared, number, opened, rotation)
    folder = _folder(plan, out, benchmark)
    study = Study(folder, selected, runs, opened, validated=validate is not None)
    directories = {study.directory(key): run for key, run in runs.items()}
    require_free_folders(directories, folder, RESULTS_FILE, [page] if page else [])
    name = f"{benchmark or preset}{', held out' if study.validated else ''}"
    if page:
        require_tables(page, selected, name)  # fails before the first run
    if launched.launcher:
        train_by_launcher(study, launched)
    elif devices:
        _train_on_devices(study, devices.split(","))
    else:
        _train_here(study)
    results = write_results(study)
    if page:
        update_page(page, selected, name, results)
    if as_json:
        rows = [asdict(item) for item in selected.rows]
        print_json({"plan": plan, "rows": rows, "results": [asdict(item) for item in results]})
    else:
        _print(selected, results)
    print_remark(
        f"everything is in {folder}: {len(runs)} runs, results.md and results.csv; "
        f"'skeletonagent report {folder}' shows what they got wrong, and the same command with "
        "more --seeds trains only those"
    )


def _folder(plan: str, out: Path | None, benchmark: str | None) -> Path:
    if out is None and benchmark is None:
        raise ConfigError("--out names the folder of the runs; only --benchmark has a default")
    return out or Path("runs") / plan / str(benchmark)


def _train_on_devices(study: Study, devices: Sequence[str]) -> None:
    """Train the runs that are not finished, several at once, and write the tables after each."""
    from skeletonagent.experiments.run import train_quietly
    from skeletonagent.experiments.workers import train_on_devices

    runs = {study.directory(key): config for key, config in study.unfinished().items()}
    train_on_devices(runs, devices, train_quietly, on_update=study_display(study, len(runs)))


def _train_here(study: Study) -> None:
    """Train the runs that are not finished, and write the tables after each."""
    from skeletonagent.cli.progress import watch
    from skeletonagent.experiments.run import train_timed
    from skeletonagent.experiments.tables import write_results

    unfinished = study.unfinished()
    for number, (key, config) in enumerate(unfinished.items(), start=1):
        console.print(
            f"[bold]run {number} of {len(unfinished)}: {escape(key[0])}[/], seed {key[1]}"
        )
        train_timed(config, study.opened(config.data), study.directory(key), watch)
        write_results(study)


def _print(plan: StudyPlan, results: Sequence[RowResult]) -> None:
    from skeletonagent.experiments.tables import format_estimate

    for part in dict.fromkeys(result.part for result in results):
        table = Table("row", "top-1", "difference to the first", box=None)
        for result in results:
            if result.part == part and result.metric == "top1":
                change = format_estimate(result.difference, "+") if result.difference else ""
                cells = (result.row, format_estimate(result.mean), change)
                table.add_row(*map(escape, cells))
        output.print(f"[bold]{escape(plan.title)}: {escape(part)}[/]", table)
