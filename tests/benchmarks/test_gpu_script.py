"""The script for a GPU that is at hand for minutes runs on a CPU, tiny, line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.sh"
LINES = [
    "versions", "step", "products", "replay", "compiled", "blocks", "inference", "kernels",
    "mix", "epoch", "pipeline", "accuracy",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_all_lines_run_dry(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        ["bash", SCRIPT, "--dry-run", "--out", tmp_path],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [(line["line"], line["ended"]) for line in found["lines"]] == [
        (name, "done") for name in LINES
    ]
    assert all(found[name] for name in LINES)


def test_what_it_is_for() -> None:
    ran = subprocess.run(["bash", SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "--dry-run" in ran.stdout
