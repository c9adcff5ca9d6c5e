"""``skeletonagent config``: the configuration that a training would have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skeletonagent.cli.console import output, print_json, print_remark, print_text
from skeletonagent.cli.options import RecipeOption, SetOption, SizeOption
from skeletonagent.experiments.recipes import PresetSize, Recipe


def show_config(
    config: Annotated[
        str | None, typer.Argument(help="A preset or a YAML file; none lists the presets.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Stream, such as bone or b.")] = None,
    data: Annotated[Path | None, typer.Option(help="A skeleton archive.")] = None,
    preset_size: SizeOption = None,
    recipe: RecipeOption = Recipe.PAPER,
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the resolved configuration of a preset or a file.

    Examples:
      skeletonagent config show

      skeletonagent config show utd-mhad --set training.epochs=10 > mine.yaml
    """
    from skeletonagent.experiments.config import config_to_dict, config_to_yaml
    from skeletonagent.experiments.presets import PRESETS, require_variants
    from skeletonagent.experiments.resolve import resolve_config

    if config is None:
        if as_json:
            print_json({"presets": list(PRESETS)})
            return
        for name, preset in PRESETS.items():
            summary = (preset.__doc__ or "").splitlines()[0]
            output.print(f"[bold]{name:17}[/] {summary}", soft_wrap=True)
        return
    require_variants(config, preset_size, None)
    size = preset_size or PresetSize.SMALL
    resolved = resolve_config(
        config, size, stream, data, set_ or [], recipe, on_remark=print_remark
    )
    if as_json:
        print_json(config_to_dict(resolved))
    else:
        print_text(config_to_yaml(resolved))
