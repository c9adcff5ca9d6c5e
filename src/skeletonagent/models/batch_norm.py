"""Batch normalisation whose statistics may be those of several processes.

torch's own ``SyncBatchNorm`` runs on GPUs alone, and where statistics differ from slot to slot
(see :class:`PersonBatchNorm`) it cannot be used at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Reduce = Callable[[Tensor], Tensor]
"""A sum over processes, through which gradients pass."""


class SyncableBatchNorm2d(nn.BatchNorm2d):
    """torch's ``SyncableBatchNorm2d``, or with ``reduce`` the same over the batches of all processes.

    Processes may have different numbers of bodies: their elements are counted along.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float
    reduce: Reduce | None = None

    def forward(
        self, x: Float[Tensor, "b c t v"], constant: Float[Tensor, " c"] | None = None
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised.

        Args:
            x: Maps.
            constant: What was left out of each channel's map. In training it changes nothing but
                the running mean, which is that of the whole, and its gradient is zero.
        """
        if constant is None:
            return self._normed(x, self.running_mean, self.bias)
        if not self.training:
            scale = self.weight * (self.running_var + self.eps).rsqrt()
            return self._normed(x, self.running_mean, self.bias + scale * constant)
        mean = (self.running_mean - constant).detach()
        # A gradient of zero rather than none: what trains in parallel waits for all of them.
        normed = self._normed(x, mean, self.bias + 0 * constant)
        self.running_mean.copy_((mean + constant).detach())
        return normed

    def _normed(
        self, x: Float[Tensor, "b c t v"], mean: Float[Tensor, " c"], bias: Float[Tensor, " c"]
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised; in training the running statistics are moved in place."""
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.reduce is not None:
                return self._joined(x, mean, bias, self.reduce)
        return functional.batch_norm(
            x, mean, self.running_var, self.weight, bias, self.training, self.momentum, self.eps
        )

    def _joined(
        self,
        x: Float[Tensor, "b c t v"],
        running_mean: Float[Tensor, " c"],
        bias: Float[Tensor, " c"],
        reduce: Reduce,
    ) -> Float[Tensor, "b c t v"]:
        dims, wide = (0, 2, 3), x.float()
        size = wide.new_full((1,), x.numel() / x.shape[1])
        total, count = reduce(torch.cat([wide.sum(dims), size])).split([x.shape[1], 1])
        mean = total / count
        centred = wide - mean[:, None, None]
        variance = reduce(centred.square().sum(dims)) / count
        unbiased = variance * (count / (count - 1).clamp(min=1))
        running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(unbiased.detach(), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(bias[:, None, None], centred, scale[:, None, None]).to(x.dtype)


class PersonBatchNorm(nn.BatchNorm1d):
    """Parameters and running statistics of each slot's joints; a stem does the normalising.

    A slot is a body's number in its clip. Its statistics are over the bodies that are run, and
    where a batch has none in a slot, what was known of it stays.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float
    reduce: Reduce | None = None

    @torch.no_grad()
    def track(
        self,
        mean: Float[Tensor, "m *v"],
        variance: Float[Tensor, "m *v"],
        frames: Float[Tensor, " m"],
    ) -> None:
        """Move the running statistics towards those of a batch, as torch does.

        Args:
            mean: Of the batch.
            variance: Of the batch, biased.
            frames: Number of frames in each slot; where there is none, nothing moves.
        """
        count = frames.repeat_interleave(mean[0].numel())
        share = self.momentum * (count > 0)
        unbiased = variance.flatten() * (count / (count - 1).clamp(min=1))
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.flatten(), share)
        self.running_var.lerp_(unbiased, share)


class BatchMoments(NamedTuple):
    """Statistics of coordinates over the bodies and frames of each slot."""

    frames: Float[Tensor, " m"]
    """Their number."""
    mean: Float[Tensor, "m v c"]
    covariance: Float[Tensor, "m v c c"]
    """About the mean, divided by their number."""


def batch_moments(
    joints: Float[Tensor, "b t v c"], slots: Int[Tensor, " b"], count: int, reduce: Reduce | None
) -> BatchMoments:
    """Return mean and covariance of each slot's joints, zeros where a slot has no body.

    Without a matrix product, which a GPU may be told to round.

    Args:
        joints: Coordinates of bodies, in float32.
        slots: The slot of each body.
        count: Number of slots.
        reduce: Sum over processes, if there are several.
    """
    total = reduce or _single_process
    member = (slots[:, None] == torch.arange(count, device=slots.device)).float()
    sums = (member[:, :, None, None] * joints.sum(dim=1)[:, None]).sum(dim=0)
    frames = member.sum(dim=0) * joints.shape[1]
    joined = total(torch.cat([sums.flatten(1), frames[:, None]], dim=1))
    frames, divisor = joined[:, -1], joined[:, -1].clamp(min=1)
    mean = joined[:, :-1].view_as(sums) / divisor[:, None, None]
    centred = joints - mean[slots][:, None]
    squares = (centred[..., :, None] * centred[..., None, :]).sum(dim=1)
    covariance = total((member[:, :, None, None, None] * squares[:, None]).sum(dim=0))
    return BatchMoments(frames, mean, covariance / divisor[:, None, None, None])


def enable_sync_batch_norm(module: nn.Module, reduce: Reduce | None) -> None:
    """Let all norms of a module take their training statistics over all processes.

    Args:
        module: A recognizer or a part of one.
        reduce: Differentiable sum over processes, such as
            ``torch.distributed.nn.functional.all_reduce``; None for each process by itself.
    """
    for norm in module.modules():
        if isinstance(norm, SyncableBatchNorm2d | PersonBatchNorm):
            norm.reduce = reduce


def _single_process(summed: Tensor) -> Tensor:
    return summed
