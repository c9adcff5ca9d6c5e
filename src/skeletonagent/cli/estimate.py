"""``skeletonagent dialogues estimate``: the questions of a training, and their cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_json, print_warning
from skeletonagent.cli.options import RecipeOption, SetOption
from skeletonagent.experiments.recipes import PresetSize, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skeletonagent.agents.cost_estimate import EstimatedUsage

_TITLES = {
    "description": "description, once",
    "rounds_at_most": "targeted rounds, at most",
    "rounds_of_trace": "targeted rounds of the trace",
    "at_most": "[bold]together, at most[/]",
    "of_trace": "[bold]together, by the trace[/]",
    "released_schedule": "the released code's schedule",
}


def estimate(
    config: Annotated[
        str, typer.Argument(help="A preset ('config show' lists them) or a YAML file.")
    ] = "default",
    data: Annotated[
        Path | None,
        typer.Option(help="A skeleton archive, or the name of a benchmark such as ntu60."),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(min=2, help="Number of classes with made-up names, in place of data."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(help="Confusions of each round: an npz file, counts (rounds, classes, ...)."),
    ] = None,
    recipe: RecipeOption = Recipe.PAPER,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the estimate as JSON instead of a table.")
    ] = False,
) -> None:
    """Count questions, tokens and dollars of a training before anything is spent.

    Examples:
      skeletonagent dialogues estimate utd-mhad --set agents.chat=openai:gpt-4o

      skeletonagent dialogues estimate paper --data ntu60 --trace confusions.npz
    """
    from skeletonagent.agents.cost_estimate import CHARACTERS_A_TOKEN
    from skeletonagent.experiments.build_agents import answers_offline
    from skeletonagent.experiments.dialogue_cost import (
        classes_of_archive,
        estimate_dollars,
        estimate_usages,
        numbered_classes,
        targeted_rounds,
    )
    from skeletonagent.experiments.resolve import resolve_config

    resolved = resolve_config(config, PresetSize.SMALL, None, data, set_ or [], recipe)
    about = numbered_classes(classes) if classes else classes_of_archive(resolved.data.archive)
    usages = estimate_usages(resolved, about, trace)
    dollars = {name: estimate_dollars(resolved.agents, usage) for name, usage in usages.items()}
    premises = {
        "classes": len(about.names),
        "classes_from": about.source,
        "joints": about.layout.num_joints,
        "chat": resolved.agents.chat,
        "rounds": targeted_rounds(resolved),
        "period": resolved.training.guidance_period,
        "characters_a_token": CHARACTERS_A_TOKEN,
    }
    if as_json:
        parts = {name: {**asdict(usages[name]), "dollars": dollars[name]} for name in usages}
        print_json({**premises, **parts})
    else:
        _print(premises, usages, dollars, offline=answers_offline(resolved.agents.chat))


def _print(
    premises: Mapping[str, Any],
    usages: Mapping[str, EstimatedUsage],
    dollars: Mapping[str, float | None],
    *,
    offline: bool,
) -> None:
    chat = premises["chat"]
    often = f", one every {premises['period']} epochs" if premises["rounds"] else ""
    output.print(
        f"{premises['classes']} classes ({escape(premises['classes_from'])}), "
        f"{premises['joints']} joints, {premises['rounds']} rounds{often}",
        soft_wrap=True,
    )
    table = Table("", box=None)
    for title in ("questions", "tokens read", "tokens written", "dollars"):
        table.add_column(title, justify="right")
    for name, title in _TITLES.items():
        if name in usages:
            usage, cost = usages[name], dollars[name]
            figures = (usage.questions, usage.input_tokens, usage.output_tokens)
            amount = "unknown" if cost is None else f"{cost:,.2f}"
            table.add_row(title, *(f"{figure:,}" for figure in figures), amount)
    output.print(table)
    output.print(
        f"A token is counted as {premises['characters_a_token']} characters of the texts and "
        "answer forms that would be sent. Questions that must be asked again come on top; "
        "answers in the cache cost nothing."
    )
    if offline:
        output.print(
            f"{escape(chat)} asks no language model, so nothing is spent; for the price of one add "
            "--set agents.chat=openai:gpt-4o"
        )
    elif None in dollars.values():
        print_warning(f"the price of {chat} is not known", on=output)
