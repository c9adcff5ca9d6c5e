"""Command group that imports a command's module only when the command is run or its help shown.

The group's own help and the completion of command names take what they show from a table, so they
need none of the libraries that the commands work with.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from skeletonagent.core.errors import ConfigError


@dataclass(frozen=True)
class LazyCommand:
    """Entry of a command in the table.

    Args:
        module: Module that defines the command.
        attribute: Name of its function there.
        summary: First line of the function's docstring.
    """

    module: str
    attribute: str
    summary: str

    def load(self, name: str) -> Any:
        """Import the module and return the command."""
        function = getattr(import_module(self.module), self.attribute)
        command = typer.Typer(add_completion=False, rich_markup_mode="rich")
        command.command(name, help=_help_text(function.__doc__))(function)
        return get_command(command)

    def listing(self, name: str) -> Any:
        """Return a command that shows the summary in a list and can do nothing else."""
        return TyperCommand(name, help=self.summary, rich_markup_mode="rich")


@dataclass(frozen=True)
class LazySubgroup:
    """Entry of a group of commands in the table.

    Args:
        summary: Help text of the group.
        commands: Entries of its commands by name.
    """

    summary: str
    commands: Mapping[str, LazyCommand]

    def load(self, name: str) -> Any:
        """Return the group; its commands' modules are not imported."""
        group = typer.Typer(
            name=name,
            cls=lazy_group(self.commands),
            help=self.summary,
            no_args_is_help=True,
            rich_markup_mode="rich",
            callback=_nothing,
        )
        return get_group(group)

    def listing(self, name: str) -> Any:
        """Return the group, which costs nothing to make."""
        return self.load(name)


CommandTable = Mapping[str, LazyCommand | LazySubgroup]
"""Commands and groups by name, in the order in which help lists them."""


def lazy_group(table: Mapping[str, LazyCommand] | CommandTable) -> type[TyperGroup]:
    """Return the class of a group with the commands of a table."""

    class LazyGroup(TyperGroup):
        """Group whose commands are imported when one is resolved."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands: Any = _LoadedCommands(table)

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names of the commands, in the table's order."""
            return list(table)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command for a list of commands: name and summary, nothing imported."""
            return table[cmd_name].listing(cmd_name) if cmd_name in table else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """Return the command that the arguments name, imported, and the other arguments."""
            _refuse_empty(args)
            name, command, rest = super().resolve_command(ctx, args)
            return name, command and self.commands[name], rest

    return LazyGroup


def _refuse_empty(args: Sequence[str]) -> None:
    """Refuse empty arguments, which an unset variable of a shell leaves: as a path they mean here.

    Raises:
        ConfigError: If there is one.
    """
    for before, argument in zip(["", *args], args, strict=False):
        option = argument.removesuffix("=")
        is_empty_option = option != argument and re.fullmatch(r"--[a-z][a-z-]*", option)
        if not argument or is_empty_option:
            place = option or (before if before.startswith("--") else "an argument")
            raise ConfigError(f"{place} is empty; name something, or leave it out")


class _LoadedCommands(Mapping[str, Any]):
    """Commands of a table by name, each imported when it is looked up."""

    def __init__(self, table: Mapping[str, LazyCommand] | CommandTable) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Any:
        return self._table[name].load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _help_text(docstring: str) -> str:
    """Return a docstring with each paragraph as one line, which a terminal breaks; not examples."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(
        text if "\n " in text or text.startswith(" ") else text.replace("\n", " ")
        for text in paragraphs
    )


def _nothing() -> None:
    """Do nothing before the group's command."""
