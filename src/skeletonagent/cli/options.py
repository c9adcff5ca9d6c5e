"""Options that several commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from skeletonagent.experiments.recipes import PresetSize, Recipe

BENCHMARK_NAMES = (
    "ntu60, ntu120, kinetics-skeleton, finegym, uav-human, nw-ucla, utd-mhad, sbu, jhmdb"
)
"""Names of the benchmarks, for help texts: their module is slow to import."""

SizeOption = Annotated[
    PresetSize | None,
    typer.Option(
        help="'small' for a CPU (default), 'paper' for a GPU, 'tiny' for studies of many runs."
    ),
]
RecipeOption = Annotated[
    Recipe,
    typer.Option(
        help="'paper' follows the paper's text, 'released' the authors' code, for its benchmarks; "
        "'best', for utd-mhad, sbu, jhmdb and nw-ucla, is the best of our study of guidance."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be repeated."),
]
