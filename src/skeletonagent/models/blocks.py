"""What all backbones share: the spatial-temporal block and its residual connection.

Inside a backbone every body is a sample of its own: ``b`` is N times M.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.models.batch_norm import SyncableBatchNorm2d


class ConvBNSequence(nn.Sequential):
    """Norms, rectifiers and 1x1 convolutions one after another.

    A norm takes away the bias of the convolution before it, so that bias is never added to the
    maps: it only moves the norm's running mean.
    """

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return what the last layer makes of the maps."""
        before: Tensor | None = None
        for layer, following in pairwise([*self, nn.Identity()]):
            if isinstance(layer, nn.Conv2d):
                left_out = isinstance(following, SyncableBatchNorm2d)
                before, bias = (layer.bias, None) if left_out else (None, layer.bias)
                x = conv1x1(layer.weight, x[:, :, :: layer.stride[0]], bias)
            elif isinstance(layer, SyncableBatchNorm2d):
                x, before = layer(x, before), None
            else:
                x = layer(x)
        return x


def conv1x1(
    weight: Float[Tensor, "d c 1 1"],
    x: Float[Tensor, "b c t v"],
    bias: Float[Tensor, " d"] | None = None,
) -> Float[Tensor, "b d t v"]:
    """Return a 1x1 convolution as a matrix product that leaves all in its place.

    ``torch.matmul`` would copy the maps in order to have one large product instead.
    """
    matrix = weight.flatten(1).expand(x.shape[0], -1, -1)
    y: Tensor = torch.bmm(matrix, x.flatten(2)).unflatten(2, x.shape[2:])
    if bias is not None:
        y += bias[:, None, None]  # in place, lest autocast's lower precision be promoted
    return y


def shortcut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Return the identity where shapes agree, else a strided 1x1 convolution and BatchNorm."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return ConvBNSequence(
        nn.Conv2d(in_channels, out_channels, 1, stride=(stride, 1)),
        SyncableBatchNorm2d(out_channels),
    )


class STBlock(nn.Module):
    """A graph unit and a temporal unit, with a way residual both unless ``residual`` is None."""

    def __init__(self, graph: nn.Module, temporal: nn.Module, residual: nn.Module | None) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.shortcut = residual

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        y: Tensor = self.temporal(self.graph(x))
        return functional.relu(y if self.shortcut is None else y + self.shortcut(x))
