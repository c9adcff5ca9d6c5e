"""Trainings of the paper's recognizer with and without guidance, by paired seeds.

Example:
  python -m benchmarks.gpu_accuracy skeletons/utd_mhad --set device=cuda --json accuracy.json
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.api import train

KINDS = {"class loss alone": {"agents.chat": "none"}, "guided by the analyst": {}}


def main(
    archive: Annotated[Path, typer.Argument(help="Archive, of UTD-MHAD.")],
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a training.")] = 600,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Of the configuration, section.key=value.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Train each kind with each seed, and print the accuracies; the test set is looked at."""
    changes = dict(setting.split("=", 1) for setting in change or ())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for kind, own in KINDS.items():
                run = train(
                    "paper",
                    data=archive,
                    out=Path(folder, f"{seed}-{len(rows)}"),
                    overrides={"training.steps": steps, "seed": seed, **own, **changes},
                )
                assert run.summary is not None, "the training ended"
                rows.append({"seed": seed, "recipe": kind, "top1": run.summary["top1"]})
    print_rows(f"accuracy, {archive.name}, {steps} steps", rows)
    write_facts({"archive": archive.name, "steps": steps, "rows": rows}, json)


if __name__ == "__main__":
    typer.run(main)
