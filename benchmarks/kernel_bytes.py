"""Bytes that a training step's blocks move, by shapes alone: eager, compiled, by fused kernels.

Nothing is computed in full size. Eager operators and kernels read their operands and write their
results once. What torch.compile fuses is what its own scheduler does, lowered for a CPU, so that
a GPU's choices may differ. Both are counted for two and for four bodies: what grows is the maps'.

Example:
  python -m benchmarks.kernel_bytes --bodies 128
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._functorch._aot_autograd.utils import make_boxed_func
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.debug import DebugContext
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.fx_passes.post_grad import post_grad_passes
from torch._inductor.graph import GraphLowering
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.gpu_kernels import sizes_of
from benchmarks.measuring import Traffic, print_rows, write_facts
from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.backbones import BACKBONES, Backbone
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.gpu_kernels.block import MapBlock
from skeletonagent.models.gpu_kernels.operations import TritonOperations

BANDWIDTH = 3.0e12
"""Bytes a second that a copy on an H100 was measured to read and write."""
FEW, MORE = 2, 4
"""Bodies for which traffic is counted; what a body adds is their difference."""

Bytes = dict[str, float]
"""Bytes of a body, forward and backward."""


@dataclass(frozen=True)
class Kind:
    """Kind of block.

    Args:
        index: Index of the first block of the kind.
        width: Channels of the first blocks of the backbone.
        frames: Frames of its input.
        inputs: Channels of its input.
        outputs: Channels of its output.
        times: Number of blocks of the kind.
    """

    index: int
    width: int
    frames: int
    inputs: int
    outputs: int
    times: int


def main(
    bodies: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 128,
    frames: Annotated[int, typer.Option(min=4, help="T.")] = 100,
    width: Annotated[int, typer.Option(min=8, help="Of the first blocks.")] = 96,
    compiled: Annotated[bool, typer.Option(help="Whether torch.compile's are counted.")] = True,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Count the bytes of each block and of all, and the time that they take at least."""
    ways: dict[str, Callable[[Kind], Bytes]] = {"eager": eager, "kernels": fused}
    if compiled:
        ways["compiled"] = lowered
    rows: list[dict[str, Any]] = []
    totals: dict[str, Bytes] = {name: defaultdict(float) for name in ways}
    for kind in kinds_of(width, frames):
        for name, way in ways.items():
            found = way(kind)
            rows.append(row_of(name, kind, found))
            for part, number in found.items():
                totals[name][part] += kind.times * bodies * number
    print_rows("maps read or written by a block", rows)
    whole = [
        {
            "blocks": name,
            **{f"{part} GB": number / 1e9 for part, number in total.items()},
            "GB": sum(total.values()) / 1e9,
            "ms at 3 TB/s": sum(total.values()) / BANDWIDTH * 1e3,
        }
        for name, total in totals.items()
    ]
    print_rows(f"all blocks of a step, {bodies} bodies, bf16", whole)
    write_facts({"blocks": rows, "step": whole, "bodies": bodies}, json)


def row_of(name: str, kind: Kind, found: Bytes) -> dict[str, Any]:
    """Return a row of the table: passes over maps of the block's output channels."""
    size = 2 * kind.outputs * kind.frames * KINECT_25.num_joints
    return {
        "block": f"{kind.inputs} to {kind.outputs}, T={kind.frames}",
        "of them": kind.times,
        "by": name,
        **{part: number / size for part, number in found.items()},
        "passes": sum(found.values()) / size,
    }


def kinds_of(width: int, frames: int) -> list[Kind]:
    """Return the kinds of blocks of the paper's backbone."""
    kinds: dict[tuple[int, int, int], Kind] = {}
    for index, block in enumerate(backbone(width).blocks):
        key = inputs, outputs, stride = sizes_of(block)
        found = kinds.get(key, Kind(index, width, frames, inputs, outputs, 0))
        kinds[key] = replace(found, times=found.times + 1)
        frames = -(-frames // stride)
    return list(kinds.values())


def backbone(width: int) -> Backbone:
    """Return the paper's backbone, of tensors without values inside a mode of such."""
    return BACKBONES["skeletonagent"].build(KINECT_25, 3, 2, width)


def eager(kind: Kind) -> Bytes:
    """Return what eager operators move for a body."""
    return grown(lambda bodies: traffic(kind, bodies, kernels=False))


def fused(kind: Kind) -> Bytes:
    """Return what the kernels move for a body, and torch's operators between them."""
    return grown(lambda bodies: traffic(kind, bodies, kernels=True))


def lowered(kind: Kind) -> Bytes:
    """Return what a block moves for a body if torch.compile fuses its operators."""
    return grown(lambda bodies: compiled_traffic(kind, bodies))


def grown(count: Callable[[int], Bytes]) -> Bytes:
    """Return what a body adds."""
    few, more = count(FEW), count(MORE)
    return {part: (more[part] - number) / (MORE - FEW) for part, number in few.items()}


def step(block: nn.Module, x: Tensor) -> Tensor:
    """Return a block's features as a training step computes them."""
    with torch.autocast("cpu", torch.bfloat16):
        y: Tensor = block(x)
    return y


def prepared(kind: Kind, bodies: int, *, kernels: bool) -> tuple[nn.Module, Tensor]:
    """Return a block in training, and an input."""
    block = backbone(kind.width).blocks[kind.index].train()
    assert isinstance(block, STBlock)
    if kernels:
        block.training_forward = MapBlock(TritonOperations())
    shape = bodies, kind.inputs, kind.frames, KINECT_25.num_joints
    return block, torch.empty(shape, dtype=torch.bfloat16).requires_grad_()


def traffic(kind: Kind, bodies: int, *, kernels: bool) -> Bytes:
    """Return what operators of a block move, run without values."""
    with FakeTensorMode():
        block, x = prepared(kind, bodies, kernels=kernels)
        with Traffic() as forward:
            y = step(block, x)
        gradient = torch.ones_like(y)
        with Traffic() as backward:
            torch.autograd.backward(y, gradient)
    return {"forward": float(forward.bytes), "backward": float(backward.bytes)}


def compiled_traffic(kind: Kind, bodies: int) -> Bytes:
    """Return what the fused operators of a block move, by torch.compile's own scheduler."""
    found: Bytes = {}

    def counting(part: str) -> Callable[[Any, Sequence[Any]], Any]:
        def compile_graph(module: Any, inputs: Sequence[Any]) -> Any:
            found[part] = float(scheduled_bytes(module, inputs))
            nodes = module.graph.output_node().args[0]
            values = [None if node is None else node.meta["val"] for node in nodes]
            return make_boxed_func(lambda *_: [zeros_for(value) for value in values])

        return compile_graph

    backend = aot_autograd(
        fw_compiler=counting("forward"),
        bw_compiler=counting("backward"),
        decompositions=select_decomp_table(),
        partition_fn=min_cut_rematerialization_partition,
    )
    torch._dynamo.reset()
    block, x = prepared(kind, bodies, kernels=False)
    compiled: Any = torch.compile(block, backend=backend, fullgraph=True, dynamic=False)
    y = step(compiled, x)
    torch.autograd.backward(y, torch.ones_like(y))
    return found


def zeros_for(value: Any) -> Any:
    """Return what stands for a result of a graph that is not run."""
    if not isinstance(value, Tensor):
        return value
    return torch.zeros(tuple(map(int, value.shape)), dtype=value.dtype)


def scheduled_bytes(module: Any, inputs: Sequence[Any]) -> int:
    """Return the bytes that the kernels read and write which a graph is lowered to."""
    mode = torch._guards.detect_fake_mode(inputs)
    debug = DebugContext()
    with V.set_fake_mode(mode):
        post_grad_passes(module, is_inference=False)
    graph = GraphLowering(module, example_inputs=inputs)
    with V.set_graph_handler(graph), V.set_fake_mode(mode), V.set_debug_handler(debug):
        graph.run(*inputs)
        graph.init_wrapper_code()
        graph._update_scheduler()
        total, _, _ = graph.count_bytes()
    return int(total)


if __name__ == "__main__":
    typer.run(main)
