"""``skeletonagent ensemble``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, print_json
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import (
    Ensemble,
    EnsembleMember,
    fitted_ensemble,
    paper_ensembles,
    paper_weights,
    require_one_task,
)
from skeletonagent.evaluation.predict import evaluate_parts
from skeletonagent.training.run_directory import RunDirectory


def ensemble(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories that 'train' wrote.")
    ],
    weights: Annotated[
        str | None, typer.Option(help="A weight for each run, such as 2,2,1,1.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the weights on the runs' validation samples.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the fused scores of all runs to this npz file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fuse runs that saw different streams of the same data, as the paper's ensembles do.

    Without --weights and --fit, static streams count twice as much as motion streams.

    Examples:
      skeletonagent ensemble runs/utd/j runs/utd/b

      skeletonagent ensemble runs/nw/j runs/nw/b runs/nw/jm runs/nw/bm --weights 2,2,1,1 --json
    """
    if weights is not None and fit:
        raise ConfigError("--weights names the weights and --fit finds them; give one of the two")
    given = _parse_weights(weights) if weights is not None else None
    members = tuple(read_member(path) for path in runs)
    fusions = choose_fusions(members, given, fit=fit)
    report = _report(members, fusions)
    print_fusions(report)
    if out is not None:
        whole = fusions[-1] if fusions else Ensemble("one run", members, (1.0,))
        whole.predictions.save(out)
        console.print(f"scores of {whole.name}: {out}", markup=False, soft_wrap=True)
    if as_json:
        print_json(report)


def fuse_runs(runs: Sequence[Path]) -> dict[str, Any]:
    """Return accuracies of runs and of the paper's fusions of them, as plain values.

    Raises:
        DataError: If a directory holds no finished run, or the runs are of different tasks.
    """
    members = tuple(read_member(path) for path in runs)
    return _report(members, choose_fusions(members, None, fit=False))


def print_fusions(report: dict[str, Any]) -> None:
    """Print a table for each test part."""
    for part in report["runs"][0]["test"]:
        console.print(_table(part, report["runs"], report["fusions"]))


def _report(members: Sequence[EnsembleMember], fusions: Sequence[Ensemble]) -> dict[str, Any]:
    parts = members[0].evaluation_parts
    return {
        "data": members[0].data,
        "split": members[0].split,
        "runs": [
            {"name": m.name, "stream": m.stream.value, "test": evaluate_parts(m.predictions, parts)}
            for m in members
        ],
        "fusions": [
            {
                "name": fusion.name,
                "runs": [member.name for member in fusion.members],
                "weights": list(fusion.weights),
                "test": evaluate_parts(fusion.predictions, parts),
            }
            for fusion in fusions
        ],
    }


def choose_fusions(
    members: Sequence[EnsembleMember], weights: Sequence[float] | None, *, fit: bool
) -> list[Ensemble]:
    """Return the fusions to report; the last is of all runs, and one run has none.

    Raises:
        DataError: If the runs are of different tasks.
    """
    require_one_task(members)
    fusions = paper_ensembles(members)
    everyone = tuple(members)
    if weights is not None:
        fusions.append(Ensemble("given weights", everyone, tuple(weights)))
    elif fit:
        fusions.append(fitted_ensemble(members))
    elif len(everyone) > 1 and not (fusions and fusions[-1].members == everyone):
        streams = [member.stream for member in everyone]
        fusions.append(Ensemble("all runs", everyone, paper_weights(streams)))
    return fusions


def read_member(path: Path) -> EnsembleMember:
    """Return a run as a member of an ensemble.

    Raises:
        DataError: If the directory holds no finished run, or lacks what tells its test parts.
    """
    run = RunDirectory(path)
    summary = run.read_summary()
    if summary is None or not run.predictions.exists():
        raise DataError(
            "holds no finished run; name directories with a predictions.npz, which 'train' writes",
            path=path,
        )
    validation = run.validation_predictions
    scores = ClassProbabilities.load(run.predictions)
    try:
        with np.load(run.confusions, allow_pickle=False) as file:
            class_names = tuple(file["class_names"].tolist())
        return EnsembleMember(
            name=str(path),
            data=summary["data"],
            split=summary["split"],
            stream=Stream(summary["stream"]),
            class_names=class_names,
            predictions=scores,
            evaluation_parts=_test_parts(path, summary, scores),
            validation_predictions=ClassProbabilities.load(validation)
            if validation.exists()
            else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise DataError(f"is damaged or no run of 'train': {error!r}", path=path) from error


def _test_parts(
    path: Path, summary: dict[str, Any], scores: ClassProbabilities
) -> dict[str, frozenset[str]]:
    """Return the sample ids of each part the run was tested on."""
    file = RunDirectory(path).evaluation_parts
    whole = frozenset(scores.sample_ids)
    if file.exists():
        parts = {name: frozenset(ids) for name, ids in json.loads(file.read_text()).items()}
        for name, ids in parts.items():
            if not ids or ids - whole:
                raise DataError(f"names samples of {name} that predictions.npz has not", path=file)
        return parts
    unknown = [name for name, part in summary["test"].items() if part["samples"] != len(whole)]
    if unknown:
        raise DataError(
            f"has no evaluation_parts.json that says which samples are {', '.join(unknown)}; "
            "'train --resume' of the same run writes it, without training again",
            path=path,
        )
    return dict.fromkeys(summary["test"], whole)


def _parse_weights(text: str) -> list[float]:
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        raise ConfigError(f"--weights takes numbers with commas, got {text!r}") from None


def _table(part: str, singles: list[dict[str, Any]], fusions: list[dict[str, Any]]) -> Table:
    title = f"{escape(part)}, {singles[0]['test'][part]['samples']} samples"
    table = Table("", "stream or weights", "top-1", "top-5", "mean over classes", box=None)
    table.title, table.title_justify = title, "left"
    for single in singles:
        table.add_row(escape(single["name"]), single["stream"], *_figures(single["test"][part]))
    for fusion in fusions:
        weights = " ".join(f"{weight:.3g}" for weight in fusion["weights"])
        name = f"[bold]{fusion['name']}[/]"
        table.add_row(name, weights, *_figures(fusion["test"][part]))
    return table


def _figures(test: dict[str, Any]) -> list[str]:
    return [f"{test[key]:.2%}" for key in ("top1", "top5", "mean_class")]
