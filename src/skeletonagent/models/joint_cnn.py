"""Joint CNN: every joint by itself, in a few channels, for a readout that keeps joints apart."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.models.batch_norm import SyncableBatchNorm2d, TransposedBatchNorm2d
from skeletonagent.models.blocks import frames_to_maps, present

SLOPE = 0.2
"""Slope of the leaky rectifiers below zero."""


class FeatureNormStem(nn.Module):
    """Batch normalisation of every feature of every joint, alike for all bodies.

    Unlike :class:`~skeletonagent.models.stems.BatchNormStem` it is fast for many features, and an
    absent value, zero, counts as the mean.

    Args:
        joints: V.
        channels: C of the input.
    """

    def __init__(self, joints: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.norm = TransposedBatchNorm2d(channels, joints)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b c t v"]:
        """Return the normalised bodies; see :class:`~skeletonagent.models.backbones.Backbone`."""
        joints = clips.flatten(0, 1)
        joints = joints if bodies is None else joints[bodies]
        v, c = joints.shape[2:]
        values = frames_to_maps(joints.flatten(2))  # b (v c) t 1, the parameters are (c v)
        normed = self.norm(values) * present(values)
        maps: Tensor = normed.squeeze(-1).unflatten(1, (v, c))
        return maps.permute(0, 2, 3, 1)


class JointTokens(nn.Module):
    """Features of each joint: an embedding with the joint's own offset, and a look along time.

    Weights are shared by all joints; half of the frames remain.

    Args:
        joints: V.
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel: Frames that are seen at once, an odd number.
    """

    def __init__(self, joints: int, in_channels: int, channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1, bias=False), SyncableBatchNorm2d(channels)
        )
        self.position = nn.Parameter(0.2 * torch.randn(channels, 1, joints))
        self.temporal = nn.Conv2d(
            channels, channels, (kernel, 1), padding=(kernel // 2, 0), groups=channels, bias=False
        )
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), SyncableBatchNorm2d(channels)
        )

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the features of every joint in half of the frames."""
        embedded = self.embed(x)
        # Of the maps' precision and memory layout, lest autocast's lower precision be promoted.
        position = self.position[None].to(embedded.dtype, memory_format=torch.channels_last)
        embedded = functional.leaky_relu(embedded + position, SLOPE)
        mixed = functional.leaky_relu(self.mix(self.temporal(embedded)), SLOPE)
        return functional.max_pool2d(embedded + mixed, (2, 1), ceil_mode=True)
