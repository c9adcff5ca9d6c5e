"""Program of a test: kernels in Triton's interpreter beside their plain equivalents.

It runs in a process of its own, since Triton asks for the interpreter when it is imported, and
reads the source of its functions. Printed is the largest relative error of each result and
gradient as JSON.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable, Iterator

os.environ["TRITON_INTERPRET"] = "1"

import torch
import triton.language as tl
from torch import Tensor, nn
from triton.runtime.interpreter import InterpreterBuilder

from skeletonagent.models.backbones import StageSpec, _dg_blocks
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.gpu_kernels.block import MapBlock
from skeletonagent.models.gpu_kernels.maps import MapOperations, NormedMap
from skeletonagent.models.gpu_kernels.operations import TritonOperations
from skeletonagent.models.gpu_kernels.plain import PlainOperations
from skeletonagent.models.temporal_conv import DGTemporalConv

Case = Callable[[MapOperations, list[Tensor], SyncableBatchNorm2d], list[Tensor]]
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}
PLAIN_DOT = InterpreterBuilder.create_dot


def dot(builder: InterpreterBuilder, a: object, b: object, *rest: object) -> object:
    """Return a product: the interpreter itself would multiply the bits of bfloat16."""
    wide = [
        builder.cast_impl(x, tl.float32) if x.dtype.scalar == tl.bfloat16 else x for x in (a, b)
    ]
    return PLAIN_DOT(builder, *wide, *rest)


def product(ops: MapOperations, leaves: list[Tensor], norm: SyncableBatchNorm2d) -> list[Tensor]:
    x, scale, shift, weight, bias, _ = leaves
    return [*ops.product(NormedMap(x, scale, shift), weight, norm, bias)]


def first_product(
    ops: MapOperations, leaves: list[Tensor], norm: SyncableBatchNorm2d
) -> list[Tensor]:
    x, _, _, weight, bias, _ = leaves
    y, read = ops.first_product(x, weight, norm, bias, pooled=True)
    assert read.pooled is not None
    return [*y, read.x, read.pooled]


def join_normed(ops: MapOperations, leaves: list[Tensor], _: object) -> list[Tensor]:
    x, scale, shift, _, _, other = leaves
    return [ops.join(NormedMap(x, scale, shift), NormedMap(other, shift, scale), with_mean=True)]


def join_identity(ops: MapOperations, leaves: list[Tensor], _: object) -> list[Tensor]:
    x, scale, shift, _, _, other = leaves
    return [ops.join(NormedMap(x, scale, shift), other, with_mean=True)]


def join_alone(ops: MapOperations, leaves: list[Tensor], _: object) -> list[Tensor]:
    x, scale, shift, _, _, _ = leaves
    return [ops.join(NormedMap(x, scale, shift), None, with_mean=False)]


def graph_product(ops: MapOperations, leaves: list[Tensor], _: object) -> list[Tensor]:
    x, scale, shift, shared, attended, alpha = leaves
    return [ops.graph_product(NormedMap(x, scale, shift), shared, attended, alpha)]


def map_leaves(bodies: int, frames: int, joints: int, channels: int, width: int) -> list[Tensor]:
    """Return maps far from zero, whose channels are no multiple of a tile."""
    return [
        torch.randn(bodies, channels, frames, joints) + 3,
        torch.randn(channels),
        torch.randn(channels),
        torch.randn(width, channels),
        torch.randn(width),
        torch.randn(bodies, channels, frames, joints),
    ]


def graph_leaves(bodies: int, frames: int, joints: int, channels: int) -> list[Tensor]:
    return [
        torch.randn(bodies, channels, frames, joints),
        torch.randn(channels),
        torch.randn(channels),
        torch.randn(bodies, 2, joints, joints),
        torch.randn(bodies, 2 * channels, joints),
        torch.randn(()),
    ]


def results(
    case: Case, ops: MapOperations, leaves: list[Tensor], width: int, dtype: torch.dtype
) -> list[Tensor]:
    """Return a case's results, gradients of all it took, and running statistics."""
    plain = torch.float64 if dtype == torch.float64 else torch.float32
    taken = [
        (x.to(dtype if x.dim() == 4 and x.shape[1] != 2 else plain)).clone().requires_grad_()
        for x in leaves
    ]
    norm = SyncableBatchNorm2d(width).to(plain)
    outputs = case(ops, taken, norm)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (y.double() * torch.randn(y.shape, generator=generator, dtype=torch.float64)).sum()
        for y in outputs
    )
    torch.autograd.backward(loss)
    gradients = [x.grad for x in (*taken, *norm.parameters()) if x.grad is not None]
    return [
        x.detach().double() for x in (*outputs, *gradients, norm.running_mean, norm.running_var)
    ]


def errors(wanted: list[Tensor], got: list[Tensor]) -> Iterator[float]:
    """Yield the largest error of each tensor, relative to its largest value."""
    for a, b in zip(wanted, got, strict=True):
        yield float((a - b).abs().max() / a.abs().max().clamp(min=1e-3))


def block_results(ops: MapOperations | None, dtype: torch.dtype) -> list[Tensor]:
    """Return features, gradients and statistics of a block whose gates are open."""
    torch.manual_seed(3)
    block = _dg_blocks(5, 8, [StageSpec(8, 16, 2, True)])[0]
    for name, parameter in block.named_parameters():
        if name.endswith(("alpha", "beta", "share")):
            nn.init.normal_(parameter)
    x = torch.randn(1, 8, 3, 5)
    block = copy.deepcopy(block).to(dtype)
    block.training_forward = None if ops is None else MapBlock(ops)
    x = x.to(dtype).requires_grad_()
    y = block(x)
    torch.manual_seed(4)
    torch.autograd.backward((y * torch.randn(y.shape).to(dtype)).sum())
    gradients = [z.grad for z in (x, *block.parameters()) if z.grad is not None]
    return [z.detach().double() for z in (y, *gradients, *block.buffers())]


def branch_results(ops: MapOperations, dtype: torch.dtype) -> list[Tensor]:
    """Return branches of 13 channels, gradients and statistics; two frames are equal."""
    plain = torch.float64 if dtype == torch.float64 else torch.float32
    torch.manual_seed(5)
    temporal = DGTemporalConv(13, 2, 5)
    nn.init.normal_(temporal.share)
    x, scale, shift = torch.randn(1, 13, 5, 6), torch.randn(11), torch.randn(11)
    x[:, :, 2] = x[:, :, 1]
    leaves = [x.bfloat16().to(dtype), scale.to(plain), shift.to(plain)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    temporal = copy.deepcopy(temporal).to(plain)
    outputs = ops.branches(NormedMap(*leaves), temporal)
    loss = sum((y.double() * torch.arange(y.numel()).view(y.shape).sin()).sum() for y in outputs)
    torch.autograd.backward(loss)
    taken = (*leaves, *temporal.parameters())
    gradients = [z.grad for z in taken if z.grad is not None and z.grad.any()]
    return [z.detach().double() for z in (*outputs, *gradients, *temporal.mix[0].buffers())]


def main() -> None:
    InterpreterBuilder.create_dot = dot
    torch.manual_seed(0)
    maps = map_leaves(bodies=2, frames=3, joints=25, channels=20, width=36)
    rows = map_leaves(bodies=2, frames=5, joints=25, channels=3, width=3)
    graphs = graph_leaves(bodies=2, frames=17, joints=25, channels=4)
    cases = {
        product: maps, first_product: maps, join_normed: rows,
        join_identity: rows, join_alone: rows, graph_product: graphs,
    }  # fmt: skip
    found = {}
    for case, leaves in cases.items():
        width = 36 if leaves is maps else 3
        for name, dtype in DTYPES.items():
            lower = [x.to(dtype) if x.dim() == 4 and x.shape[1] != 2 else x for x in leaves]
            wanted = results(case, PlainOperations(), lower, width, torch.float64)
            got = results(case, TritonOperations(), lower, width, dtype)
            found[f"{case.__name__} {name}"] = list(errors(wanted, got))
    for name, dtype in DTYPES.items():
        got = branch_results(TritonOperations(), dtype)
        wanted = branch_results(PlainOperations(), torch.float64)
        found[f"branches {name}"] = list(errors(wanted, got))
    whole = block_results(TritonOperations(), torch.float32)
    found["block 32"] = list(errors(block_results(None, torch.float64), whole))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
