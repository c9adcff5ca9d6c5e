"""Matrix products of the paper's recognizer, in the memory layouts that they could have.

Maps are (bodies, channels, frames x joints) in the program. With 25 joints, rows of 25 T numbers
are odd in the deeper blocks, which keeps tensor cores from being used; with channels last they are
not. On a CPU, on one thread, products of rows reach MKL and convolutions of 16 bodies or more
reach oneDNN.

Example:
  python -m benchmarks.products --device cuda --precision bf16 --json products.json
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor
from torch.nn import functional as F

from benchmarks.inference import cpu_threads, processor_time
from benchmarks.measuring import Clock, print_rows, write_facts
from skeletonagent.training.distributed import describe_device, pick_device

JOINTS = 25
PADDED = 32
"""Joints of a row that is filled up to a multiple of what a tensor core takes."""
BLOCKS = ((96, 96, 1), (96, 192, 1), (192, 192, 2), (192, 384, 2), (384, 384, 4))
"""Channels in and out of a block, and by how much its frames are fewer."""


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    bodies: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 128,
    frames: Annotated[int, typer.Option(min=4, help="T.")] = 100,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    repeats: Annotated[int, typer.Option(min=1, help="Products timed.")] = 20,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time each product in each layout, forward and for the gradient of its weight."""
    clock = Clock(pick_device(device))
    with cpu_threads(clock.device, 1):
        rows = _rows(clock, bodies, frames, precision, repeats)
    print_rows(f"products, {describe_device(clock.device)}, {precision}", rows)
    facts = {"device": describe_device(clock.device), "torch": torch.__version__, "rows": rows}
    write_facts({**facts, "bodies": bodies, "precision": precision}, json)


def _rows(
    clock: Clock, bodies: int, frames: int, precision: str, repeats: int
) -> list[dict[str, object]]:
    """Return what each product takes: on a CPU the processor's time, on a GPU the clock's."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    timed = clock.durations if clock.device.type == "cuda" else processor_time
    rows: list[dict[str, object]] = []
    for channels, width, fewer in BLOCKS:
        map_frames = frames // fewer
        flops = 2 * bodies * map_frames * JOINTS * channels * width
        x = torch.randn(bodies, channels, map_frames, JOINTS, device=clock.device, dtype=dtype)
        weight = torch.randn(width, channels, device=clock.device, dtype=dtype)
        for name, work in products(x, weight).items():
            spread = timed(work, repeats)
            rows.append(
                {
                    "block": f"{channels} to {width}, T={map_frames}",
                    "product": name,
                    "ms": spread.milliseconds()["median"],
                    "TFLOP/s": _flops(name, flops, x) / spread.median / 1e12,
                }
            )
    return rows


def products(x: Tensor, weight: Tensor) -> Mapping[str, Callable[[], Any]]:
    """Return the products of a block by name.

    Args:
        x: Map, (bodies, channels, frames, joints).
        weight: Weight of a 1x1 convolution, (width, channels).
    """
    first = x.flatten(2)  # B C TV
    last = x.permute(0, 2, 3, 1).contiguous()  # B T V C
    image = x.contiguous(memory_format=torch.channels_last)
    kernel = weight[:, :, None, None]
    gradient = torch.randn(len(x), len(weight), first.shape[2], device=x.device, dtype=x.dtype)
    gradient_last = gradient.transpose(1, 2).contiguous()
    graph = torch.randn(JOINTS, JOINTS, device=x.device, dtype=x.dtype)
    padded_graph = F.pad(graph, (0, PADDED - JOINTS, 0, PADDED - JOINTS))
    padded = F.pad(x, (0, PADDED - JOINTS))
    return {
        "channels first": lambda: weight @ first,
        "channels last": lambda: F.linear(last, weight),
        "convolution, channels first": lambda: F.conv2d(x, kernel),
        "convolution, channels last": lambda: F.conv2d(image, kernel),
        "weight gradient, batch and sum": lambda: (gradient @ first.mT).sum(dim=0),
        "weight gradient, one product": lambda: gradient_last.flatten(0, 1).mT @ last.flatten(0, 2),
        "graph, rows of 25": lambda: x @ graph,
        "graph, rows of 32": lambda: padded @ padded_graph,
    }


def _flops(name: str, flops: int, x: Tensor) -> int:
    """Return the useful operations of a product: those of 25 joints."""
    return 2 * x.numel() * JOINTS if name.startswith("graph") else flops


if __name__ == "__main__":
    typer.run(main)
