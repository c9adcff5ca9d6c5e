"""Kernels compiled ahead for an H100 keep their numbers in registers and fit its shared memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs Triton")
ROOT = Path(__file__).resolve().parents[2]
HEAVIEST = ("branches_gradient", "branch_weights", "graph_product_gradient")
MOST_SHARED_KB = 227


@pytest.mark.slow
def test_nothing_is_spilled(tmp_path: Path) -> None:
    path = tmp_path / "builds.json"
    ran = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.kernel_builds", "--blocks", "1",
            "--only", ",".join(HEAVIEST), "--json", path,
        ],
        cwd=ROOT, env={**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(path.read_text())["rows"]
    assert {row["kernel"] for row in rows} == set(HEAVIEST)
    assert [row for row in rows if row["spilled bytes"]] == []
    assert all(0 < row["shared KB"] < MOST_SHARED_KB for row in rows)
