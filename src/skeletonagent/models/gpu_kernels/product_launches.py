"""Operators around the kernels of products and norms, which allocate their results."""

from __future__ import annotations

import torch
from torch import Tensor

from skeletonagent.models.gpu_kernels import norming, product
from skeletonagent.models.gpu_kernels.launching import (
    dot_precision,
    launch,
    map_sizes,
    new_vector,
    power_of_two,
    torch_operator,
)

REDUCED = 1024
"""Measures of tiles that are read at once."""


def product_tile(positions: int) -> int:
    """Return the positions of a tile of a product."""
    return min(product.POSITIONS, power_of_two(positions))


@torch_operator(
    "product", "(Tensor x, Tensor? scale, Tensor? shift, Tensor weight) -> (Tensor, Tensor, Tensor)"
)
def product_and_measures(
    x: Tensor, scale: Tensor | None, shift: Tensor | None, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the map ``weight @ x``, and mean and squares of each of its tiles, channel by channel.

    Args:
        x: Map.
        scale: Factor of each channel of a norm before; None takes the map as it is.
        shift: What is added after it.
        weight: Matrix, output channels by input channels.
    """
    bodies, c, positions = map_sizes(x)
    d, tile = len(weight), product_tile(positions)
    tiles, block = -(-positions // tile), min(product.MOST_OUTPUTS, power_of_two(d))
    y = x.new_empty(bodies, d, *x.shape[2:])
    mean, squares = new_vector(x, d, bodies * tiles), new_vector(x, d, bodies * tiles)
    launch(
        product.product_kernel, (-(-d // block), tiles, bodies),
        (x, scale, shift, weight, y, mean, squares), outputs=(y, mean, squares),
        C=c, D=d, P=positions, NORMED=scale is not None,
        BLOCK_C=product.CHANNELS, BLOCK_D=block, BLOCK_P=tile, PRECISION=dot_precision(),
    )  # fmt: skip
    return y, mean, squares


@torch_operator(
    "product_gradient",
    "(Tensor grad_y, Tensor y, Tensor gradients, Tensor weight, Tensor x, Tensor? scale, "
    "Tensor? shift, Tensor? kept_grad, Tensor? pooled_grad) -> (Tensor, Tensor)",
)
def product_gradient(
    grad_y: Tensor,
    y: Tensor,
    gradients: Tensor,
    weight: Tensor,
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    kept_grad: Tensor | None,
    pooled_grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the gradient of a product's map, and those of scale and shift if it was normed.

    Args:
        grad_y: Gradient of the product.
        y: The product.
        gradients: What :func:`norm_gradient` returned for the norm after it.
        weight: Matrix.
        x: Map that was multiplied.
        scale: Factor of the norm before.
        shift: What is added after it.
        kept_grad: Gradient of the map through whoever else read it.
        pooled_grad: Gradient of its mean over the frames.
    """
    bodies, c, positions = map_sizes(x)
    d, tile = len(weight), product_tile(positions)
    tiles, block = -(-positions // tile), min(product.MOST_OUTPUTS, power_of_two(c))
    grad_x = torch.empty_like(x)
    sums = new_vector(x, 2, c if scale is not None else 0, bodies * tiles)
    launch(
        product.product_gradient_kernel, (-(-c // block), tiles, bodies),
        (grad_y, y, gradients[2], gradients[3], weight, x, scale, shift, kept_grad, pooled_grad,
         grad_x, sums), outputs=(grad_x, sums),
        C=c, D=d, P=positions, V=x.shape[-1], NORMED=scale is not None,
        MEASURED=gradients.shape[1], KEPT=kept_grad is not None, POOLED=pooled_grad is not None,
        BLOCK_C=block, BLOCK_D=product.CHANNELS, BLOCK_P=tile, PRECISION=dot_precision(), warps=8,
    )  # fmt: skip
    return grad_x, sums.sum(dim=-1)


@torch_operator(
    "weight_gradient",
    "(Tensor grad_y, Tensor y, Tensor gradients, Tensor x, Tensor? scale, Tensor? shift) -> Tensor",
)
def weight_gradient(
    grad_y: Tensor,
    y: Tensor,
    gradients: Tensor,
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
) -> Tensor:
    """Return the gradient of a product's matrix; arguments as for :func:`product_gradient`."""
    bodies, c, positions = map_sizes(x)
    d, tile = y.shape[1], product_tile(positions)
    block_d, block_c = min(64, power_of_two(d)), min(64, power_of_two(c))
    parts = min(bodies, product.WEIGHT_SPLITS)
    sums = new_vector(x, parts, d, c)
    launch(
        product.weight_gradient_kernel, (-(-d // block_d), -(-c // block_c), parts),
        (grad_y, y, gradients[2], gradients[3], x, scale, shift, sums, bodies), outputs=(sums,),
        C=c, D=d, P=positions, NORMED=scale is not None,
        MEASURED=gradients.shape[1],
        BLOCK_C=block_c, BLOCK_D=block_d, BLOCK_P=tile, PRECISION=dot_precision(), warps=8,
    )  # fmt: skip
    return sums.sum(dim=0)


@torch_operator(
    "norm_vectors",
    "(Tensor mean, Tensor squares, Tensor weight, Tensor bias, Tensor? skipped_bias, "
    "Tensor(a!)? running_mean, Tensor(b!)? running_var, float momentum, float eps, int bodies, "
    "int positions, int tile) -> Tensor",
    changed=("running_mean", "running_var"),
)
def norm_vectors(
    mean: Tensor,
    squares: Tensor,
    weight: Tensor,
    bias: Tensor,
    skipped_bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
    bodies: int,
    positions: int,
    tile: int,
) -> Tensor:
    """Return scale, shift, mean and inverse deviation of each channel; move running statistics.

    Args:
        mean: Mean of each tile.
        squares: Squares around it.
        weight: Weight of the norm.
        bias: Bias of the norm.
        skipped_bias: Bias that was not added to the map, which only moves the running mean.
        running_mean: Running mean; None leaves both as they are.
        running_var: Running variance.
        momentum: By how much they move.
        eps: What is added to the variance.
        bodies: Bodies of the map.
        positions: Positions of a body.
        tile: Positions of a tile; the last of a body has what is left.
    """
    d = len(weight)
    vectors = new_vector(mean, 4, d)
    moved = tuple(x for x in (running_mean, running_var) if x is not None)
    launch(
        norming.norm_kernel, (d,),
        (mean, squares, weight, bias, skipped_bias, running_mean, running_var, vectors, bodies,
         momentum, eps), outputs=(vectors, *moved),
        D=d, P=positions, TILE=tile, TRACKED=running_mean is not None,
        BLOCK=min(REDUCED, power_of_two(mean.shape[1])),
    )  # fmt: skip
    return vectors


@torch_operator(
    "norm_gradient",
    "(Tensor grad_scale, Tensor grad_shift, Tensor vectors, int bodies, int positions) -> Tensor",
)
def norm_gradient(
    grad_scale: Tensor, grad_shift: Tensor, vectors: Tensor, bodies: int, positions: int
) -> Tensor:
    """Return the gradients of weight and bias, and constant and slope of that of the map.

    The map's gradient through mean and variance is ``constant + slope * map``.
    """
    d = vectors.shape[1]
    gradients = new_vector(vectors, 4, d)
    launch(
        norming.norm_gradient_kernel, (1,), (grad_scale, grad_shift, vectors, gradients, bodies),
        outputs=(gradients,), D=d, P=positions, BLOCK=power_of_two(d),
    )  # fmt: skip
    return gradients
