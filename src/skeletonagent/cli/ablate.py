"""``skeletonagent ablate``: the paper's studies, on any data."""

from __future__ import annotations

import functools
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.build import open_data
from skeletonagent.cli.console import console, print_json
from skeletonagent.cli.options import RecipeOption, SizeOption
from skeletonagent.cli.train import resolve_config, watch
from skeletonagent.config import Config, DataSettings, read_config, with_overrides
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.scores import Scores
from skeletonagent.data.splits import choose_split, test_parts
from skeletonagent.evaluation.ablation import (
    PLANS,
    Finding,
    Measurement,
    Plan,
    Row,
    as_csv,
    as_markdown,
    findings,
    measure,
    spoken,
)
from skeletonagent.experiment import run_experiment
from skeletonagent.presets import PresetSize
from skeletonagent.presets_benchmarks import Recipe
from skeletonagent.training.record import RunDirectory

Runs = dict[tuple[str, int], Config]
"""The configuration of each row and seed, in the order in which they are run."""


def ablate(
    plan: Annotated[str, typer.Argument(help=f"What to study: {', '.join(PLANS)}.")],
    out: Annotated[Path, typer.Option(help="Folder of all runs and the results.")],
    data: Annotated[
        Path | None, typer.Option(help="A skeleton archive: NAME.npz or its folder.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="What all rows share: a preset or a YAML file.")
    ] = "default",
    preset_size: SizeOption = PresetSize.SMALL,
    recipe: RecipeOption = Recipe.PAPER,
    seeds: Annotated[
        int, typer.Option(min=1, help="Runs of each row; below 2 there are no intervals.")
    ] = 3,
    row: Annotated[
        list[str] | None,
        typer.Option(help="One more row, such as agents.chat=analyst; may be repeated."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Label of a row to run beside the baseline; may be repeated."),
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

      skeletonagent ablate sources --row "agents.chat=analyst agents.rivals=3" --out runs/sources
    """
    chosen = choose_plan(plan, row or [], only or [])
    shared = resolve_config(preset, preset_size, None, data, set_ or [], recipe)
    opened = functools.cache(open_data)
    runs = resolve_runs(chosen, shared, seeds, opened)
    unfinished = [key for key, config in runs.items() if not is_finished(out, key, config)]
    scores: dict[tuple[str, int], dict[str, Scores]] = {}
    found: list[Finding] = []
    for number, (key, config) in enumerate(runs.items(), start=1):
        source = opened(config.data)
        directory = run_directory(out, key)
        if key in unfinished:
            console.print(f"[bold]run {number} of {len(runs)}: {escape(key[0])}[/], seed {key[1]}")
            run_experiment(config, source, directory, resume=True, watch=watch)
        whole = Scores.load(RunDirectory(directory).scores)
        tested = test_parts(source, str(config.data.split))
        scores[key] = {name: whole.subset(ids) for name, ids in tested.items()}
        if key in unfinished or number == len(runs):
            found = _write(out, chosen, measure(chosen.rows[0].label, scores))
    _print(chosen, found)
    console.print(f"tables: {out / 'results.md'} and {out / 'results.csv'}", soft_wrap=True)
    if as_json:
        rows = [asdict(each) for each in chosen.rows]
        print_json({"plan": plan, "rows": rows, "findings": [asdict(each) for each in found]})


def choose_plan(name: str, more: Sequence[str], only: Sequence[str]) -> Plan:
    """Return a plan with rows added, or with the baseline and some rows only.

    Raises:
        ConfigError: If there is no such plan or row, or two rows could not be told apart.
    """
    if name not in PLANS:
        raise ConfigError(f"no plan {name!r}; there are {', '.join(PLANS)}")
    plan = PLANS[name]
    rows = (*plan.rows, *(_row(text) for text in more))
    labels = [row.label for row in rows]
    if unknown := [label for label in only if label not in labels]:
        raise ConfigError(f"{name} has no row {unknown[0]!r}; it has {', '.join(labels)}")
    if only:
        rows = (rows[0], *(row for row in rows[1:] if row.label in only))
    folder, times = Counter(_folder(row.label) for row in rows).most_common(1)[0]
    if times > 1:
        raise ConfigError(f"{times} rows would be written to {folder!r}; name each of them once")
    return replace(plan, rows=rows)


def resolve_runs(
    plan: Plan, shared: Config, seeds: int, opened: Callable[[DataSettings], SkeletonData]
) -> Runs:
    """Return all configurations, seed by seed, so that rows can be compared from the first on.

    Raises:
        ConfigError: If one is wrong, before anything is trained.
    """
    runs: Runs = {}
    for seed in range(shared.seed, shared.seed + seeds):
        for row in plan.rows:
            config = replace(with_overrides(shared, row.assignments), seed=seed)
            source = opened(config.data)
            split, _ = choose_split(source, config.data.split)
            runs[row.label, seed] = replace(config, data=replace(config.data, split=split))
    return runs


def is_finished(out: Path, key: tuple[str, int], config: Config) -> bool:
    """Return whether a row was run with a seed to the end.

    Raises:
        ConfigError: If it was run with another configuration.
    """
    run = RunDirectory(run_directory(out, key))
    if not run.begun or run.read_summary() is None:
        return False
    if read_config(run.config) != config:
        raise ConfigError(
            f"{run.path} was run with another configuration; repeat it with the same options, or "
            "choose another --out"
        )
    return True


def run_directory(out: Path, key: tuple[str, int]) -> Path:
    """Return where the run of a row and seed lies."""
    label, seed = key
    return out / _folder(label) / f"seed{seed}"


def _row(text: str) -> Row:
    try:
        return Row(text, tuple(shlex.split(text)))
    except ValueError as error:
        raise ConfigError(f"--row takes section.key=value ..., got {text!r}: {error}") from error


def _folder(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", label).strip("_.")[:100] or "row"


def _write(out: Path, plan: Plan, measurements: Sequence[Measurement]) -> list[Finding]:
    found = findings(plan, measurements)
    write_text(out / "results.csv", as_csv(measurements))
    write_text(out / "results.md", as_markdown(plan, found))
    return found


def _print(plan: Plan, found: Sequence[Finding]) -> None:
    for part in dict.fromkeys(each.part for each in found):
        table = Table("row", "top-1", "difference to the first", box=None)
        for each in found:
            if each.part == part and each.metric == "top1":
                difference = spoken(each.difference, "+") if each.difference else ""
                table.add_row(escape(each.row), escape(spoken(each.mean)), escape(difference))
        console.print(f"[bold]{escape(plan.title)}: {escape(part)}[/]", table)
