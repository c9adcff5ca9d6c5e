"""Provenance of a run: with which command, program and machine it was trained, and when."""

from __future__ import annotations

import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.outside_text import printable_line
from skeletonagent.training.run_directory import RunDirectory

_LONGEST_COMMAND = 4000
_GIT_SECONDS = 5.0
_SOURCE = Path(__file__)
_PROCESSORS = Path("/proc/cpuinfo")


def add_session(run: RunDirectory) -> None:
    """Add this process to the sessions that trained a run; a resumed run has several.

    Earlier sessions that cannot be read are left out with a warning: a record is no reason to end a
    training.
    """
    try:
        sessions = run.read_sessions()
    except DataError as error:
        warnings.warn(f"{error}; the sessions before this one are left out", stacklevel=2)
        sessions = []
    write_text(run.provenance, json.dumps({"sessions": [*sessions, this_session()]}, indent=1))


def this_session() -> dict[str, Any]:
    """Return command, program and machine of this process, as plain values."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command_line(sys.argv),
        "folder": printable_line(os.getcwd(), _LONGEST_COMMAND),
        "version": version("skeletonagent"),
        "commit": source_commit(),
        "host": printable_line(socket.gethostname(), 200),
        "machine": describe_machine(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as a shell takes it, without the folder of an installed program.

    >>> command_line(["/usr/bin/skeletonagent", "train", "--out", "my runs"])
    "skeletonagent train --out 'my runs'"
    >>> command_line(["/lib/skeletonagent/__main__.py", "train"])
    'python -m skeletonagent train'
    """
    program, *rest = arguments or [""]
    path = Path(program)
    if path.name == "__main__.py":
        words = ["python", "-m", path.parent.name]
    elif path.suffix == ".py":
        words = ["python", program]
    else:
        words = [path.name]
    return printable_line(shlex.join([*filter(None, words), *rest]), _LONGEST_COMMAND)


@cache
def source_commit() -> str | None:
    """Return the Git commit of the program's source, ``-dirty`` after it if files were changed.

    None where the program is not run from a checkout of its own: a repository that merely holds the
    place where it is installed does not count.
    """
    git = ("git", "--no-optional-locks", "-C", str(_SOURCE.parent))
    if _output(*git, "ls-files", "--error-unmatch", _SOURCE.name) is None:
        return None
    return _output(*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _output(*command: str) -> str | None:
    """Return what a command prints, None if it fails or there is none."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def describe_machine() -> str:
    """Return processor, number of cores and operating system in words."""
    system = f"{platform.system()} {platform.release()}"
    return printable_line(f"{_processor()}, {os.cpu_count()} cores, {system}", 300)


def _processor() -> str:
    """Return the name of the processor, as exactly as the system says it."""
    try:
        lines = _PROCESSORS.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
