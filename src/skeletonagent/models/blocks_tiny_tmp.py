"""TODO."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import STBlock, shortcut
from skeletonagent.models.graph_conv import spatial_adjacency


class NeighbourGraphConv(nn.Module):
    """Put beside the features of each joint those of its neighbours.

    One graph for all channels, that starts from the bones and may be learnt away from.
    """

    def __init__(self, layout: SkeletonLayout) -> None:
        super().__init__()
        _, inward, outward = spatial_adjacency(layout)
        self.graph = nn.Parameter((inward + outward) / 2)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return twice the channels: a joint's own, then what it gathers."""
        gathered = x @ self.graph
        return torch.cat([x.to(gathered.dtype), gathered], dim=1)  # autocast would promote both


def tiny_block(
    layout: SkeletonLayout, in_channels: int, out_channels: int, kernel: int, stride: int
) -> STBlock:
    """Return a block that blends neighbours, channels and ``kernel`` frames at once."""
    blend = nn.Sequential(
        nn.Conv2d(
            2 * in_channels,
            out_channels,
            (kernel, 1),
            (stride, 1),
            padding=(kernel // 2, 0),
            bias=False,
        ),
        SyncableBatchNorm2d(out_channels),
    )
    residual = shortcut(in_channels, out_channels, stride) if stride > 1 else None
    return STBlock(NeighbourGraphConv(layout), blend, residual)


def tiny_blocks(layout: SkeletonLayout, channels: int, width: int) -> list[STBlock]:
    """Return three blocks, each of twice the channels and half the frames of the one before.

    Args:
        layout: The skeleton, whose bones are the initial graphs.
        channels: C of the clips.
        width: Channels of the first block.
    """
    return [
        tiny_block(layout, channels, width, kernel=3, stride=1),
        tiny_block(layout, width, 2 * width, kernel=5, stride=2),
        tiny_block(layout, 2 * width, 4 * width, kernel=5, stride=2),
    ]
