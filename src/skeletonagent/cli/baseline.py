"""``skeletonagent baseline``, and the line about it beside the result of a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json
from skeletonagent.cli.options import SetOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skeletonagent.experiments.config import Config


def baseline_command_line(
    archive: Annotated[str, typer.Argument(help="A skeleton archive, or 'synthetic'.")],
    split: Annotated[
        str | None, typer.Option(help="Split of the archive, its default one if none, or 'all'.")
    ] = None,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for baseline.json and the class probabilities of each method."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON instead of tables.")
    ] = False,
) -> None:
    """Say what methods without deep learning reach on an archive, in under a minute.

    Joints are preprocessed as for training (--set data.KEY=VALUE), and nothing is chosen on the
    test set. The results are kept, and 'train' and 'report' show them beside those of runs.

    Examples:
      skeletonagent baseline skeletons/mine

      skeletonagent baseline skeletons/nw_ucla --split all --out baselines/nw_ucla

      skeletonagent baseline skeletons/mine --set data.scale=none --json
    """
    from skeletonagent.experiments.baseline import require_sklearn
    from skeletonagent.experiments.baseline_record import (
        baseline_cache_folder,
        baseline_settings,
        run_baselines,
    )

    require_sklearn()
    records = run_baselines(baseline_settings(archive, set_ or ()), split, _print_method)
    for record in records:
        record.save(baseline_cache_folder(record.settings))
        if out is not None:
            record.save(out / str(record.settings.split) if len(records) > 1 else out)
    summaries = [record.summary() for record in records]
    if as_json:
        print_json({"baselines": summaries})
        return
    for summary in summaries:
        output.print(_table(summary))


def compute_missing_baselines(runs: Mapping[Path, Config]) -> None:
    """Compute and keep the baselines of the runs' data and splits that are not there yet."""
    from skeletonagent.experiments.baseline_record import (
        baseline_cache_folder,
        run_baselines,
        saved_baseline,
    )

    for config in runs.values():
        if saved_baseline(config.data) is None:
            for record in run_baselines(config.data, config.data.split, _print_method):
                record.save(baseline_cache_folder(record.settings))


def baselines_beside(
    runs: Mapping[Path, Config],
    summaries: Sequence[Mapping[str, Any]],
    ensembles: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the baseline of each split that has one, and keep it in the runs on that split.

    Args:
        runs: Configuration of each run by its directory.
        summaries: Summaries of the runs.
        ensembles: Reports on the fusions of the runs, where they are fused.
    """
    from skeletonagent.experiments.baseline_record import put_beside_run
    from skeletonagent.experiments.config import read_config
    from skeletonagent.training.run_directory import RunDirectory

    records: dict[str, list[dict[str, Any]]] = {}
    for run, planned in runs.items():
        file = RunDirectory(run).config
        data = (read_config(file) if file.exists() else planned).data
        if (record := put_beside_run(run, data)) is not None:
            records.setdefault(str(data.split), []).append(record["methods"][0])
    return [
        {
            "split": split,
            "method": methods[0]["name"],
            "top1": methods[0]["test"][split]["top1"],
            "runs": [summary["top1"] for summary in summaries if summary["split"] == split],
            "fused": [
                ensemble["fusions"][-1]["test"][split]["top1"]
                for ensemble in ensembles
                if ensemble["split"] == split and ensemble["fusions"]
            ],
            "p": methods[0].get("p") if len(methods) == 1 else None,
        }
        for split, methods in records.items()
    ]


def print_baseline_hint(runs: Mapping[Path, Config]) -> None:
    """Print the command that computes the baselines of the first run's data, as a remark."""
    from skeletonagent.experiments.baseline_record import baseline_command

    command = baseline_command(next(iter(runs.values())).data)
    line = f"to see what a method without deep learning reaches: {command}"
    console.print(line, markup=False, soft_wrap=True)


def print_beside(baselines: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each split, with the accuracies of its baseline and its runs."""
    for figures in baselines:
        values = figures["runs"]
        mean = f"{sum(values) / len(values):.2%}"
        line = f"baseline ({figures['method']}): {figures['top1']:.2%}; "
        line += f"this run: {mean}" if len(values) == 1 else f"mean of {len(values)} runs: {mean}"
        if figures["p"] is not None:
            line += f" (McNemar's test: p = {figures['p']:.2g})"
        if fused := figures["fused"]:
            line += f", fused: {sum(fused) / len(fused):.2%}"
        prefix = f"{figures['split']}, " if len(baselines) > 1 else ""
        output.print(prefix + line, markup=False, soft_wrap=True)


def _print_method(split: str, method: str) -> None:
    console.print(f"{split}: {method} ...", markup=False, soft_wrap=True)


def _table(summary: Mapping[str, Any]) -> Table:
    """Return the accuracies of all methods on each part of the test set."""
    table = Table(box=None)
    for name in ("method", "test set", "samples", "top-1", "95% interval", "processor seconds"):
        table.add_column(name, no_wrap=name in ("method", "top-1", "95% interval"))
    title = f"{summary['data']}, {summary['split']}, {summary['training_samples']} training samples"
    table.title, table.title_justify = escape(title), "left"
    for method in summary["methods"]:
        for number, (part, figures) in enumerate(method["test"].items()):
            table.add_row(
                "" if number else escape(method["name"]),
                escape(part),
                str(figures["samples"]),
                f"{figures['top1']:.2%}",
                f"{figures['low']:.2%} to {figures['high']:.2%}",
                "" if number else f"{method['processor_seconds']:.1f}",
            )
    return table
