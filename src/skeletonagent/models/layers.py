"""What all backbones share: the block and the way around it.

Inside a backbone every body is a sample of its own: ``b`` is N times M.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def shortcut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Return the identity where shapes agree, else a strided 1x1 convolution and BatchNorm."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=(stride, 1)), nn.BatchNorm2d(out_channels)
    )


class Block(nn.Module):
    """A graph unit and a temporal unit, with a way around both unless ``around`` is None."""

    def __init__(self, graph: nn.Module, temporal: nn.Module, around: nn.Module | None) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.shortcut = around

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        y: Tensor = self.temporal(self.graph(x))
        return functional.relu(y if self.shortcut is None else y + self.shortcut(x))
