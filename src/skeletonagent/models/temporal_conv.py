"""Temporal convolutions of each joint by itself, in several branches side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import Conv1x1, ConvBNSequence

DILATIONS = (1, 2, 3, 4)
"""Dilations of the branches of ST-GCN++, DG-STGCN and the paper's recognizer."""


class TemporalBranches(nn.Module):
    """Branches over the same frames side by side: dilated ones, a max-pooled and a 1x1 one.

    Every branch starts with a 1x1 convolution, here one for all. The channels are shared
    equally; the first branch also gets the remainder.

    Args:
        channels: Channels of the input and of the output.
        stride: Step in time.
        kernel: Frames that a dilated branch sees at once, an odd number.
        dilations: Dilation of each dilated branch.

    Raises:
        ValueError: If there are fewer channels than branches.
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
        self.enter = Conv1x1(channels, channels)
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
        assert self.enter.bias is not None
        normed, rest = slice(sum(self.widths)), slice(sum(self.widths), None)
        entered = self.norm(self.enter(x, normed, add_bias=False), self.enter.bias[normed]).relu_()
        return self.branch(entered, self.enter(x[:, :, :: self.stride], rest))

    def branch(
        self, entered: Float[Tensor, "b d t v"], pointwise: Float[Tensor, "b e s v"]
    ) -> Float[Tensor, "b c s v"]:
        """Return the branches' channels one after another.

        Args:
            entered: Input of the dilated branches and of the pooled one.
            pointwise: Output of the 1x1 branch.
        """
        *dilated, pooled = torch.split(entered, self.widths, dim=1)
        convolved = [conv(branch) for conv, branch in zip(self.convs, dilated, strict=True)]
        return torch.cat([*convolved, temporal_max_pool(pooled, self.stride), pointwise], dim=1)


def temporal_max_pool(x: Float[Tensor, "b c t v"], stride: int) -> Float[Tensor, "b c s v"]:
    """Return the maximum of each frame and its neighbours in maps without negative values.

    Max pooling, but several times faster than torch's on a CPU, and it keeps no indices.
    """
    padded = functional.pad(x, (0, 0, 1, 1))
    last = padded.shape[2]
    before, now, after = (padded[:, :, i : last - 2 + i : stride] for i in range(3))
    return torch.maximum(torch.maximum(before, now), after)


def branch_fusion(channels: int) -> ConvBNSequence:
    """Return the layers that fuse the branches of a temporal convolution."""
    return ConvBNSequence(
        SyncableBatchNorm2d(channels),
        nn.ReLU(inplace=True),
        Conv1x1(channels, channels),
        SyncableBatchNorm2d(channels),
    )


class MultiScaleTCN(nn.Module):
    """Multi-branch temporal convolution of each joint by itself (ST-GCN++)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.mix = branch_fusion(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the fused branches, not rectified."""
        fused: Tensor = self.mix(self.branches(x))
        return fused


class DGTemporalConv(nn.Module):
    """Multi-branch temporal convolution in which each joint also takes from the body's mean.

    The mean of all joints goes through the branches as one more joint, and each joint adds its
    result times a learnt coefficient of the joint, which starts at zero. Source: spec 1.3.
    """

    def __init__(self, channels: int, stride: int, joints: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.share = nn.Parameter(torch.zeros(joints))
        self.mix = branch_fusion(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the fused branches, not rectified."""
        branches = self.branches(torch.cat([x, x.mean(dim=-1, keepdim=True)], dim=-1))
        joints, body = branches[..., :-1], branches[..., -1:]
        # In the branches' own precision: under autocast the sum would be promoted.
        share = self.share.to(joints.dtype)
        fused: Tensor = self.mix(torch.addcmul(joints, body, share))
        return fused


def CTRTemporalConv(channels: int, stride: int) -> nn.Sequential:
    """Return CTR-GCN's temporal convolution: four branches, two of them dilated, each normed."""
    branches = TemporalBranches(channels, stride, kernel=5, dilations=(1, 2))
    return nn.Sequential(branches, SyncableBatchNorm2d(channels))
