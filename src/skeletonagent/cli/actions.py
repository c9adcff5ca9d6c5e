"""``skeletonagent actions``: actions that a run learns from a few examples, without a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json, warnings_on_console

RunArgument = Annotated[Path, typer.Argument(help="Run directory that 'train' wrote.")]
NameArgument = Annotated[str, typer.Argument(help="Name of the action.")]


def add(
    run: RunArgument,
    name: NameArgument,
    examples: Annotated[
        list[Path],
        typer.Option(
            "--examples", help="A file of the action alone, as 'predict' takes it; once for each."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Archive of the training, if it is not where it was.")
    ] = None,
) -> None:
    """Teach a run an action from one to five examples; 'predict' then knows it.

    Examples:
      skeletonagent actions add runs/mine "raise hand" --examples one.npy --examples two.npy
    """
    from skeletonagent.inference.action_examples import add_action

    with warnings_on_console():
        action = add_action(run, name, examples, data=data)
    count = f"{action.examples} example{'' if action.examples == 1 else 's'}"
    console.print(f"{run} knows {action.name!r} from {count}", markup=False, soft_wrap=True)


def list_added(
    run: RunArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the actions that were added to a run.

    Examples:
      skeletonagent actions list runs/mine
    """
    from skeletonagent.inference.action_examples import list_actions

    actions = list_actions(run)
    if as_json:
        listed = [{"name": action.name, "examples": action.examples} for action in actions]
        print_json({"actions": listed})
        return
    table = Table("action", "examples", box=None)
    for action in actions:
        table.add_row(escape(action.name), str(action.examples))
    output.print(table)


def remove(run: RunArgument, name: NameArgument) -> None:
    """Take away an action that was added to a run.

    Examples:
      skeletonagent actions remove runs/mine "raise hand"
    """
    from skeletonagent.inference.action_examples import remove_action

    remove_action(run, name)
    console.print(f"{run} no longer knows {name!r}", markup=False, soft_wrap=True)
