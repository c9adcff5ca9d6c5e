"""Provenance of a run: commands as typed, the commit of our own source, sessions that add up."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.experiments import provenance
from skeletonagent.experiments.provenance import add_session, command_line, source_commit
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.run_files import remove_run


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["/env/bin/skeletonagent", "train", "sbu"], "skeletonagent train sbu"),
        (["/lib/skeletonagent/__main__.py", "train"], "python -m skeletonagent train"),
        (["mine.py", "--out", "a b"], "python mine.py --out 'a b'"),
        ([""], ""),
        ([], ""),
    ],
)
def test_a_command_is_what_a_shell_takes(arguments: list[str], line: str) -> None:
    assert command_line(arguments) == line


def test_a_command_is_one_printable_line() -> None:
    line = command_line(["skeletonagent", "train", "--out", "a\x1b]0;title\x07\nb"])
    assert line.isprintable() and "train --out" in line
    assert len(command_line(["skeletonagent", "x" * 100_000])) < 5000


def test_sessions_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(tmp_path)
    assert run.read_sessions() == []
    for command in ("train sbu", "train --resume"):
        monkeypatch.setattr("sys.argv", ["/bin/skeletonagent", *shlex.split(command)])
        add_session(run)
    commands = [session["command"] for session in run.read_sessions()]
    assert commands == ["skeletonagent train sbu", "skeletonagent train --resume"]
    assert all(session["machine"] and session["version"] for session in run.read_sessions())


def test_a_damaged_record_does_not_end_a_training(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.provenance.write_text('{"sessions": [{"started": 5}]}')
    with pytest.raises(DataError, match="is damaged"):
        run.read_sessions()
    with pytest.warns(UserWarning, match="sessions before this one are left out"):
        add_session(run)
    assert len(run.read_sessions()) == 1


def test_the_record_goes_with_its_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    add_session(run)
    run.config.write_text("seed: 0\n")
    remove_run(run)
    assert not run.path.exists()


def git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *names, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that the program seems to be run from."""
    path = tmp_path / "package" / "__init__.py"
    path.parent.mkdir()
    path.write_text("first = 1\n")
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(provenance, "_SOURCE", path)
    monkeypatch.setattr(provenance, "source_commit", source_commit.__wrapped__)
    return path


def test_the_commit_is_that_of_our_own_checkout(source: Path) -> None:
    assert provenance.source_commit() is None  # installed within a repository of somebody else
    git(source.parent, "add", source.name)
    git(source.parent, "commit", "-q", "-m", "first")
    commit = git(source.parent, "rev-parse", "HEAD")
    assert provenance.source_commit() == commit
    source.write_text("first = 2\n")
    assert provenance.source_commit() == f"{commit}-dirty"


def test_without_git_there_is_no_commit(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(source.parent))
    assert provenance.source_commit() is None


def test_a_session_is_plain_values() -> None:
    session = provenance.this_session()
    assert json.loads(json.dumps(session)) == session
