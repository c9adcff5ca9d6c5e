"""Plain equivalents of the kernels in PyTorch, of any precision, on any device."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.gpu_kernels.maps import NormedMap, ReadMap
from skeletonagent.models.temporal_conv import DGTemporalConv


class PlainOperations:
    """Operations of a block as kernels compute them, step by step; see ``MapOperations``."""

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
        read = ReadMap(x, x.mean(dim=2) if pooled else None)
        return self.product(x, weight, norm, skipped_bias), read

    def product(
        self,
        x: Float[Tensor, "b c t v"] | NormedMap,
        weight: Float[Tensor, "d c"],
        norm: SyncableBatchNorm2d,
        skipped_bias: Float[Tensor, " e"] | None,
    ) -> NormedMap:
        """Return ``weight @ x`` with its norm."""
        values = _affine(x).relu() if isinstance(x, NormedMap) else x
        y = torch.einsum("dc,bctv->bdtv", weight.to(values.dtype), values)
        return _normed(y, norm, skipped_bias)

    def graph_product(
        self,
        x: NormedMap,
        shared: Float[Tensor, "b k v v"],
        attended: Float[Tensor, "b c2 v"],
        alpha: Float[Tensor, ""],
    ) -> Float[Tensor, "b c t v"]:
        """Return each channel gathered along ``shared + alpha tanh(source - target)``."""
        source, target = attended.chunk(2, dim=1)
        graphs = shared.repeat_interleave(source.shape[1] // shared.shape[1], dim=1)
        graphs = graphs + alpha * torch.tanh(source[..., :, None] - target[..., None, :])
        return _affine(x).relu() @ graphs.to(x.x.dtype)

    def join(
        self, x: NormedMap, other: Float[Tensor, "b c t v"] | NormedMap | None, *, with_mean: bool
    ) -> Float[Tensor, "b c t w"]:
        """Return the rectified sum of two maps, and the joints' mean as one more joint."""
        y = _affine(x)
        if other is not None:
            y = y + (_affine(other) if isinstance(other, NormedMap) else other)
        y = y.relu()
        return torch.cat([y, y.mean(dim=-1, keepdim=True)], dim=-1) if with_mean else y

    def branches(self, x: NormedMap, temporal: DGTemporalConv) -> NormedMap:
        """Return the branches of joints and their mean, added, with the norm of the result."""
        layers, normed = temporal.branches, len(x.scale)
        assert layers.enter.bias is not None
        entered = _affine(NormedMap(x.x[:, :normed], x.scale, x.shift)).relu()
        pointwise = x.x[:, normed:, :: layers.stride] + layers.enter.bias[normed:, None, None]
        branched = layers.branch(entered, pointwise)
        share = temporal.share.to(branched.dtype)
        mixed = torch.addcmul(branched[..., :-1], branched[..., -1:], share)
        norm = temporal.mix[0]
        assert isinstance(norm, SyncableBatchNorm2d)
        return _normed(mixed, norm, None)


def _normed(
    x: Float[Tensor, "b c t v"],
    norm: SyncableBatchNorm2d,
    skipped_bias: Float[Tensor, " e"] | None,
) -> NormedMap:
    """Return a map with the norm of its first channels, whose running statistics are moved."""
    measured = x[:, : norm.num_features]
    exact = measured if x.dtype == torch.float64 else measured.float()
    variance, mean = torch.var_mean(exact, dim=(0, 2, 3), correction=0)
    size = x.numel() / x.shape[1]
    with torch.no_grad():
        moved = mean if skipped_bias is None else mean + skipped_bias
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(moved.to(norm.running_mean.dtype), norm.momentum)
        unbiased = variance * size / max(size - 1, 1)
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    bias = norm.bias if skipped_bias is None else norm.bias + 0 * skipped_bias
    return NormedMap(x, scale, bias - mean * scale)


def _affine(x: NormedMap) -> Float[Tensor, "b c t v"]:
    """Return what a norm makes of a map."""
    normed = x.x * x.scale[:, None, None] + x.shift[:, None, None]
    return normed.to(x.x.dtype)
