"""``skeletonagent config``: see what a run would do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.console import console, print_json
from skeletonagent.cli.options import RecipeOption, SizeOption
from skeletonagent.experiments.config import as_yaml, to_dict
from skeletonagent.experiments.presets import PRESETS
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import resolve_config

app = typer.Typer(no_args_is_help=True, help="See what a run would do.")


@app.command()
def show(
    config: Annotated[
        str | None, typer.Argument(help="A preset or a YAML file; none lists the presets.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream.")] = None,
    data: Annotated[Path | None, typer.Option(help="A skeleton archive.")] = None,
    preset_size: SizeOption = PresetSize.SMALL,
    recipe: RecipeOption = Recipe.PAPER,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override section.key=value.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the resolved configuration of a preset or a file.

    Examples:
      skeletonagent config show

      skeletonagent config show utd-mhad --set training.epochs=10 > mine.yaml
    """
    if config is None:
        for name, preset in PRESETS.items():
            console.print(f"[bold]{name:17}[/] {(preset.__doc__ or '').splitlines()[0]}")
        if as_json:
            print_json({"presets": list(PRESETS)})
        return
    resolved = resolve_config(config, preset_size, stream, data, set_ or [], recipe)
    if as_json:
        print_json(to_dict(resolved))
    else:
        sys.stdout.write(as_yaml(resolved))
