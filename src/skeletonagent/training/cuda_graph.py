"""Training step as a CUDA graph: its kernels are recorded once, then replayed as one launch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Calls with each combination of shapes that run without a graph before the next is recorded."""

MAX_GRAPHS = 4
"""Combinations of shapes that are recorded; each keeps memory for its intermediate results."""

Inputs = tuple[Tensor | None, ...]
Shapes = tuple[object, ...]


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: Inputs
    outputs: tuple[Tensor, ...]


class CudaGraphStep:
    """Function of tensors whose kernels are replayed as a CUDA graph.

    The function must not read values on the host, and whatever it changes besides its results
    (weights, momentum, running statistics) must stay at its place in memory. Results are
    overwritten by the next call.

    Args:
        function: Function that takes tensors, or None for a missing one, and returns tensors.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._calls: Counter[Shapes] = Counter()
        self._recordings: dict[Shapes, _Recording] = {}
        self._stream = torch.cuda.Stream()
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        """Return the function's results; rare shapes run without a graph."""
        shapes = tuple(None if x is None else (x.shape, x.dtype) for x in inputs)
        if shapes not in self._recordings:
            self._calls[shapes] += 1
            if self._calls[shapes] <= WARM_UP_CALLS or len(self._recordings) == MAX_GRAPHS:
                return self._run(inputs)
            self._recordings[shapes] = self._record(inputs)
        recording = self._recordings[shapes]
        for recorded, given in zip(recording.inputs, inputs, strict=True):
            if recorded is not None and given is not None:
                recorded.copy_(given)
        recording.graph.replay()
        return recording.outputs

    def _run(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Call the function on the stream that recordings are made on, as warming up requires."""
        present = torch.cuda.current_stream()
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            outputs = self._function(*inputs)
        present.wait_stream(self._stream)
        return outputs

    def _record(self, inputs: Inputs) -> _Recording:
        recorded = tuple(None if x is None else x.clone() for x in inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Of this thread alone: one that loads clips may pin memory meanwhile.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            outputs = self._function(*recorded)
        return _Recording(graph, recorded, outputs)
