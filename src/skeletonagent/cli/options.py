"""Options that several commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from skeletonagent.experiments.recipes import PresetSize, Recipe

SizeOption = Annotated[
    PresetSize,
    typer.Option(help="'small' for a CPU, 'paper' for a GPU, 'tiny' for studies of many runs."),
]
RecipeOption = Annotated[
    Recipe,
    typer.Option(
        help="'paper' does what its text says, 'released' what its code does, 'best' what our "
        "study of guidance found best."
    ),
]
