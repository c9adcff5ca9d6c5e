"""Commands called as the command line calls them, errors as exceptions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from skeletonagent.cli.app import app


@dataclass(frozen=True)
class Printed:
    """What a command printed on standard output and standard error."""

    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; anything else there fails."""
        value: dict[str, Any] = json.loads(self.out)
        assert isinstance(value, dict) and self.out.count("\n") == 1
        return value


def invoke(*arguments: object) -> Printed:
    """Run a command that succeeds, and return what it printed."""
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return Printed(done.stdout, done.stderr)


def invoke_twice(*arguments: object) -> tuple[dict[str, Any], str]:
    """Return what a command prints with ``--json``, and what it prints for people."""
    return invoke(*arguments, "--json").json, invoke(*arguments).out
