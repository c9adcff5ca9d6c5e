"""``skeletonagent ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import accuracy_cells, console, output, print_json
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def ensemble(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories that 'train' wrote.")
    ],
    weights: Annotated[
        str | None, typer.Option(help="A weight for each run, such as 2,2,1,1.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the weights on the runs' validation sets.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the fused class probabilities of all runs to this npz file."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON instead of tables.")
    ] = False,
) -> None:
    """Fuse runs on different streams of the same data, as the paper's ensembles do.

    Without --weights and --fit, static streams count twice as much as motion streams.

    Examples:
      skeletonagent ensemble runs/utd/j runs/utd/b

      skeletonagent ensemble runs/nw/j runs/nw/b runs/nw/jm runs/nw/bm --weights 2,2,1,1 --json
    """
    from skeletonagent.evaluation.ensemble import Ensemble
    from skeletonagent.experiments.fusion import choose_fusions, fusion_report, read_member

    if weights is not None and fit:
        raise ConfigError("--weights names the weights and --fit finds them; give one of the two")
    given = _parse_weights(weights) if weights is not None else None
    members = tuple(read_member(path) for path in runs)
    fusions = choose_fusions(members, given, fit=fit)
    report = fusion_report(members, fusions)
    if as_json:
        print_json(report)
    else:
        print_fusions(report)
    if out is not None:
        last = fusions[-1] if fusions else Ensemble("one run", members, (1.0,))
        last.predictions.save(out)
        console.print(f"class probabilities of {last.name}: {out}", markup=False, soft_wrap=True)


def print_fusions(report: Mapping[str, Any]) -> None:
    """Print a table for the test set and each of its parts."""
    for part in report["runs"][0]["test"]:
        output.print(_table(part, report["runs"], report["fusions"]))


def _parse_weights(text: str) -> list[float]:
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        raise ConfigError(f"--weights takes numbers with commas, got {text!r}") from None


def _table(
    part: str, runs: Sequence[Mapping[str, Any]], fusions: Sequence[Mapping[str, Any]]
) -> Table:
    title = f"{escape(part)}, {runs[0]['test'][part]['samples']} samples"
    table = Table("", "stream or weights", "top-1", "top-5", "mean over classes", box=None)
    table.title, table.title_justify = title, "left"
    for run in runs:
        table.add_row(escape(run["name"]), run["stream"], *accuracy_cells(run["test"][part]))
    for fusion in fusions:
        weights = " ".join(f"{weight:.3g}" for weight in fusion["weights"])
        name = f"[bold]{fusion['name']}[/]"
        table.add_row(name, weights, *accuracy_cells(fusion["test"][part]))
    return table
