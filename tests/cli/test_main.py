"""The command: its help, its statuses, and what becomes of errors."""

from __future__ import annotations

import errno
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from skeletonagent.cli import main, train
from skeletonagent.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    SkeletonAgentError,
    TrainingError,
    TrainingInterrupted,
)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command below a group with the words it is called by."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(main.app)))


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["skeletonagent", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.run()
    return int(ended.value.code or 0)


def failing(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_all_commands_are_there() -> None:
    assert set(COMMANDS) == {
        ("demo",), ("train",), ("evaluate",), ("ensemble",), ("ablate",),
        ("convert-checkpoint",), ("data", "list"), ("data", "check"), ("data", "convert"),
        ("data", "download"), ("dialogues", "import"), ("dialogues", "check"), ("report",),
        ("dialogues", "show"), ("dialogues", "estimate"), ("dialogues", "export"),
        ("config", "show"), ("runs", "list"), ("runs", "show"),
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
    monkeypatch.setattr(train, "resolve_config", failing(error))
    assert typed(monkeypatch, "train") == status
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {error}\n")


def test_a_long_message_is_not_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DataError("is damaged", path=Path("/a/long/path" * 20))
    monkeypatch.setattr(train, "resolve_config", failing(error))
    typed(monkeypatch, "train")
    assert capsys.readouterr().err == f"error: {error}\n"


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "resolve_config", failing(DataError("is damaged")))
    monkeypatch.setattr(sys, "argv", ["skeletonagent", "--debug", "train"])
    with pytest.raises(DataError):
        main.run()


def test_mistakes_of_the_program_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "resolve_config", failing(ZeroDivisionError()))
    monkeypatch.setattr(sys, "argv", ["skeletonagent", "train"])
    with pytest.raises(ZeroDivisionError):
        main.run()


def test_an_interruption_has_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "resolve_config", failing(KeyboardInterrupt()))
    assert typed(monkeypatch, "train") == 130


def test_an_interruption_tells_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "resolve_config", failing(KeyboardInterrupt()))
    typed(monkeypatch, "train")
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_what_to_do(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, "no room", "out/x")
    monkeypatch.setattr(train, "resolve_config", failing(error))
    assert typed(monkeypatch, "train") == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {error}; make room") and "--resume" in told
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
    monkeypatch.setattr(train, "resolve_config", failing(TrainingInterrupted(number)))
    assert typed(monkeypatch, "train") == status
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{TrainingInterrupted(number)}\n")
