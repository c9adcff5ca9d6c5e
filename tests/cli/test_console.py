"""Consoles: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from threading import Thread

import pytest
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import (
    console,
    error_console,
    output,
    print_json,
    print_remark,
    print_warning,
    set_verbosity,
    warnings_at_once,
)


@pytest.fixture(autouse=True)
def usual_verbosity() -> Iterator[None]:
    """Undo what a test sets."""
    yield
    set_verbosity(quiet=False, verbose=False)


def test_json_is_one_line_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "line\nbreak", "b": [1.5, None]})
    shown = capsys.readouterr()
    assert shown.err == "" and shown.out.count("\n") == 1
    assert json.loads(shown.out) == {"a": "line\nbreak", "b": [1.5, None]}


def test_results_and_remarks_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    output.print("a result")
    console.print("a remark")
    print_warning("odd [a]")
    print_warning("odd [b]", on=output)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("a result\n! odd [b]\n", "a remark\n! odd [a]\n")


def test_no_text_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2J\x9b31mc\u202ed"
    table = Table(bad)
    table.add_row(escape(bad))
    for printed in (bad, escape(bad), table):
        output.print(printed)
        error_console.print(printed, markup=False)
    print_remark(bad)
    print_warning(bad)
    shown = capsys.readouterr()
    assert "abcd" in shown.out and "abcd" in shown.err
    assert not any(mark in shown.out + shown.err for mark in "\x1b\x9b\x07\u202e")


@pytest.mark.parametrize("path", ["runs/run [v1]", "runs/fold[/1]", "[/]", "[red]", "a\\"])
def test_a_path_is_printed_as_it_was_given(capsys: pytest.CaptureFixture[str], path: str) -> None:
    print_remark(f"everything is in {path}")
    print_warning(path)
    assert capsys.readouterr().err == f"everything is in {path}\n! {path}\n"


def test_warnings_are_printed_as_they_come_each_once(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings_at_once():
        for _ in range(2):
            warnings.warn("it [hangs]", RuntimeWarning, stacklevel=1)
        assert capsys.readouterr().err == "! it [hangs]\n"
        thread = Thread(target=warnings.warn, args=("and so [on]", RuntimeWarning))
        thread.start()
        thread.join()
        assert capsys.readouterr().err == "! and so [on]\n"


def test_quiet_leaves_out_remarks(capsys: pytest.CaptureFixture[str]) -> None:
    set_verbosity(quiet=True, verbose=False)
    output.print("a result")
    console.print("a remark")
    print_json({})
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("a result\n{}\n", "")


def test_verbose_prints_log_records(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("skeletonagent.text.model_files")
    log.info("unseen")
    for _ in range(2):
        set_verbosity(quiet=False, verbose=True)
    log.info("found [a] in %s", "b")
    set_verbosity(quiet=False, verbose=False)
    log.info("unseen")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "info: skeletonagent.text.model_files: found [a] in b\n")


def test_of_several_processes_the_first_prints() -> None:
    code = """
from skeletonagent.cli.console import console, error_console, output, print_json
output.print("a result")
print_json({})
console.print("a remark")
error_console.print("an error")
"""
    launch = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    printed = {}
    for rank in "01":
        environment = {**os.environ, **launch, "RANK": rank}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment
        )
        printed[rank] = (done.stdout, done.stderr)
    assert printed == {
        "0": ("a result\n{}\n", "a remark\nan error\n"),
        "1": ("", "an error\n"),
    }


def test_a_table_is_not_cut_off_where_no_terminal_has_a_width() -> None:
    code = """
from rich.table import Table
from skeletonagent.cli.console import output
table = Table("a")
table.add_row("x" * 130)
output.print(table)
"""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "x" * 130 in done.stdout
