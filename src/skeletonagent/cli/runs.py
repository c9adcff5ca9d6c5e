"""``skeletonagent runs``: training runs in a folder, and one of them in detail."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_json, print_warning
from skeletonagent.core.errors import DataError, SkeletonAgentError
from skeletonagent.core.outside_text import printable_line

if TYPE_CHECKING:
    from skeletonagent.training.run_directory import RunDirectory

_EPOCHS_SHOWN = 3
"""Last epochs whose metrics are shown; --json has all."""


def list_runs(
    folder: Annotated[Path, typer.Argument(help="Folder with runs at any depth.")] = Path("runs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list as JSON instead of a table.")
    ] = False,
) -> None:
    """List the runs below a folder.

    Example:
      skeletonagent runs list runs
    """
    from skeletonagent.training.run_directory import RunDirectory

    paths = sorted(config.parent for config in folder.rglob("config.yaml"))
    runs = [_listed(RunDirectory(path)) for path in paths]
    if as_json:
        print_json({"runs": runs})
        return
    table = Table("run", "data", "split", "stream", "seed", "epochs", "top-1", box=None)
    for run in runs:
        top1 = "-" if run["top1"] is None else f"{run['top1']:.2%}"
        keys = ("run", "data", "split", "stream", "seed", "epochs")
        table.add_row(*(escape(printable_line(run[key])) for key in keys), top1)
    output.print(table)
    for run in runs:
        if problem := run.get("problem"):
            print_warning(problem, on=output)


def show_run(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    classes: Annotated[
        int, typer.Option("--classes", min=0, help="Number of classes whose guidance is shown.")
    ] = 3,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON instead of tables.")
    ] = False,
) -> None:
    """Show a run: configuration, last metrics, and the latest guidance.

    Example:
      skeletonagent runs show runs/utd
    """
    from skeletonagent.cli.progress import exchange_panel, report_corrupt
    from skeletonagent.experiments.config import config_to_dict, read_config
    from skeletonagent.experiments.metadata import RecognizerMetadata
    from skeletonagent.training.run_directory import RunDirectory

    directory = RunDirectory(run)
    if not directory.exists:
        raise DataError("holds no run; 'skeletonagent runs list' finds them", path=run)
    summary, records = _summary(directory), directory.read_metrics()
    checkpoint = report_corrupt(directory.checkpoints.latest())
    if as_json:
        config = config_to_dict(read_config(directory.config))
        print_json({**summary, "config": config, "metrics": records})
        return
    for key, value in summary.items():
        output.print(f"[bold]{key:10}[/] {escape(str(value))}", soft_wrap=True)
    if records:
        output.print(_metrics_table(records[-_EPOCHS_SHOWN:]))
    if checkpoint is not None:
        layout = RecognizerMetadata.from_json(checkpoint.metadata).layout
        guidance = checkpoint.guidance(layout)
        for item in sorted(guidance.classes, key=lambda item: -len(item.rivals))[:classes]:
            output.print(exchange_panel(item, layout))


def _metrics_table(records: list[dict[str, Any]]) -> Table:
    from skeletonagent.training.callbacks import EpochRecord

    columns = [field.name for field in fields(EpochRecord)]
    table = Table(*columns, box=None)
    for record in records:
        values = map(record.get, columns)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    return table


def _listed(directory: RunDirectory) -> dict[str, Any]:
    """Return the summary of a run; of one that is damaged its path and what is wrong with it."""
    try:
        return _summary(directory)
    except SkeletonAgentError as error:
        unknown = dict.fromkeys(("data", "split", "stream", "seed", "epochs"), "?")
        return {"run": str(directory.path), **unknown, "top1": None, "problem": str(error)}


def _summary(directory: RunDirectory) -> dict[str, Any]:
    from skeletonagent.experiments.config import read_config

    config = read_config(directory.config)
    summary = directory.read_summary() or {}
    return {
        "run": str(directory.path),
        "data": config.data.archive,
        "split": config.data.split,
        "stream": config.clips.stream.value,
        "seed": config.seed,
        "epochs": f"{len(directory.read_metrics())}/{config.training.epochs}",
        "top1": summary.get("top1"),
    }
