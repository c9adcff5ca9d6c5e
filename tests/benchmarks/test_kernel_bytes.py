"""The model of bytes: what a body adds, and kernels beside eager operators."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="needs Triton")
from benchmarks import kernel_bytes


@pytest.mark.slow
def test_kernels_move_half_of_what_eager_operators_move() -> None:
    kind = kernel_bytes.kinds_of(16, 8)[0]
    assert (kind.inputs, kind.outputs, kind.frames, kind.times) == (16, 16, 8, 3)
    eager, fused = kernel_bytes.eager(kind), kernel_bytes.fused(kind)
    assert set(eager) == set(fused) == {"forward", "backward"}
    assert all(0 < fused[part] < 0.6 * eager[part] for part in eager)


def test_what_a_body_adds_is_the_difference() -> None:
    assert kernel_bytes.grown(lambda bodies: {"forward": 7.0 + 3 * bodies}) == {"forward": 3.0}
