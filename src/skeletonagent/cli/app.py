"""Typer application with the options that all commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from skeletonagent import __version__
from skeletonagent.cli.commands import COMMANDS
from skeletonagent.cli.lazy_group import lazy_group

app = typer.Typer(
    name="skeletonagent",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> bool:
    """Print the version and end, if that is wanted."""
    if wanted:
        typer.echo(f"skeletonagent {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the package's log records too.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Recognise human actions from skeletons, guided by agents.

    The agents ask a language model what tells apart the classes that are confused in training.

    Examples:
      skeletonagent demo

      skeletonagent train synthetic --out runs/first

      skeletonagent data --help
    """
    del version, debug  # main.execute looks at --debug
    from skeletonagent.cli.console import set_verbosity

    set_verbosity(quiet=quiet, verbose=verbose)
