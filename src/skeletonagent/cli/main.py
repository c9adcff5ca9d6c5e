"""The command ``skeletonagent``."""

from __future__ import annotations

import errno
import sys
from signal import SIGINT
from typing import Annotated

import typer

from skeletonagent.cli.ablate import ablate
from skeletonagent.cli.checkpoints import convert_checkpoint
from skeletonagent.cli.configs import app as config_app
from skeletonagent.cli.console import console, error_console
from skeletonagent.cli.data import app as data_app
from skeletonagent.cli.demo import demo
from skeletonagent.cli.dialogues import app as dialogues_app
from skeletonagent.cli.ensemble import ensemble
from skeletonagent.cli.evaluate import evaluate
from skeletonagent.cli.report import report
from skeletonagent.cli.runs import app as runs_app
from skeletonagent.cli.train import train
from skeletonagent.core.errors import ConfigError, SkeletonAgentError, TrainingInterrupted
from skeletonagent.experiments.processes import follow_parent

INTERRUPTED = 130
"""Status after Ctrl-C, as shells have it."""
TERMINATED = 143
"""Status after SIGTERM, as shells have it, and after whatever else a scheduler sends."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

app = typer.Typer(
    name="skeletonagent",
    help="Recognise human actions from skeletons, guided by agents that ask what tells confused "
    "classes apart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("demo")(demo)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("ensemble")(ensemble)
app.command("ablate")(ablate)
app.command("report")(report)
app.command("convert-checkpoint")(convert_checkpoint)
app.add_typer(data_app, name="data")
app.add_typer(dialogues_app, name="dialogues")
app.add_typer(config_app, name="config")
app.add_typer(runs_app, name="runs")


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Recognise human actions from skeletons, guided by agents."""


def run() -> None:
    """Run the command line: status 0 done, 1 failed, 2 wrong usage, 130 or 143 stopped."""
    follow_parent()
    try:
        app()
    except SystemExit as exit_:
        if exit_.code == INTERRUPTED:
            console.print(
                "[red]interrupted[/]; the same command goes on from there ('train' with --resume)"
            )
        raise
    except TrainingInterrupted as stopped:
        _print(str(stopped))
        sys.exit(INTERRUPTED if stopped.signal == SIGINT else TERMINATED)
    except (SkeletonAgentError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        _print(f"error: {error}{_advice(error)}")
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _print(line: str) -> None:
    error_console.print(line, style="red", markup=False, soft_wrap=True)


def _advice(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _FULL:
        return "; make room there, then repeat the command ('train' with --resume)"
    return ""
