"""Operators around the kernels of graph products and of single elements."""

from __future__ import annotations

import torch
from torch import Tensor

from skeletonagent.models.gpu_kernels import graph_product, joining
from skeletonagent.models.gpu_kernels.launching import (
    dot_precision,
    launch,
    new_vector,
    power_of_two,
    torch_operator,
)

ROW_ELEMENTS = 16384
"""Elements of a row that a program can hold."""


@torch_operator(
    "graph_product",
    "(Tensor x, Tensor scale, Tensor shift, Tensor shared, Tensor attended, Tensor alpha)"
    " -> Tensor",
)
def adapted_graph_product(
    x: Tensor, scale: Tensor, shift: Tensor, shared: Tensor, attended: Tensor, alpha: Tensor
) -> Tensor:
    """Return a normed and rectified map, gathered along the graph of each body and channel.

    Args:
        x: Map.
        scale: Factor of each channel.
        shift: What is added after it.
        shared: Graphs of each body.
        attended: Sources, then targets, of each body and channel.
        alpha: Gate of what attention adds.
    """
    bodies, d, t, v = x.shape
    y = torch.empty_like(x)
    launch(
        graph_product.graph_product_kernel, (d, bodies),
        (x, scale, shift, shared, attended, alpha, y), outputs=(y,),
        D=d, T=t, V=v, GRAPHS=shared.shape[1], BLOCK_T=_frames(t), BLOCK_V=power_of_two(v),
        PRECISION=dot_precision(),
    )  # fmt: skip
    return y


@torch_operator(
    "graph_product_gradient",
    "(Tensor grad_y, Tensor x, Tensor scale, Tensor shift, Tensor shared, Tensor attended, "
    "Tensor alpha) -> (Tensor, Tensor, Tensor, Tensor)",
)
def graph_product_gradient(
    grad_y: Tensor,
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    shared: Tensor,
    attended: Tensor,
    alpha: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of map, graphs and what was attended, and sums of each channel.

    The sums are the gradients of scale and shift, and what each channel adds to that of alpha.
    """
    bodies, d, t, v = x.shape
    grad_x = torch.empty_like(x)
    grad_shared, grad_attended = torch.empty_like(shared), torch.empty_like(attended)
    sums = new_vector(x, 3, d, bodies)
    launch(
        graph_product.graph_product_gradient_kernel, (shared.shape[1], bodies),
        (grad_y, x, scale, shift, shared, attended, alpha,
         grad_x, grad_shared, grad_attended, sums),
        outputs=(grad_x, grad_shared, grad_attended, sums),
        D=d, T=t, V=v, GRAPHS=shared.shape[1], BLOCK_T=_frames(t), BLOCK_V=power_of_two(v),
        PRECISION=dot_precision(), warps=8 if x.dtype == torch.float32 else 4,
    )  # fmt: skip
    return grad_x, grad_shared, grad_attended, sums.sum(dim=-1)


def _frames(frames: int) -> int:
    return min(graph_product.TILE_FRAMES, power_of_two(frames))


@torch_operator(
    "join",
    "(Tensor x, Tensor scale, Tensor shift, Tensor? other, Tensor? other_scale, "
    "Tensor? other_shift, bool with_mean) -> Tensor",
)
def joined_maps(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    other: Tensor | None,
    other_scale: Tensor | None,
    other_shift: Tensor | None,
    with_mean: bool,
) -> Tensor:
    """Return a normed map plus its shortcut, rectified.

    Args:
        x: Map.
        scale: Factor of each channel.
        shift: What is added after it.
        other: The shortcut's map, if there is one.
        other_scale: Factor of each of its channels, if it is normed.
        other_shift: What is added after it.
        with_mean: Whether the mean of the joints follows them as one more.
    """
    bodies, c, t, v = x.shape
    y = x.new_empty(bodies, c, t, v + with_mean)
    launch(
        joining.join_kernel, (c, bodies),
        (x, scale, shift, other, other_scale, other_shift, y), outputs=(y,),
        C=c, KIND=_kind(other, other_scale), BODY=with_mean, **_rows(t, v, with_mean),
    )  # fmt: skip
    return y


@torch_operator(
    "join_gradient",
    "(Tensor grad_y, Tensor? y, Tensor x, Tensor scale, Tensor shift, Tensor? other, "
    "Tensor? other_scale, Tensor? other_shift, bool with_mean) -> (Tensor, Tensor, Tensor)",
)
def join_gradient(
    grad_y: Tensor,
    y: Tensor | None,
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    other: Tensor | None,
    other_scale: Tensor | None,
    other_shift: Tensor | None,
    with_mean: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of both maps, and sums of each channel.

    The sums are the gradients of scale, shift and the shortcut's scale; that of its shift is the
    same as that of the other. Where the shortcut is a map as it is, ``y`` says what was rectified.
    """
    bodies, c, t, v = x.shape
    kind = _kind(other, other_scale)
    grad_x = torch.empty_like(x)
    grad_other = x.new_empty(0) if other is None else torch.empty_like(x)
    sums = new_vector(x, 3 if kind == joining.NORMED_SHORTCUT else 2, c, bodies)
    launch(
        joining.join_gradient_kernel, (c, bodies),
        (grad_y, y, x, scale, shift, None if kind == joining.IDENTITY else other, other_scale,
         other_shift, grad_x, grad_other, sums), outputs=(grad_x, grad_other, sums),
        C=c, KIND=kind, BODY=with_mean, **_rows(t, v, with_mean),
    )  # fmt: skip
    return grad_x, grad_other, sums.sum(dim=-1)


def _kind(other: Tensor | None, other_scale: Tensor | None) -> int:
    if other is None:
        return joining.NO_SHORTCUT
    return joining.IDENTITY if other_scale is None else joining.NORMED_SHORTCUT


def _rows(frames: int, joints: int, with_mean: bool) -> dict[str, int]:
    """Return how a program goes through a channel of a body."""
    if not with_mean and frames * joints <= ROW_ELEMENTS:
        frames, joints = 1, frames * joints
    columns = power_of_two(joints)
    rows = min(power_of_two(frames, least=1), max(1, 2048 // columns))
    warps = 8 if columns * rows > 2048 else 4
    return {
        "ROWS": frames, "COLUMNS": joints, "BLOCK_R": rows, "BLOCK_C": columns, "warps": warps,
    }  # fmt: skip
