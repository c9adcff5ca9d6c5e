"""Replayed kernels do what the function does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest
import torch

from skeletonagent.training.cuda_graph import MAX_GRAPHS, WARM_UP_CALLS, CudaGraphStep

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_on_a_processor_nothing_is_replayed(world: ModuleType, tmp_path: Path) -> None:
    asked = world.training(tmp_path / "asked", epochs=1, cuda_graphs=True)
    asked.run()
    plain = world.training(tmp_path / "plain", epochs=1)
    plain.run()
    assert all(torch.equal(t, plain.weights[name]) for name, t in asked.weights.items())


def test_only_waits_of_the_same_thread_end_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that loads clips pins memory while a step is recorded."""
    modes: list[str] = []

    @contextmanager
    def record(*_: object, capture_error_mode: str, **__: object) -> Iterator[None]:
        modes.append(capture_error_mode)
        yield

    for name in ("Stream", "graph_pool_handle", "current_stream", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, MagicMock())
    graph = MagicMock(spec=torch.cuda.CUDAGraph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(torch.cuda, "graph", record)
    doubled = CudaGraphStep(lambda x: (2 * x,))
    for _ in range(WARM_UP_CALLS + 1):
        assert torch.equal(doubled(torch.ones(2))[0], torch.full((2,), 2.0))
    assert modes == ["thread_local"]


@needs_gpu
def test_replaying_equals_calling() -> None:
    weight = torch.randn(3, 3, device="cuda", requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=torch.tensor(0.1, device="cuda"), fused=True)

    def step(x: torch.Tensor, y: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        loss = (x @ weight - (0 if y is None else y)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return (loss.detach(),)

    start = weight.detach().clone()
    inputs = [torch.randn(4, 3, device="cuda") for _ in range(WARM_UP_CALLS + 4)]
    plain = [float(step(x, x)[0]) for x in inputs]
    with torch.no_grad():
        weight.copy_(start)
    replayed = CudaGraphStep(step)
    assert [float(replayed(x, x)[0]) for x in inputs] == pytest.approx(plain)
    assert len(replayed._recordings) == 1


@needs_gpu
def test_rare_shapes_run_as_they_are() -> None:
    doubled = CudaGraphStep(lambda x: (2 * x,))
    for size in range(1, MAX_GRAPHS + 4):
        for _ in range(WARM_UP_CALLS + 2):
            x = torch.randn(size, device="cuda")
            torch.testing.assert_close(doubled(x)[0], 2 * x)
    assert len(doubled._recordings) == MAX_GRAPHS
