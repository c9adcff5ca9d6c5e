"""Temporal units: every joint by itself, frames with their neighbours, in several branches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import ConvBNSequence, conv1x1

DILATIONS = (1, 2, 3, 4)
"""Of the dilated branches of ST-GCN++, DG-STGCN and the paper's recognizer."""


class TemporalBranches(nn.Module):
    """Several views of the same frames side by side: dilated ones, one pooled and one plain.

    Every branch starts with a 1x1 convolution, here one for all. The channels are shared
    equally, and the first branch also gets what is left over.

    Args:
        channels: Channels taken and given.
        stride: Step in time.
        kernel: Frames that a dilated branch sees at once, an odd number.
        dilations: One dilated branch each.

    Raises:
        ValueError: If there is not a channel for each branch.
    """

    def __init__(
        self, channels: int, stride: int, kernel: int = 3, dilations: Sequence[int] = DILATIONS
    ) -> None:
        super().__init__()
        branches = len(dilations) + 2
        narrow = channels // branches
        if not narrow:
            raise ValueError(f"{channels} channels are too few; {branches} branches need one each")
        first = channels - (branches - 1) * narrow
        self.widths = [first] + [narrow] * (branches - 2)
        self.stride = stride
        self.enter = nn.Conv2d(channels, channels, 1)
        self.norm = SyncableBatchNorm2d(channels - narrow)
        self.convs = nn.ModuleList(
            nn.Conv2d(
                width,
                width,
                (kernel, 1),
                (stride, 1),
                padding=(kernel // 2 * dilation, 0),
                dilation=(dilation, 1),
            )
            for width, dilation in zip(self.widths, dilations, strict=False)
        )

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the branches' channels one after another."""
        weight, bias, normed = self.enter.weight, self.enter.bias, sum(self.widths)
        assert bias is not None
        entered = self.norm(conv1x1(weight[:normed], x), bias[:normed]).relu_()
        plain = conv1x1(weight[normed:], x[:, :, :: self.stride], bias[normed:])
        *dilated, pooled = torch.split(entered, self.widths, dim=1)
        convolved = [conv(branch) for conv, branch in zip(self.convs, dilated, strict=True)]
        return torch.cat([*convolved, temporal_max_pool(pooled, self.stride), plain], dim=1)


def temporal_max_pool(x: Float[Tensor, "b c t v"], stride: int) -> Float[Tensor, "b c s v"]:
    """Return the highest of each frame and its neighbours in maps without negative values.

    Max pooling, but several times faster than torch's on a processor, and it keeps no indices.
    """
    padded = functional.pad(x, (0, 0, 1, 1))
    last = padded.shape[2]
    before, now, after = (padded[:, :, i : last - 2 + i : stride] for i in range(3))
    return torch.maximum(torch.maximum(before, now), after)


def fuse(channels: int) -> ConvBNSequence:
    """Return the layers that blend the branches of a temporal unit."""
    return ConvBNSequence(
        SyncableBatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1),
        SyncableBatchNorm2d(channels),
    )


class MultiScaleTCN(nn.Module):
    """Multi-branch temporal convolution of each joint by itself (ST-GCN++)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.mix = fuse(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the blended branches, not rectified."""
        mixed: Tensor = self.mix(self.branches(x))
        return mixed


class DGTemporalConv(nn.Module):
    """Multi-branch temporal convolution in which joints share in the whole body's motion.

    The mean of all joints goes through the branches as one joint more, and each joint adds as
    much of the outcome as its own coefficient, zero at first, tells. Source: spec 1.3.
    """

    def __init__(self, channels: int, stride: int, joints: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.share = nn.Parameter(torch.zeros(joints))
        self.mix = fuse(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the blended branches, not rectified."""
        branches = self.branches(torch.cat([x, x.mean(dim=-1, keepdim=True)], dim=-1))
        joints, body = branches[..., :-1], branches[..., -1:]
        # In the branches' own precision: under autocast the sum would be promoted.
        share = self.share.to(joints.dtype)
        mixed: Tensor = self.mix(torch.addcmul(joints, body, share))
        return mixed


def CTRTemporalConv(channels: int, stride: int) -> nn.Sequential:
    """Return CTR-GCN's temporal unit: four branches, two of them dilated, each normalised."""
    branches = TemporalBranches(channels, stride, kernel=5, dilations=(1, 2))
    return nn.Sequential(branches, SyncableBatchNorm2d(channels))
