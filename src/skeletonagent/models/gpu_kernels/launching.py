"""Launches of kernels, which can be recorded: what runs, and over which tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from skeletonagent.core.errors import ConfigError

MOST_ELEMENTS = 2**31 - 1
"""Elements of a body's map at most: places inside a body are numbers of 32 bits."""


@dataclass(frozen=True)
class KernelLaunch:
    """Launch of a kernel.

    Args:
        kernel: Function of Triton.
        grid: Numbers of programs.
        arguments: Tensors, numbers, and None for what is not there.
        constants: Sizes that are compiled in.
        warps: Groups of 32 threads of a program.
        outputs: Tensors among the arguments that are written, the others are read.
    """

    kernel: Any
    grid: tuple[int, ...]
    arguments: Sequence[Tensor | float | None]
    constants: Mapping[str, int | str]
    warps: int
    outputs: Sequence[Tensor]


_recorders: list[list[KernelLaunch]] = []


@contextmanager
def recorded_launches() -> Iterator[list[KernelLaunch]]:
    """Collect the launches of the block, those on tensors without values as well."""
    launches: list[KernelLaunch] = []
    _recorders.append(launches)
    try:
        yield launches
    finally:
        _recorders.remove(launches)


def launch(
    kernel: Any,
    grid: tuple[int, ...],
    arguments: Sequence[Tensor | float | None],
    *,
    outputs: Sequence[Tensor],
    warps: int = 4,
    **constants: int | str,
) -> None:
    """Run a kernel, unless its tensors have no values.

    Args:
        kernel: Function of Triton.
        grid: Numbers of programs.
        arguments: Its arguments, the first of which is a tensor.
        outputs: Tensors among the arguments that are written.
        warps: Groups of 32 threads of a program.
        constants: Sizes that are compiled in.
    """
    first = arguments[0]
    assert isinstance(first, Tensor)
    if _recorders:
        recorded = KernelLaunch(kernel, grid, arguments, constants, warps, outputs)
        _recorders[-1].append(recorded)
    if isinstance(first, FakeTensor) or first.is_meta:
        return
    with torch.cuda.device(first.device) if first.is_cuda else nullcontext():
        kernel[grid](*arguments, **constants, num_warps=warps)


def power_of_two(size: int, least: int = 16) -> int:
    """Return the smallest power of two that is not below a size, nor below ``least``."""
    return max(least, 1 << (size - 1).bit_length())


def require_contiguous(x: Float[Tensor, "b c t v"]) -> None:
    """Raise for a map that kernels cannot read.

    Raises:
        ConfigError: If it is not one block of memory, has other numbers than float32 or bfloat16,
            or has too many of them.
    """
    if x.dtype not in (torch.float32, torch.bfloat16):
        raise ConfigError(f"kernels take float32 or bfloat16, not {x.dtype}; set precision")
    if not x.is_contiguous() or x[0].numel() > MOST_ELEMENTS:
        raise ConfigError(f"kernels take contiguous maps, not {tuple(x.shape)} {x.stride()}")


def torch_operator(name: str, schema: str, changed: Sequence[str] = ()) -> Callable[[Any], Any]:
    """Return a decorator that makes a function an operator of torch.

    It is opaque to torch.compile, which takes shapes from a run on tensors without values.

    Args:
        name: Name of the operator.
        schema: Types of arguments and results.
        changed: Arguments that are changed in place.
    """

    def made(function: Any) -> Any:
        operator = torch.library.custom_op(
            f"skeletonagent::{name}", function, mutates_args=changed, schema=schema
        )
        operator.register_fake(function)
        return operator

    return made


def map_sizes(x: Tensor) -> tuple[int, int, int]:
    """Return bodies, channels and positions of a map."""
    return x.shape[0], x.shape[1], x[0, 0].numel()


def new_vector(like: Tensor, *shape: int) -> Tensor:
    """Return room for numbers in float32 beside a tensor."""
    return torch.empty(shape, dtype=torch.float32, device=like.device)


def dot_precision() -> str:
    """Return how float32 is multiplied, as the run has it for torch's own products."""
    return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
