"""Batch normalisation that can share its training statistics among several ranks.

torch's own ``SyncBatchNorm`` runs on GPUs alone, and it cannot be used at all where statistics
differ from slot to slot (see :class:`PersonBatchNorm`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

AllReduce = Callable[[Tensor], Tensor]
"""Sum over ranks, through which gradients pass."""


class SyncableBatchNorm2d(nn.BatchNorm2d):
    """torch's ``BatchNorm2d``; with ``all_reduce``, over the batches of all ranks.

    Called with the maps alone it gives what torch's gives, bit for bit. Ranks may have different
    numbers of bodies: the elements of each are counted.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float
    all_reduce: AllReduce | None = None

    def forward(
        self, x: Float[Tensor, "b c t v"], skipped_bias: Float[Tensor, " c"] | None = None
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised.

        Args:
            x: Maps.
            skipped_bias: Bias that the convolution before did not add to the maps; the result is
                that of ``x + skipped_bias``. In training it changes nothing but the running mean,
                and its gradient is zero.
        """
        weight, variance = self.weight, self.running_var
        if skipped_bias is None:
            return self._normalise(x, self.running_mean, variance, weight, self.bias)
        if not self.training:
            bias = self.bias + weight * (variance + self.eps).rsqrt() * skipped_bias
            return self._normalise(x, self.running_mean, variance, weight, bias)
        mean = (self.running_mean - skipped_bias).detach()
        # A gradient of zero rather than none: DistributedDataParallel waits for all of them.
        normed = self._normalise(x, mean, variance, weight, self.bias + 0 * skipped_bias)
        self.running_mean.copy_((mean + skipped_bias).detach())
        return normed

    def _normalise(
        self,
        x: Float[Tensor, "b c t v"],
        mean: Float[Tensor, " c"],
        variance: Float[Tensor, " c"],
        weight: Float[Tensor, " c"],
        bias: Float[Tensor, " c"],
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised; in training the running statistics are moved in place."""
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.all_reduce is not None:
                return self._normalise_jointly(x, mean, variance, weight, bias, self.all_reduce)
        return functional.batch_norm(
            x, mean, variance, weight, bias, self.training, self.momentum, self.eps
        )

    def _normalise_jointly(
        self,
        x: Float[Tensor, "b c t v"],
        running_mean: Float[Tensor, " c"],
        running_variance: Float[Tensor, " c"],
        weight: Float[Tensor, " c"],
        bias: Float[Tensor, " c"],
        all_reduce: AllReduce,
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised with the statistics of all ranks."""
        dims, x_float = (0, 2, 3), x.float()
        size = x_float.new_full((1,), x.numel() / x.shape[1])
        total, count = all_reduce(torch.cat([x_float.sum(dims), size])).split([x.shape[1], 1])
        mean = total / count
        centred = x_float - mean[:, None, None]
        variance = all_reduce(centred.square().sum(dims)) / count
        unbiased = variance * (count / (count - 1).clamp(min=1))
        running_mean.lerp_(mean.detach(), self.momentum)
        running_variance.lerp_(unbiased.detach(), self.momentum)
        scale = weight * (variance + self.eps).rsqrt()
        return torch.addcmul(bias[:, None, None], centred, scale[:, None, None]).to(x.dtype)


class TransposedBatchNorm2d(SyncableBatchNorm2d):
    """Batch normalisation of maps whose channels are those of the norm in another order.

    So maps need not be copied into the order of the parameters.

    Args:
        rows: Rows of the norm's channels as a matrix.
        columns: Its columns; channels of the maps are those of the transposed matrix.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__(rows * columns)
        self.rows = rows

    def forward(  # type: ignore[override]  # no bias is skipped before it
        self, x: Float[Tensor, "b c t v"]
    ) -> Float[Tensor, "b c t v"]:
        """Return the maps, normalised."""
        mean, variance = self._turned(self.running_mean), self._turned(self.running_var)
        weight, bias = self._turned(self.weight), self._turned(self.bias)
        normed = self._normalise(x, mean, variance, weight, bias)
        if self.training:
            for kept, moved in ((self.running_mean, mean), (self.running_var, variance)):
                kept.copy_(moved.unflatten(0, (-1, self.rows)).mT.flatten())
        return normed

    def _turned(self, values: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
        turned: Tensor = values.unflatten(0, (self.rows, -1)).mT
        return turned.flatten()


class SlotStatistics(NamedTuple):
    """Statistics of a batch over the bodies and frames of each slot."""

    frames: Float[Tensor, " m"]
    """Number of frames in each slot, 0 where the batch has no body there."""
    mean: Float[Tensor, "m v f"]
    """Mean of each feature of each joint."""
    variance: Float[Tensor, "m v f"]
    """Biased variance of each feature of each joint."""


class PersonBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of each slot's joints, given statistics of the batch.

    A slot is a body's index in its clip. Statistics are over the bodies that are run; of a slot
    without any in a batch the running statistics stay. The stems have shorter ways to the
    statistics than by the features themselves, so they compute them and apply the result.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float
    all_reduce: AllReduce | None = None

    def forward(  # type: ignore[override]  # of statistics, not of features
        self, statistics: SlotStatistics | None, shape: tuple[int, int, int]
    ) -> tuple[Float[Tensor, "m v f"], Float[Tensor, "m v f"], Float[Tensor, "m v f"]]:
        """Return what each slot's features are normalised by: mean, scale and bias.

        Args:
            statistics: Statistics of the batch, by which the running ones are moved; None takes
                the running ones instead, as in evaluation.
            shape: Numbers of slots, joints and features of a joint.
        """
        if statistics is None:
            mean, variance = self.running_mean.view(shape), self.running_var.view(shape)
        else:
            mean, variance = statistics.mean, statistics.variance
            self.track(statistics)
        scale = self.weight.view(shape) * (variance + self.eps).rsqrt()
        return mean, scale, self.bias.view(shape)

    @torch.no_grad()
    def track(self, statistics: SlotStatistics) -> None:
        """Move the running statistics towards those of a batch, as torch does.

        Args:
            statistics: Statistics of the batch; nothing moves in slots without frames.
        """
        frames, mean, variance = statistics
        count = frames.repeat_interleave(mean[0].numel())
        momentum = self.momentum * (count > 0)
        unbiased = variance.flatten() * (count / (count - 1).clamp(min=1))
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.flatten(), momentum)
        self.running_var.lerp_(unbiased, momentum)


class BatchMoments(NamedTuple):
    """Mean and covariance of coordinates over the bodies and frames of each slot."""

    frames: Float[Tensor, " m"]
    """Number of frames in each slot."""
    mean: Float[Tensor, "m v c"]
    """Mean of each coordinate."""
    covariance: Float[Tensor, "m v c c"]
    """Biased covariance of a joint's coordinates."""


def batch_moments(
    joints: Float[Tensor, "b t v c"],
    slots: Int[Tensor, " b"],
    persons: int,
    all_reduce: AllReduce | None,
) -> BatchMoments:
    """Return mean and covariance of each slot's joints, zeros where a slot has no body.

    Computed without a matrix product, which a GPU may be set to round.

    Args:
        joints: Coordinates of bodies, in float32.
        slots: The slot of each body.
        persons: M, the number of slots.
        all_reduce: Sum over ranks; None for one rank.
    """
    total = all_reduce or _single_rank
    member = (slots[:, None] == torch.arange(persons, device=slots.device)).float()
    sums = (member[:, :, None, None] * joints.sum(dim=1)[:, None]).sum(dim=0)
    frames = member.sum(dim=0) * joints.shape[1]
    reduced = total(torch.cat([sums.flatten(1), frames[:, None]], dim=1))
    frames, divisor = reduced[:, -1], reduced[:, -1].clamp(min=1)
    mean = reduced[:, :-1].view_as(sums) / divisor[:, None, None]
    centred = joints - mean[slots][:, None]
    squares = (centred[..., :, None] * centred[..., None, :]).sum(dim=1)
    covariance = total((member[:, :, None, None, None] * squares[:, None]).sum(dim=0))
    return BatchMoments(frames, mean, covariance / divisor[:, None, None, None])


def enable_sync_batch_norm(module: nn.Module, all_reduce: AllReduce | None) -> None:
    """Let all norms of a module take their training statistics over all ranks.

    Args:
        module: A recognizer or a part of one.
        all_reduce: Differentiable sum over ranks, such as
            ``torch.distributed.nn.functional.all_reduce``; None for each rank by itself.
    """
    for norm in module.modules():
        if isinstance(norm, SyncableBatchNorm2d | PersonBatchNorm):
            norm.all_reduce = all_reduce


def _single_rank(summed: Tensor) -> Tensor:
    return summed
