"""Killed trainings: a few of those that the script kills by the hundred, and what it notices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.kills import differences

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_killed_trainings_are_resumed_to_the_same_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--random", "1", "--writes", "2"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 killed, 0 not resumed to the same run" in done.stdout


def test_what_is_not_as_it_was_is_named() -> None:
    found = differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"})
    assert found == ["other: b", "missing: c", "left over: d"]
