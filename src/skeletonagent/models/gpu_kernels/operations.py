"""Operations of a block by kernels, with their gradients."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.gpu_kernels import branch_launches, map_launches, product_launches
from skeletonagent.models.gpu_kernels.launching import require_contiguous
from skeletonagent.models.gpu_kernels.maps import NormedMap, ReadMap
from skeletonagent.models.temporal_conv import DGTemporalConv

# Autograd gives and takes untyped tuples: gradients are in the order of forward's arguments.


class _Product(Function):
    """Product with the norm of its result; the input is kept for others, or normed itself."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        weight: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        skipped_bias: Tensor | None,
        norm: SyncableBatchNorm2d,
        keep: bool,
        pool: bool,
    ) -> tuple[Tensor | None, ...]:
        y, mean, squares = product_launches.product_and_measures(x, scale, shift, weight)
        tile = product_launches.product_tile(y[0, 0].numel())
        vectors = _vectors(y, mean, squares, norm_weight, norm_bias, skipped_bias, norm, tile)
        ctx.save_for_backward(x, scale, shift, weight, y, vectors)
        ctx.skips = skipped_bias is not None
        ctx.set_materialize_grads(False)  # nobody else may have read the map
        kept, pooled = x.view_as(x) if keep else None, x.mean(dim=2) if pool else None
        return y, vectors[0], vectors[1], kept, pooled

    @staticmethod
    def backward(
        ctx: Any,
        grad_y: Tensor,
        grad_scale: Tensor,
        grad_shift: Tensor,
        kept_grad: Tensor | None,
        pooled_grad: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        x, scale, shift, weight, y, vectors = ctx.saved_tensors
        kept_grad = None if kept_grad is None else kept_grad.contiguous()
        pooled_grad = None if pooled_grad is None else pooled_grad.contiguous()
        grad_y = grad_y.contiguous()
        gradients = _norm_gradient(y, grad_scale, grad_shift, vectors)
        grad_x, sums = product_launches.product_gradient(
            grad_y, y, gradients, weight, x, scale, shift, kept_grad, pooled_grad
        )
        grad_weight = product_launches.weight_gradient(grad_y, y, gradients, x, scale, shift)
        of_norm = (None, None) if scale is None else (sums[0], sums[1])
        skipped = torch.zeros_like(gradients[1]) if ctx.skips else None
        return (
            grad_x, *of_norm, grad_weight.to(weight.dtype), gradients[0], gradients[1], skipped,
            None, None, None,
        )  # fmt: skip


class _GraphProduct(Function):
    """Graph product of a normed map, along graphs that are made in the kernel."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs)
        gathered: Tensor = map_launches.adapted_graph_product(*inputs)
        return gathered

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, ...]:
        alpha = ctx.saved_tensors[-1]
        grad_x, grad_shared, grad_attended, sums = map_launches.graph_product_gradient(
            grad_y.contiguous(), *ctx.saved_tensors
        )
        of_alpha = sums[2].sum().to(alpha.dtype)
        return grad_x, sums[0], sums[1], grad_shared, grad_attended, of_alpha


class _Join(Function):
    """Rectified sum of a normed map and a shortcut."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        other: Tensor | None,
        other_scale: Tensor | None,
        other_shift: Tensor | None,
        with_mean: bool,
    ) -> Tensor:
        inputs = (x, scale, shift, other, other_scale, other_shift)
        y: Tensor = map_launches.joined_maps(*inputs, with_mean)
        ctx.identity = other is not None and other_scale is None
        ctx.with_mean = with_mean
        # Which elements were rectified the result says, or is computed anew from what is read.
        ctx.save_for_backward(*((y, *inputs) if ctx.identity else (None, *inputs)))
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        _, _, _, _, other, other_scale, _ = ctx.saved_tensors
        grad_x, grad_other, sums = map_launches.join_gradient(
            grad_y.contiguous(), *ctx.saved_tensors, ctx.with_mean
        )
        beside = (None, None) if other_scale is None else (sums[2], sums[1])
        return grad_x, sums[0], sums[1], None if other is None else grad_other, *beside, None


class _Branches(Function):
    """Branches of a temporal convolution, the mean's share added, with the norm of the result."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        pointwise_bias: Tensor,
        weights: Tensor,
        biases: Tensor,
        share: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        norm: SyncableBatchNorm2d,
        sizes: tuple[int, int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, means, mean, squares = branch_launches.branches_and_measures(
            x, scale, shift, pointwise_bias, weights, biases, share, *sizes
        )
        tile = branch_launches.branch_tile(x, *sizes[:2]) * y.shape[-1]
        vectors = _vectors(y, mean, squares, norm_weight, norm_bias, None, norm, tile)
        ctx.save_for_backward(share, weights, x, scale, shift, y, means, vectors)
        ctx.sizes = sizes
        return y, vectors[0], vectors[1]

    @staticmethod
    def backward(
        ctx: Any, grad_y: Tensor, grad_scale: Tensor, grad_shift: Tensor
    ) -> tuple[Tensor | None, ...]:
        *read, y, means, vectors = ctx.saved_tensors
        gradients = _norm_gradient(y, grad_scale, grad_shift, vectors)
        given = grad_y.contiguous(), y, gradients, *read
        grad_x, sums = branch_launches.branches_gradient(*given, *ctx.sizes)
        of_weights, of_biases, of_share = branch_launches.branch_weights_gradient(
            *given, means, *ctx.sizes
        )
        normed, dilated = len(read[3]), len(read[3]) - ctx.sizes[0]
        return (
            grad_x, sums[0, :normed], sums[1, :normed], sums[1, normed:], of_weights,
            of_biases[:dilated], of_share, gradients[0], gradients[1], None, None,
        )  # fmt: skip


def _vectors(
    x: Tensor,
    mean: Tensor,
    squares: Tensor,
    weight: Tensor,
    bias: Tensor,
    skipped_bias: Tensor | None,
    norm: SyncableBatchNorm2d,
    tile: int,
) -> Tensor:
    """Return what a norm makes of a map's measures, and move its running statistics."""
    norm.num_batches_tracked.add_(1)
    vectors: Tensor = product_launches.norm_vectors(
        mean, squares, weight, bias, skipped_bias, norm.running_mean, norm.running_var,
        norm.momentum, norm.eps, len(x), x[0, 0].numel(), tile,
    )  # fmt: skip
    return vectors


def _norm_gradient(x: Tensor, grad_scale: Tensor, grad_shift: Tensor, vectors: Tensor) -> Tensor:
    gradients: Tensor = product_launches.norm_gradient(
        grad_scale.contiguous(), grad_shift.contiguous(), vectors, len(x), x[0, 0].numel()
    )
    return gradients


class TritonOperations:
    """Operations of a block as kernels; see ``MapOperations``."""

    def first_product(
        self,
        x: Float[Tensor, "b c t v"],
        weight: Float[Tensor, "d c"],
        norm: SyncableBatchNorm2d,
        skipped_bias: Float[Tensor, " d"] | None,
        *,
        pooled: bool,
    ) -> tuple[NormedMap, ReadMap]:
        """Return ``weight @ x`` with its norm, and the map for others."""
        require_contiguous(x)
        y, scale, shift, *read = _Product.apply(  # type: ignore[no-untyped-call]
            x, None, None, weight, norm.weight, norm.bias, skipped_bias, norm, True, pooled
        )
        return NormedMap(y, scale, shift), ReadMap(*read)

    def product(
        self,
        x: Float[Tensor, "b c t v"] | NormedMap,
        weight: Float[Tensor, "d c"],
        norm: SyncableBatchNorm2d,
        skipped_bias: Float[Tensor, " e"] | None,
    ) -> NormedMap:
        """Return ``weight @ x`` with its norm."""
        read = x if isinstance(x, NormedMap) else (x, None, None)
        require_contiguous(read[0])
        y, scale, shift, *_ = _Product.apply(  # type: ignore[no-untyped-call]
            *read, weight, norm.weight, norm.bias, skipped_bias, norm, False, False
        )
        return NormedMap(y, scale, shift)

    def graph_product(
        self,
        x: NormedMap,
        shared: Float[Tensor, "b k v v"],
        attended: Float[Tensor, "b c2 v"],
        alpha: Float[Tensor, ""],
    ) -> Float[Tensor, "b c t v"]:
        """Return each channel gathered along ``shared + alpha tanh(source - target)``."""
        gathered: Tensor = _GraphProduct.apply(  # type: ignore[no-untyped-call]
            *x, shared.contiguous(), attended.contiguous(), alpha
        )
        return gathered

    def join(
        self, x: NormedMap, other: Float[Tensor, "b c t v"] | NormedMap | None, *, with_mean: bool
    ) -> Float[Tensor, "b c t w"]:
        """Return the rectified sum of two maps, and the joints' mean as one more joint."""
        beside = other if isinstance(other, NormedMap) else (other, None, None)
        y: Tensor = _Join.apply(*x, *beside, with_mean)  # type: ignore[no-untyped-call]
        return y

    def branches(self, x: NormedMap, temporal: DGTemporalConv) -> NormedMap:
        """Return the branches of joints and their mean, added, with the norm of the result."""
        layers, norm = temporal.branches, temporal.mix[0]
        assert layers.enter.bias is not None
        assert isinstance(norm, SyncableBatchNorm2d)
        convs = [conv for conv in layers.convs if isinstance(conv, nn.Conv2d)]
        weights = torch.cat([conv.weight.flatten() for conv in convs])
        biases = torch.cat([conv.bias for conv in convs if conv.bias is not None])
        narrow = x.x.shape[1] - len(x.scale)
        sizes = narrow, len(layers.convs), layers.stride
        branched = _Branches.apply(  # type: ignore[no-untyped-call]
            *x, layers.enter.bias[len(x.scale) :], weights, biases, temporal.share,
            norm.weight, norm.bias, norm, sizes,
        )  # fmt: skip
        return NormedMap(*branched)
