"""``skeletonagent dialogues estimate``: what a training would ask, and what that would cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.agents.cost_estimate import (
    CHARACTERS_A_TOKEN,
    DryRun,
    EstimatedUsage,
    read_trace,
)
from skeletonagent.agents.settings import AgentSettings
from skeletonagent.cli.console import console, print_json
from skeletonagent.cli.options import RecipeOption
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, SkeletonLayout
from skeletonagent.data.benchmarks import find_benchmark
from skeletonagent.experiments.build import open_dataset
from skeletonagent.experiments.build_agents import answers_offline
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.llm.budget import price
from skeletonagent.llm.chats.build import resolve_model

_TITLES = {
    "description": "description, once",
    "rounds_at_most": "targeted rounds, at most",
    "rounds_of_trace": "targeted rounds of the trace",
    "at_most": "[bold]together, at most[/]",
    "of_trace": "[bold]together, by the trace[/]",
    "released_schedule": "the released code's schedule",
}


@dataclass(frozen=True)
class Classes:
    """Whom the questions are about.

    Args:
        source: Where the names are from.
        names: In label order.
        layout: The skeleton.
    """

    source: str
    names: tuple[str, ...]
    layout: SkeletonLayout


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
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override section.key=value; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the estimate as JSON.")] = False,
) -> None:
    """Count questions, tokens and dollars of a training before anything is spent.

    Examples:
      skeletonagent dialogues estimate utd-mhad --set agents.chat=openai:gpt-4o

      skeletonagent dialogues estimate paper --data ntu60 --trace confusions.npz
    """
    chosen = resolve_config(config, PresetSize.SMALL, None, data, set_ or [], recipe)
    about = _made_up(classes) if classes else _classes_of(chosen.data.archive)
    usages = _usages(chosen, about, trace)
    costs = {name: _cost(chosen.agents, usage) for name, usage in usages.items()}
    facts = {
        "classes": len(about.names),
        "classes_from": about.source,
        "joints": about.layout.num_joints,
        "chat": chosen.agents.chat,
        "rounds": _rounds(chosen),
        "period": chosen.training.guidance_period,
        "characters_a_token": CHARACTERS_A_TOKEN,
    }
    _print(facts, usages, costs)
    if as_json:
        parts = {name: {**asdict(usages[name]), "dollars": costs[name]} for name in usages}
        print_json({**facts, **parts})


def _usages(config: Config, about: Classes, trace: Path | None) -> dict[str, EstimatedUsage]:
    """Return what the parts of a training come to."""
    settings, rounds = config.agents, _rounds(config)
    rehearsal = DryRun(
        about.names, about.layout, settings.max_rivals, settings.rival_share, settings.padded_rivals
    )
    described = rehearsal.description()
    most = sum(rehearsal.rounds_at_most(rounds), EstimatedUsage())
    found = {"description": described, "rounds_at_most": most}
    if trace is not None:
        counts = read_trace(trace)
        if counts.shape[1] != len(about.names):
            raise ConfigError(
                f"--trace {trace} is about {counts.shape[1]} classes, {about.source} has "
                f"{len(about.names)}; name the data it is from with --data or --classes"
            )
        found["rounds_of_trace"] = sum(rehearsal.rounds(counts), EstimatedUsage())
        found["of_trace"] = described + found["rounds_of_trace"]
    released = described + rehearsal.released_round() * rounds
    return {**found, "at_most": described + most, "released_schedule": released}


def _rounds(config: Config) -> int:
    """Return how often the agents are asked after the start: before every period but the first."""
    period = config.training.guidance_period
    return (config.training.epochs - 1) // period if period else 0


def _made_up(number: int) -> Classes:
    names = tuple(f"action number {label}" for label in range(1, number + 1))
    return Classes("--classes", names, KINECT_25)


def _classes_of(archive: str) -> Classes:
    """Return the classes of a benchmark, which need no data, or of an archive.

    Raises:
        DataError: If there is no archive.
    """
    benchmark = find_benchmark(archive)
    if benchmark is not None and not Path(archive).exists():
        return Classes(benchmark.title, benchmark.class_names, _completed(benchmark.layout))
    data = open_dataset(archive)
    return Classes(data.title, tuple(data.store.class_names), _completed(data.store.layout))


def _completed(layout: SkeletonLayout) -> SkeletonLayout:
    """Return the layout that trainings use, COCO's with the joints in the middle of the body."""
    return COCO_20 if layout.joints == COCO_17.joints else layout


def _cost(settings: AgentSettings, usage: EstimatedUsage) -> float | None:
    """Return the price in dollars; None where it is not known, 0 where no model is asked."""
    if answers_offline(settings.chat):
        return 0.0
    model = resolve_model(settings.provider, settings.chat)
    return price(model.model, usage.input_tokens, usage.output_tokens, model.base_url)


def _print(
    facts: dict[str, Any], usages: dict[str, EstimatedUsage], costs: dict[str, float | None]
) -> None:
    chat = facts["chat"]
    often = f", one every {facts['period']} epochs" if facts["rounds"] else ""
    console.print(
        f"{facts['classes']} classes ({escape(facts['classes_from'])}), {facts['joints']} joints, "
        f"{facts['rounds']} rounds{often}",
        soft_wrap=True,
    )
    table = Table("", box=None)
    for title in ("questions", "tokens read", "tokens written", "dollars"):
        table.add_column(title, justify="right")
    for name, title in _TITLES.items():
        if name in usages:
            usage, cost = usages[name], costs[name]
            figures = (usage.questions, usage.input_tokens, usage.output_tokens)
            dollars = "unknown" if cost is None else f"{cost:,.2f}"
            table.add_row(title, *(f"{figure:,}" for figure in figures), dollars)
    console.print(table)
    console.print(
        f"A token is taken for {facts['characters_a_token']} characters of the words and forms "
        "that would be sent. Answers that must be asked for again come on top; answers known from "
        "before cost nothing."
    )
    if answers_offline(chat):
        console.print(
            f"{escape(chat)} asks no language model, so nothing is spent; for the price of one add "
            "--set agents.chat=openai:gpt-4o"
        )
    elif None in costs.values():
        console.print(f"[yellow]![/] the price of {escape(chat)} is not known")
