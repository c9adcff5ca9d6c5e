"""``skeletonagent actions``: actions that a run knows by examples or words, without a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json, warnings_on_console
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.llm.chat import Chat

RunArgument = Annotated[Path, typer.Argument(help="Run directory that 'train' wrote.")]
NameArgument = Annotated[str, typer.Argument(help="Name of the action.")]


def add(
    run: RunArgument,
    name: NameArgument,
    examples: Annotated[
        list[Path] | None,
        typer.Option(
            "--examples", help="A file of the action alone, as 'predict' takes it; once for each."
        ),
    ] = None,
    describe: Annotated[
        str,
        typer.Option(
            help="Claims with semicolons between them, the name of a class that bundled notes "
            "describe, or, with --chat, free words."
        ),
    ] = "",
    chat: Annotated[
        str | None,
        typer.Option(help="provider:model or NAME@ADDRESS that turns free words into claims."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Archive of the training, if it is not where it was.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Base that a new run begins with: a run, or base for the package's."),
    ] = None,
) -> None:
    """Teach a run an action from one to five examples, a description or both; 'predict' knows it.

    A claim is a part of the body, a motion feature and 'more' or 'less', of all other actions or
    'than' one of them.

    Examples:
      skeletonagent actions add runs/mine "raise hand" --examples one.npy --examples two.npy

      skeletonagent actions add runs/mine salute --describe "right hand head distance less"

      skeletonagent actions add runs/mine bowl --describe "bowling (right hand)"

      skeletonagent actions add runs/known wave --examples wave.npy --base base
    """
    from skeletonagent.inference.action_examples import add_action

    if chat is not None and not describe:
        raise ConfigError("--chat turns a description into claims; give one with --describe")
    with warnings_on_console():
        asked = None if chat is None else _language_model(chat)
        action = add_action(
            run, name, examples or (), describe=describe, chat=asked, data=data, base=base
        )
    console.print(
        f"{run} knows {action.name!r} from {action.made_of}", markup=False, soft_wrap=True
    )
    if chat is not None and action.description is not None:
        for claim in action.description.claims:
            console.print(f"  {claim}", markup=False, soft_wrap=True)


def _language_model(chat: str) -> Chat:
    """Return a language model of the default settings."""
    from skeletonagent.agents.settings import AgentSettings
    from skeletonagent.llm.budget import Budget
    from skeletonagent.llm.chats.build import build_chat

    settings = AgentSettings()
    budget = Budget(settings.max_requests, settings.max_tokens, settings.max_dollars)
    return build_chat([chat], settings.provider, budget)


def list_added(
    run: RunArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the actions that were added to a run, and what they are made of.

    Examples:
      skeletonagent actions list runs/mine
    """
    from skeletonagent.inference.action_examples import list_actions

    actions = list_actions(run)
    if as_json:
        listed = [
            {
                "name": action.name,
                "examples": action.examples,
                "claims": list(action.description.claims) if action.description else [],
            }
            for action in actions
        ]
        print_json({"actions": listed})
        return
    table = Table("action", "examples", "claims", box=None)
    for action in actions:
        claims = action.description.claims if action.description else ()
        table.add_row(escape(action.name), str(action.examples), escape(_in_short(claims)))
    output.print(table)


def _in_short(claims: Sequence[str]) -> str:
    """Return claims against all other actions, and the number of those against single ones."""
    general = [claim for claim in claims if " than " not in claim]
    single = len(claims) - len(general)
    more = [f"and {single} against single classes"] if single else []
    return "; ".join([*general, *more])


def remove(run: RunArgument, name: NameArgument) -> None:
    """Take away an action that was added to a run.

    Examples:
      skeletonagent actions remove runs/mine "raise hand"
    """
    from skeletonagent.inference.action_examples import remove_action

    remove_action(run, name)
    console.print(f"{run} no longer knows {name!r}", markup=False, soft_wrap=True)
