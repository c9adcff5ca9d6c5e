"""Kernels are compared with their plain equivalents in double precision, by the interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs Triton")
ROOT = Path(__file__).resolve().parents[3]
CASES = (
    "product", "first_product", "join_normed", "join_identity", "join_alone",
    "graph_product", "branches",
)  # fmt: skip


@pytest.fixture(scope="module")
def found() -> dict[str, list[float]]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.models.gpu_kernels.interpreted"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told: dict[str, list[float]] = json.loads(ran.stdout)
    return told


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("precision", "most"), [("32", 1e-6), ("bf16", 3e-2)])
def test_results_and_gradients_are_those_of_double_precision(
    found: dict[str, list[float]], case: str, precision: str, most: float
) -> None:
    assert max(found[f"{case} {precision}"]) < most


def test_a_block_is_what_its_own_forward_pass_is(found: dict[str, list[float]]) -> None:
    assert max(found["block 32"]) < 1e-5
