"""Lazy commands: the table is true, and help imports none of the commands' libraries."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest
import typer

from skeletonagent.cli.app import app
from skeletonagent.cli.commands import COMMANDS
from skeletonagent.cli.lazy_group import CommandTable, LazyCommand, LazySubgroup
from skeletonagent.core.errors import ConfigError

HEAVY = {"torch", "numpy", "scipy", "yaml", "jaxtyping", "transformers", "tokenizers"}


def entries(table: CommandTable, path: tuple[str, ...] = ()) -> Iterator[tuple[str, LazyCommand]]:
    """Yield every command of a table with the words it is called by."""
    for name, entry in table.items():
        if isinstance(entry, LazySubgroup):
            yield from entries(entry.commands, (*path, name))
        else:
            yield " ".join((*path, name)), entry


ENTRIES = dict(entries(COMMANDS))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_summary_is_the_first_line_of_the_docstring(name: str) -> None:
    entry = ENTRIES[name]
    function = getattr(import_module(entry.module), entry.attribute)
    assert (inspect.getdoc(function) or "").splitlines()[0] == entry.summary


def imported_by(*arguments: str) -> set[str]:
    """Return the packages that a command imports, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "skeletonagent", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["data", "--help"]])
def test_help_and_version_import_little(arguments: list[str]) -> None:
    imported = imported_by(*arguments)
    assert "skeletonagent" in imported and not imported & HEAVY


def test_the_help_of_no_command_imports_what_it_works_with() -> None:
    code = """
import contextlib, io, sys
from skeletonagent.cli.main import execute
for words in sys.argv[1].split(","):
    sys.argv = ["skeletonagent", *words.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert execute() == 0, words
    assert "Example" in shown.getvalue(), words
    print(words, *sorted(name for name in sys.modules if "." not in name))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(ENTRIES)], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        assert not set(line.split()) & HEAVY, line


def test_a_list_of_commands_imports_none() -> None:
    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="skeletonagent")
    table: CommandTable = {"nowhere": LazyCommand("no.such.module", "none", "A summary.")}
    lazy = LazySubgroup("Some commands.", table).load("some")
    assert lazy.list_commands(context) == ["nowhere"]
    assert lazy.get_command(context, "nowhere").help == "A summary."
    assert lazy.get_command(context, "other") is None
    with pytest.raises(ModuleNotFoundError):
        lazy.commands["nowhere"]


def test_a_mistyped_command_is_suggested() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skeletonagent", "tarin"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "'train'" in done.stderr and done.stdout == ""


def test_names_in_help_texts_are_those_of_the_tables() -> None:
    from skeletonagent.agents.released_dialogues import RELEASED
    from skeletonagent.cli.ablate import STUDY_NAMES
    from skeletonagent.cli.dialogues import BUNDLED_NAMES, RELEASED_NAMES
    from skeletonagent.cli.options import BENCHMARK_NAMES
    from skeletonagent.data.benchmarks import BENCHMARKS
    from skeletonagent.experiments.plans import STUDY_PLANS
    from skeletonagent.llm.class_notes import bundled_names

    assert ", ".join(BENCHMARKS) == BENCHMARK_NAMES
    assert ", ".join(RELEASED) == RELEASED_NAMES
    assert ", ".join(STUDY_PLANS) == STUDY_NAMES
    assert ", ".join(bundled_names()) == BUNDLED_NAMES


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["train", "synthetic", "--out", ""], "--out"),
        (["train", "synthetic", "--out="], "--out"),
        (["runs", "list", ""], "an argument"),
        (["demo", "--seeds", "1", "--out", ""], "--out"),
    ],
)
def test_an_empty_argument_is_no_path(arguments: list[str], place: str) -> None:
    with pytest.raises(ConfigError, match=f"^{place} is empty"):
        app(arguments, standalone_mode=False)
