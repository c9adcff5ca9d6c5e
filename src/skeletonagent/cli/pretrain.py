"""``skeletonagent pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.options import SetOption


def pretrain_command(
    archives: Annotated[
        list[Path] | None,
        typer.Argument(help="Skeleton archives of any layouts.", show_default=False),
    ] = None,
    generated: Annotated[
        int, typer.Option(min=0, help="Number of generated motions, each a class of its own.")
    ] = 0,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recordings that nobody labelled, or an archive; once for each.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Run directory to write.")] = Path("runs/base"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of motions and training.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option(help="Folder in which the weights alone are written, to be passed on."),
    ] = None,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON instead of a table.")
    ] = False,
) -> None:
    """Train a base on archives and generated motions, for trainings on few clips to begin with.

    All clips of the archives are taken, whatever their splits; every tenth of a class is held out.

    Examples:
      skeletonagent pretrain --generated 1000 --out runs/base

      skeletonagent pretrain utd_mhad nw_ucla --generated 1000 --out runs/base

      skeletonagent pretrain utd_mhad --unlabelled recordings --out runs/base
    """
    from skeletonagent.cli.console import (
        accuracy_table,
        console,
        output,
        print_json,
        print_remark,
        warnings_on_console,
    )
    from skeletonagent.cli.progress import watch
    from skeletonagent.experiments.pretraining import pretrain

    with warnings_on_console():
        summary = pretrain(
            *(archives or []),
            out=out,
            generated=generated,
            unlabelled=unlabelled or [],
            seed=seed,
            assignments=set_ or [],
            export=export,
            watch=watch,
            on_remark=print_remark,
        )
    if as_json:
        print_json(summary)
    else:
        output.print(accuracy_table(summary["test"]))
    console.print(
        f"begin with it: skeletonagent train --from {out} --data ARCHIVE",
        markup=False,
        soft_wrap=True,
    )
