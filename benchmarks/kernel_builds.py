"""Registers, spills and shared memory of the kernels, compiled ahead for a GPU that is not there.

The kernels are those that a training step of the paper's recognizer launches, in its sizes.

Example:
  python -m benchmarks.kernel_builds --architecture 90
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import triton  # type: ignore[import-untyped]
import typer
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from triton import knobs
from triton.backends.compiler import GPUTarget  # type: ignore[import-untyped]
from triton.compiler import ASTSource  # type: ignore[import-untyped]

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.gpu_kernels.block import MapBlock
from skeletonagent.models.gpu_kernels.launching import KernelLaunch, recorded_launches
from skeletonagent.models.gpu_kernels.operations import TritonOperations

USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")
TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}


def main(
    architecture: Annotated[int, typer.Option(help="Compute capability times ten.")] = 90,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "bf16",
    bodies: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 128,
    frames: Annotated[int, typer.Option(min=4, help="T.")] = 100,
    width: Annotated[int, typer.Option(min=8, help="Of the first blocks.")] = 96,
    blocks: Annotated[int, typer.Option(min=1, help="The first blocks of the nine.")] = 9,
    only: Annotated[str, typer.Option(help="Kernels by name; all if none is named.")] = "",
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Compile each kernel of a training step, and list what it takes of a multiprocessor."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    torch.set_float32_matmul_precision("high")  # as it is in a run on a GPU
    launches = [
        launch
        for launch in distinct(launches_of_step(bodies, frames, width, dtype, blocks))
        if not only or kernel_name(launch) in only.split(",")
    ]
    rows = [resources(launch, architecture) for launch in launches]
    print_rows(
        f"kernels compiled for sm_{architecture}, {precision}, Triton {triton.__version__}", rows
    )
    write_facts({"architecture": architecture, "triton": triton.__version__, "rows": rows}, json)


def launches_of_step(
    bodies: int, frames: int, width: int, dtype: torch.dtype, blocks: int = 9
) -> list[KernelLaunch]:
    """Return the launches of a training step's blocks, forward and backward, on no values."""
    forward = MapBlock(TritonOperations())
    with FakeTensorMode(), recorded_launches() as launches:
        stack = BACKBONES["skeletonagent"].build(KINECT_25, 3, 2, width).blocks[:blocks].train()
        for block in stack.children():
            assert isinstance(block, STBlock)
            block.training_forward = forward
        x = torch.empty(bodies, width, frames, 25, dtype=dtype, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = stack(x)
        torch.autograd.backward(y.sum())
    return launches


def kernel_name(launch: KernelLaunch) -> str:
    """Return what a kernel is called in tables."""
    name: str = launch.kernel.__name__
    return name.removesuffix("_kernel")


def distinct(launches: Sequence[KernelLaunch]) -> Iterator[KernelLaunch]:
    """Yield launches of different builds: kernels, types of numbers and sizes compiled in."""
    seen = set()
    for launch in launches:
        key = (launch.kernel.__name__, tuple(_types(launch)), tuple(launch.constants.items()))
        if key not in seen:
            seen.add(key)
            yield launch


def _types(launch: KernelLaunch) -> list[str]:
    """Return the type of each argument, as Triton names it."""
    return [
        "constexpr" if value is None
        else TYPES[value.dtype] if isinstance(value, Tensor)
        else "i32" if isinstance(value, int) else "fp32"
        for value in launch.arguments
    ]  # fmt: skip


def resources(launch: KernelLaunch, architecture: int) -> dict[str, Any]:
    """Return registers of a thread, bytes spilled, and kilobytes of shared memory."""
    names = launch.kernel.arg_names
    types = _types(launch)
    given = dict(zip(names, types, strict=False))
    signature = {name: given.get(name, "constexpr") for name in names}
    constants: dict[tuple[int], Any] = {
        (names.index(name),): value for name, value in launch.constants.items() if name in names
    }
    constants |= {(place,): None for place, kind in enumerate(types) if kind == "constexpr"}
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, kind in enumerate(types) if kind.startswith("*")
    }  # fmt: skip
    source = ASTSource(launch.kernel, signature, constants, aligned)
    built = triton.compile(
        source, GPUTarget("cuda", architecture, 32), options={"num_warps": launch.warps}
    )
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        cubin.write(built.asm["cubin"])
        cubin.flush()
        said = subprocess.run(
            [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", cubin.name],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    found = USAGE.search(said)
    assert found is not None, said
    registers, stack, _, local = map(int, found.groups())
    sizes = [
        launch.constants[name]
        for name in ("C", "D", "P", "ROWS", "COLUMNS", "T")
        if name in launch.constants
    ]
    return {
        "kernel": kernel_name(launch),
        "sizes": " ".join(map(str, sizes)),
        "threads": 32 * launch.warps,
        "registers": registers,
        "spilled bytes": stack + local,
        "shared KB": built.metadata.shared / 1024,
    }


if __name__ == "__main__":
    typer.run(main)
