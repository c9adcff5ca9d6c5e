"""Blocks of the paper's recognizer by torch's operators and by the fused kernels, side by side.

On a CPU, with TRITON_INTERPRET=1 in the environment, the kernels run in Triton's interpreter,
which says that they work and nothing of their time.

Example:
  python -m benchmarks.gpu_kernels --device cuda --precision bf16
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from benchmarks.measuring import Clock, print_rows, write_facts
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.gpu_kernels.block import MapBlock
from skeletonagent.models.gpu_kernels.operations import TritonOperations
from skeletonagent.training.distributed import describe_device, pick_device
from skeletonagent.training.fused_kernels import INTERPRETER

KINDS = (0, 3, 4, 8)
"""Indices of blocks: of each number of channels one, and one in which they double."""


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    bodies: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 128,
    frames: Annotated[int, typer.Option(min=4, help="T.")] = 100,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    width: Annotated[int, typer.Option(min=8, help="Of the first blocks.")] = 96,
    blocks: Annotated[int, typer.Option(min=1, max=4, help="Kinds of blocks.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Steps timed.")] = 20,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time forward and backward pass of blocks both ways, and compare their gradients."""
    clock = Clock(pick_device(device))
    if clock.device.type != "cuda" and os.environ.get(INTERPRETER) != "1":
        raise ConfigError(f"kernels need a GPU; set {INTERPRETER}=1 to have them interpreted")
    rows = list(_rows(clock, KINDS[:blocks], bodies, frames, precision, width, repeats))
    print_rows(f"blocks, {describe_device(clock.device)}, {precision}", rows)
    facts = {"device": describe_device(clock.device), "torch": torch.__version__, "rows": rows}
    write_facts({**facts, "bodies": bodies, "precision": precision}, json)


def _rows(
    clock: Clock,
    kinds: tuple[int, ...],
    bodies: int,
    frames: int,
    precision: str,
    width: int,
    repeats: int,
) -> Iterator[dict[str, Any]]:
    """Yield what each kind of block takes by torch and by kernels."""
    torch.manual_seed(0)
    stack = BACKBONES["skeletonagent"].build(KINECT_25, 3, 2, width).blocks.train()
    for index, block in enumerate(stack.to(clock.device)):
        assert isinstance(block, STBlock)
        if index in kinds:
            yield _row(clock, block, bodies, frames, precision, repeats)
        frames = -(-frames // sizes_of(block)[2])


def sizes_of(block: Any) -> tuple[int, int, int]:
    """Return the channels that a block takes and returns, and its stride."""
    graph = block.graph
    return graph.attention.in_channels, graph.leave[0].out_channels, block.temporal.branches.stride


def _row(
    clock: Clock, block: STBlock, bodies: int, frames: int, precision: str, repeats: int
) -> dict[str, Any]:
    """Return times of a block in milliseconds, and how far its gradients are apart."""
    for name, parameter in block.named_parameters():
        if name.endswith(("alpha", "beta", "share")):
            nn.init.normal_(parameter, std=0.1)
    fused = copy.deepcopy(block)
    fused.training_forward = MapBlock(TritonOperations())
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    inputs, outputs, _ = sizes_of(block)
    x = torch.randn(bodies, inputs, frames, KINECT_25.num_joints, device=clock.device, dtype=dtype)
    pairs = zip(_gradients(block, x), _gradients(fused, x), strict=True)
    apart = [float((a - b).norm() / a.norm().clamp(min=1e-6)) for a, b in pairs]
    times = {
        name: clock.durations(partial(_gradients, module, x), repeats)
        for name, module in (("torch", block), ("kernels", fused))
    }
    return {
        "block": f"{inputs} to {outputs}, T={frames}",
        **{f"{name} ms": spread.milliseconds()["median"] for name, spread in times.items()},
        "times as fast": times["torch"].median / times["kernels"].median,
        "gradients apart, median": sorted(apart)[len(apart) // 2],
        "at most": max(apart),
    }


def _gradients(block: STBlock, x: Tensor) -> list[Tensor]:
    """Return features and gradients of a forward and backward pass."""
    given = x.detach().requires_grad_()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.dtype == torch.bfloat16):
        y = block(given)
    # The same for both ways, and no constant: norms would subtract it.
    weights = torch.linspace(-1, 1, y.numel(), device=y.device, dtype=y.dtype).view_as(y)
    wanted = [given, *block.parameters()]
    found = torch.autograd.grad(y, wanted, weights, allow_unused=True)
    return [y.detach(), *(gradient for gradient in found if gradient is not None)]


if __name__ == "__main__":
    typer.run(main)
