"""The training step compiles as one graph; it is traced where annotations are not checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("one_graph.py")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_papers_step_is_one_graph() -> None:
    traced = subprocess.run(
        [sys.executable, PROGRAM, "skeletonagent"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert traced.stdout == "one graph\n", traced.stderr
