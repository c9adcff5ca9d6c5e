"""``skeletonagent ablate``: the paper's studies, on any data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, print_json, watch
from skeletonagent.cli.options import RecipeOption
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.evaluation.metrics import RowResult, summarize_rows
from skeletonagent.experiments.build import prepare_dataset
from skeletonagent.experiments.plans import STUDY_PLANS, StudyPlan
from skeletonagent.experiments.presets import ROTATING_SPLITS
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.experiments.study import Study, hold_out_validation, resolve_runs, select_plan
from skeletonagent.experiments.tables import (
    as_csv,
    as_markdown,
    as_tables,
    format_estimate,
    insert_tables,
)
from skeletonagent.experiments.workers import train_in_lanes, train_timed

STUDY_SEEDS = 10
"""Seeds of a benchmark's own study."""


def ablate(
    plan: Annotated[str, typer.Argument(help=f"What to study: {', '.join(STUDY_PLANS)}.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of all runs and the results; a benchmark has its own."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A skeleton archive: NAME.npz or its folder.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="What all rows share: a preset or a YAML file.")
    ] = "default",
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="A preset with the benchmark's own study: tiny, ten seeds, its splits in turn."
        ),
    ] = None,
    preset_size: Annotated[
        PresetSize | None, typer.Option(help="'tiny' or 'small' for a CPU, 'paper' for a GPU.")
    ] = None,
    recipe: RecipeOption = Recipe.PAPER,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each row, 3 if not told; 1 has no intervals."),
    ] = None,
    splits: Annotated[
        str | None, typer.Option(help="Splits with commas, which the seeds take in turn.")
    ] = None,
    validate: Annotated[
        float | None,
        typer.Option(help="Compare on this share of the training part, which is then held out."),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(help="Devices with commas: several runs at once, a process on each."),
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
            help="A page in which the preset's tables are rewritten, made if there is none."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value in all rows; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train each recipe of a study with several seeds, and compare them with the baseline.

    The same command again goes on where it was stopped; finished runs are not repeated.

    Examples:
      skeletonagent ablate components --preset utd-mhad --data utd_mhad --out runs/components

      skeletonagent ablate sources --row "agents.chat=analyst agents.max_rivals=3" --out runs/sources

      skeletonagent ablate guidance --benchmark utd-mhad --data utd_mhad --devices cpu,cpu
    """
    chosen = select_plan(plan, row or [], only or [])
    size = preset_size or (PresetSize.TINY if benchmark else PresetSize.SMALL)
    shared = resolve_config(benchmark or preset, size, None, data, set_ or [], recipe)
    shared = shared if validate is None else hold_out_validation(shared, validate)
    opened = functools.cache(prepare_dataset)
    turns = splits.split(",") if splits else ROTATING_SPLITS.get(benchmark or "", ())
    number = seeds or (STUDY_SEEDS if benchmark else 3)
    runs = resolve_runs(chosen, shared, number, opened, turns)
    folder = _folder(plan, out, benchmark)
    study = Study(folder, chosen, runs, opened, validated=validate is not None)
    named = f"{benchmark or preset}{', held out' if study.validated else ''}"
    if page:
        insert_tables(_read(page, chosen, named), named, "")  # complains before the first run
    for _ in _trained(study, devices.split(",") if devices else []):
        _write(study)
    found = _write(study)
    _print(chosen, found)
    console.print(f"tables: {folder / 'results.md'} and {folder / 'results.csv'}", soft_wrap=True)
    if page:
        tables = as_tables(chosen, found)
        write_text(page, insert_tables(_read(page, chosen, named), named, tables))
    if as_json:
        rows = [asdict(each) for each in chosen.rows]
        print_json({"plan": plan, "rows": rows, "findings": [asdict(each) for each in found]})


def _folder(plan: str, out: Path | None, benchmark: str | None) -> Path:
    if out is None and benchmark is None:
        raise ConfigError("--out says where the runs go; only a benchmark's study has a place")
    return out or Path("runs") / plan / str(benchmark)


def _read(page: Path, plan: StudyPlan, named: str) -> str:
    """Return a page as it is, or the beginning of one that is not there yet.

    Raises:
        ConfigError: If it cannot be read.
    """
    if not page.exists():
        return f"# {plan.title}\n\n<!-- tables of {named} -->\n<!-- end of {named} -->\n"
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--page {page} cannot be read: {error}") from error


def _trained(study: Study, devices: Sequence[str]) -> Iterator[None]:
    """Train what is not finished, and yield after each run."""
    unfinished = study.unfinished()
    if devices:
        lanes = {study.directory(key): config for key, config in unfinished.items()}
        for number, directory in enumerate(train_in_lanes(lanes, devices), start=1):
            told = escape(str(directory))
            console.print(f"{told} is done, {number} of {len(lanes)}", soft_wrap=True)
            yield
        return
    for number, (key, config) in enumerate(unfinished.items(), start=1):
        console.print(
            f"[bold]run {number} of {len(unfinished)}: {escape(key[0])}[/], seed {key[1]}"
        )
        train_timed(config, study.opened(config.data), study.directory(key), watch)
        yield


def _write(study: Study) -> list[RowResult]:
    measurements = study.measurements()
    found = summarize_rows(study.plan, measurements)
    write_text(study.out / "results.csv", as_csv(measurements))
    write_text(study.out / "results.md", as_markdown(study.plan, found))
    return found


def _print(plan: StudyPlan, found: Sequence[RowResult]) -> None:
    for part in dict.fromkeys(each.part for each in found):
        table = Table("row", "top-1", "difference to the first", box=None)
        for each in found:
            if each.part == part and each.metric == "top1":
                difference = format_estimate(each.difference, "+") if each.difference else ""
                table.add_row(
                    escape(each.row), escape(format_estimate(each.mean)), escape(difference)
                )
        console.print(f"[bold]{escape(plan.title)}: {escape(part)}[/]", table)
