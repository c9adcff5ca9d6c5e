"""Record a step's GPU kernels once, then replay them: the host launches one graph a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WARM_UP = 3
"""Calls of each combination of shapes that run as they are, before the next is recorded."""

MOST = 4
"""Combinations of shapes that are recorded; each keeps memory for its intermediate results."""

Inputs = tuple[Tensor | None, ...]
Shapes = tuple[object, ...]


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: Inputs
    outputs: tuple[Tensor, ...]


class CudaGraphStep:
    """A function of tensors whose kernels are replayed as a CUDA graph.

    The function must not look at values on the host, and whatever it changes besides (weights,
    momentum, running means) must stay where it is in memory. Its results are overwritten by the
    next call.

    Args:
        function: Takes tensors, or None where there is none, and returns tensors.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._calls: Counter[Shapes] = Counter()
        self._recordings: dict[Shapes, _Recording] = {}
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        """Return what the function returns; rare shapes run as they are."""
        shapes = tuple(None if each is None else (each.shape, each.dtype) for each in inputs)
        if shapes not in self._recordings:
            self._calls[shapes] += 1
            if self._calls[shapes] <= WARM_UP or len(self._recordings) == MOST:
                return self._beside(inputs)
            self._recordings[shapes] = self._record(inputs)
        recording = self._recordings[shapes]
        for held, given in zip(recording.inputs, inputs, strict=True):
            if held is not None and given is not None:
                held.copy_(given)
        recording.graph.replay()
        return recording.outputs

    def _beside(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Run the function on the stream that recordings are made on, as warming up requires."""
        present = torch.cuda.current_stream()
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            outputs = self._function(*inputs)
        present.wait_stream(self._stream)
        return outputs

    def _record(self, inputs: Inputs) -> _Recording:
        held = tuple(None if each is None else each.clone() for each in inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            outputs = self._function(*held)
        return _Recording(graph, held, outputs)
