"""The command: its help, its statuses, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from skeletonagent.cli import main
from skeletonagent.cli.app import app
from skeletonagent.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    SkeletonAgentError,
    TrainingError,
    TrainingInterrupted,
)
from skeletonagent.experiments import curve_config, resolve


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command below a group with the words it is called by."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["skeletonagent", *arguments])
    with pytest.raises(SystemExit) as ended:
        sys.exit(main.execute())
    return int(ended.value.code or 0)


def failing(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_all_commands_are_there() -> None:
    assert set(COMMANDS) == {
        ("demo",), ("train",), ("baseline",), ("evaluate",), ("predict",), ("export",), ("serve",),
        ("ensemble",), ("ablate",), ("convert-checkpoint",), ("data", "list"), ("data", "check"),
        ("data", "convert"), ("data", "download"), ("data", "import"), ("data", "view"),
        ("dialogues", "import"), ("pose", "fetch"), ("pose", "estimate"),
        ("dialogues", "check"), ("dialogues", "claims"), ("report",),
        ("dialogues", "show"), ("dialogues", "estimate"), ("dialogues", "export"),
        ("dialogues", "ping"), ("pretrain",),
        ("actions", "add"), ("actions", "list"), ("actions", "remove"),
        ("config", "show"), ("runs", "list"), ("runs", "show"), ("curve",),
        ("merge-predictions",), ("page",), ("push",), ("pull",),
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_holds_examples_that_can_be_typed(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *path, "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Example" in shown
    lines = [line.strip() for line in COMMANDS[path].help.splitlines()]
    examples = [line for line in lines if line.startswith("skeletonagent ")]
    assert examples
    for example in examples:
        assert example in shown
        words = shlex.split(example.partition(" > ")[0])[1:]
        assert tuple(words[: len(path)]) == path
        COMMANDS[path].make_context("example", words[len(path) :])


def test_without_a_command_help_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch) == 2
    shown = capsys.readouterr()
    assert "demo" in shown.out + shown.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("no [bold]such[/bold] key"), 2),
        (DataError("is damaged", path=Path("a [b].npz"), sample="s1"), 1),
        (CheckpointError("is damaged"), 1),
        (TrainingError("the loss is not finite"), 1),
        (SkeletonAgentError("something else"), 1),
        (OSError(errno.EACCES, "Permission denied", "out/x"), 1),
    ],
)
def test_an_error_is_one_message_and_a_status(
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(error))
    assert typed(monkeypatch, "train") == status
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {error}\n")


def test_a_long_message_is_not_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DataError("is damaged", path=Path("/a/long/path" * 20))
    monkeypatch.setattr(resolve, "plan_training", failing(error))
    typed(monkeypatch, "train")
    assert capsys.readouterr().err == f"error: {error}\n"


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(DataError("is damaged")))
    monkeypatch.setattr(sys, "argv", ["skeletonagent", "--debug", "train"])
    with pytest.raises(DataError):
        sys.exit(main.execute())


def test_mistakes_of_the_program_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(ZeroDivisionError()))
    monkeypatch.setattr(sys, "argv", ["skeletonagent", "train"])
    with pytest.raises(ZeroDivisionError):
        sys.exit(main.execute())


def test_an_interruption_has_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(KeyboardInterrupt()))
    assert typed(monkeypatch, "train") == 130


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["train"], "interrupted; continue with the same command and --resume\n"),
        (["--quiet", "train"], "interrupted; continue with the same command and --resume\n"),
        (["ablate", "guidance", "--out", "x"], "interrupted; continue with the same command\n"),
        (["curve", "mine"], "interrupted; continue with the same command\n"),
        (["config", "show", "sbu"], "interrupted\n"),
        (["dialogues", "estimate", "sbu"], "interrupted\n"),
    ],
)
def test_a_hint_belongs_to_the_command_that_was_run(
    command: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(KeyboardInterrupt()))
    monkeypatch.setattr(resolve, "resolve_config", failing(KeyboardInterrupt()))
    monkeypatch.setattr(curve_config, "curve_config", failing(KeyboardInterrupt()))
    assert typed(monkeypatch, *command) == 130
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_what_to_do(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, "no room", "out/x")
    monkeypatch.setattr(resolve, "plan_training", failing(error))
    assert typed(monkeypatch, "train") == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {error}; free some space") and "--resume" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGINT, 130)],
)
def test_what_was_stopped_and_saved_has_a_status_and_a_line(
    number: signal.Signals,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(resolve, "plan_training", failing(TrainingInterrupted(number)))
    assert typed(monkeypatch, "train") == status
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (
        "", f"{TrainingInterrupted(number)}; continue with the same command and --resume\n"
    )  # fmt: skip


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"skeletonagent {version('skeletonagent')}\n"


def test_quiet_prints_results_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.npz").write_text("")
    assert typed(monkeypatch, "data", "list", str(tmp_path)) == 0
    assert "skipped" in capsys.readouterr().err
    assert typed(monkeypatch, "--quiet", "data", "list", str(tmp_path)) == 0
    shown = capsys.readouterr()
    assert "synthetic" in shown.out and shown.err == ""
    assert typed(monkeypatch, "data", "list", str(tmp_path)) == 0
    assert "skipped" in capsys.readouterr().err


def test_a_completion_script_is_printed() -> None:
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "skeletonagent", "--show-completion", "bash"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "complete" in done.stdout and done.stderr == ""
