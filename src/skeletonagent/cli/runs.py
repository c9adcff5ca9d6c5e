"""``skeletonagent runs``: what runs there are and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, exchange_panel, print_json, report_corrupt
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.experiments.config import read_config, to_dict
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

app = typer.Typer(no_args_is_help=True, help="Look at training runs.")


@app.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(help="Where to look for runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the runs below a folder.

    Example:
      skeletonagent runs list runs
    """
    table = Table("run", "data", "split", "stream", "seed", "epochs", "top-1", box=None)
    found = []
    for config in sorted(folder.rglob("config.yaml")):
        facts = _facts(RunDirectory(config.parent))
        found.append(facts)
        top1 = "-" if facts["top1"] is None else f"{facts['top1']:.2%}"
        table.add_row(
            *(escape(str(facts[k])) for k in ("run", "data", "split", "stream", "seed", "epochs")),
            top1,
        )
    console.print(table)
    if as_json:
        print_json({"runs": found})


@app.command()
def show(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    classes: Annotated[
        int, typer.Option("--classes", help="How many classes' dialogue to show.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a run: configuration, last metrics, and the latest guidance.

    Example:
      skeletonagent runs show runs/utd
    """
    directory = RunDirectory(run)
    if not directory.exists:
        raise DataError("holds no run; 'skeletonagent runs list' finds them", path=run)
    facts = _facts(directory)
    for key, value in facts.items():
        console.print(f"[bold]{key:10}[/] {escape(str(value))}")
    records = directory.read_metrics()
    if records:
        shown = Table(*records[-1], box=None)
        for record in records[-3:]:
            shown.add_row(
                *(f"{v:.4g}" if isinstance(v, float) else str(v) for v in record.values())
            )
        console.print(shown)
    checkpoint = report_corrupt(directory.checkpoints.latest())
    if checkpoint is not None:
        _print_guidance(checkpoint, classes)
    if as_json:
        print_json({**facts, "config": to_dict(read_config(directory.config)), "metrics": records})


def _print_guidance(checkpoint: Checkpoint, classes: int) -> None:
    facts = checkpoint.metadata
    layout = SkeletonLayout.from_json(facts["layout"])
    guidance = Guidance.from_json(facts["guidance"], layout)
    for told in sorted(guidance.classes, key=lambda item: -len(item.rivals))[:classes]:
        console.print(exchange_panel(told, guidance))


def _facts(directory: RunDirectory) -> dict[str, Any]:
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
