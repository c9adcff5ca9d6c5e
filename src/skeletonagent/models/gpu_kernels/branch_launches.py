"""Operators around the kernels of a temporal convolution's branches."""

from __future__ import annotations

from torch import Tensor

from skeletonagent.models.gpu_kernels import branches
from skeletonagent.models.gpu_kernels.launching import (
    dot_precision,
    launch,
    new_vector,
    power_of_two,
    torch_operator,
)

TILE_ELEMENTS = 128
"""Frames times columns of a tile; half of them where a branch is wide, which takes registers."""
WIDE_BRANCH = 32
"""Channels of a branch that is wide."""
BRANCH_SPLITS = 32
"""Parts of a batch whose sums for the gradients of weights are kept apart, then added."""


def branch_tile(x: Tensor, narrow: int, convs: int) -> int:
    """Return the frames of a tile."""
    return _constants(x, 1, narrow, convs, 1)["ROWS"]


def _constants(x: Tensor, y_frames: int, narrow: int, convs: int, stride: int) -> dict[str, int]:
    """Return the sizes that are compiled in, but for the precision."""
    _, c, t, columns = x.shape
    first = c - (convs + 1) * narrow
    wide = power_of_two(max(first, narrow))
    elements = TILE_ELEMENTS if wide < WIDE_BRANCH else TILE_ELEMENTS // 2
    return {
        "C": c, "FIRST": first, "NARROW": narrow, "CONVS": convs, "T": t, "S": y_frames,
        "V": columns - 1, "STRIDE": stride, "ROWS": max(1, elements // power_of_two(columns)),
        "WIDE": wide, "BLOCK": power_of_two(columns),
    }  # fmt: skip


@torch_operator(
    "branches",
    "(Tensor x, Tensor scale, Tensor shift, Tensor pointwise_bias, Tensor weights, Tensor biases, "
    "Tensor share, int narrow, int convs, int stride) -> (Tensor, Tensor, Tensor, Tensor)",
)
def branches_and_measures(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    pointwise_bias: Tensor,
    weights: Tensor,
    biases: Tensor,
    share: Tensor,
    narrow: int,
    convs: int,
    stride: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the branches' joints, the mean of each frame, and mean and squares of each tile.

    Args:
        x: Joints and their mean, all channels.
        scale: Factor of each channel that is normed: all but those of the 1x1 branch.
        shift: What is added after it.
        pointwise_bias: Bias of the 1x1 branch.
        weights: Weights of the dilated branches one after another.
        biases: Their biases.
        share: Share of each joint in the mean.
        narrow: Channels of a branch; the first has what is left.
        convs: Number of dilated branches, the dilation of each being its number from 1.
        stride: Step in time.
    """
    bodies, c, t, columns = x.shape
    frames = -(-t // stride)
    sizes = _constants(x, frames, narrow, convs, stride)
    tiles = -(-frames // sizes["ROWS"])
    y = x.new_empty(bodies, c, frames, columns - 1)
    means = new_vector(x, bodies, c, frames)
    mean, squares = new_vector(x, c, bodies * tiles), new_vector(x, c, bodies * tiles)
    launch(
        branches.branches_kernel, (convs + 2, tiles, bodies),
        (x, scale, shift, pointwise_bias, weights, biases, share, y, means, mean, squares),
        outputs=(y, means, mean, squares), PRECISION=dot_precision(), warps=8, **sizes,
    )  # fmt: skip
    return y, means, mean, squares


@torch_operator(
    "branches_gradient",
    "(Tensor grad_y, Tensor y, Tensor gradients, Tensor share, Tensor weights, Tensor x, "
    "Tensor scale, Tensor shift, int narrow, int convs, int stride) -> (Tensor, Tensor)",
)
def branches_gradient(
    grad_y: Tensor,
    y: Tensor,
    gradients: Tensor,
    share: Tensor,
    weights: Tensor,
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    narrow: int,
    convs: int,
    stride: int,
) -> tuple[Tensor, Tensor]:
    """Return the gradient of the branches' input, and its sums for scale and shift by channel.

    Those of the channels of the 1x1 branch are the gradient of its bias. ``gradients`` is what
    the gradient of the norm after the branches returned.
    """
    bodies, c, t, _ = x.shape
    sizes = _constants(x, y.shape[2], narrow, convs, stride)
    tiles = -(-t // sizes["ROWS"])
    grad_x, sums = x.new_empty(x.shape), new_vector(x, 2, c, bodies * tiles)
    launch(
        branches.branches_gradient_kernel, (convs + 2, tiles, bodies),
        (grad_y, y, gradients[2], gradients[3], share, weights, x, scale, shift, grad_x, sums),
        outputs=(grad_x, sums), PRECISION=dot_precision(), warps=8, **sizes,
    )  # fmt: skip
    return grad_x, sums.sum(dim=-1)


@torch_operator(
    "branch_weights_gradient",
    "(Tensor grad_y, Tensor y, Tensor gradients, Tensor share, Tensor weights, Tensor x, "
    "Tensor scale, Tensor shift, Tensor means, int narrow, int convs, int stride)"
    " -> (Tensor, Tensor, Tensor)",
)
def branch_weights_gradient(
    grad_y: Tensor,
    y: Tensor,
    gradients: Tensor,
    share: Tensor,
    weights: Tensor,
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    means: Tensor,
    narrow: int,
    convs: int,
    stride: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the dilated branches' weights, of all biases, and of the shares."""
    bodies, c, _, columns = x.shape
    parts, size = min(bodies, BRANCH_SPLITS), weights.numel()
    grad_weights, grad_biases = new_vector(x, parts, size), new_vector(x, parts, c)
    grad_share = new_vector(x, parts, convs + 2, columns - 1)
    launch(
        branches.branch_weights_kernel, (convs + 2, parts),
        (grad_y, y, gradients[2], gradients[3], share, x, scale, shift, means,
         grad_weights, grad_biases, grad_share, bodies),
        outputs=(grad_weights, grad_biases, grad_share), PRECISION=dot_precision(), warps=8,
        SIZE=size, **_constants(x, y.shape[2], narrow, convs, stride),
    )  # fmt: skip
    return grad_weights.sum(dim=0), grad_biases.sum(dim=0), grad_share.sum(dim=(0, 1))
