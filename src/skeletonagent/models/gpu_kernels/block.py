"""Training forward pass of a block by operations on maps, each of which reads and writes few."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import Conv1x1, ConvBNSequence, STBlock
from skeletonagent.models.gpu_kernels.maps import MapOperations, NormedMap
from skeletonagent.models.graph_conv import DGGraphConv
from skeletonagent.models.temporal_conv import DGTemporalConv

Weights = tuple[Tensor, SyncableBatchNorm2d, Tensor | None]
"""Matrix of a 1x1 convolution, the norm after it, and the bias that the norm takes."""


class MapBlock:
    """Training forward pass of a block of DG-STGCN or of the paper's backbone.

    Equal to the block's own to rounding: the norms' maps before a product are not written, nor
    are the adapted graphs.

    Args:
        operations: Operations on maps.
    """

    def __init__(self, operations: MapOperations) -> None:
        self.operations = operations

    def __call__(self, block: STBlock, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        graph, temporal = block.graph, block.temporal
        assert isinstance(graph, DGGraphConv)
        assert isinstance(temporal, DGTemporalConv)
        maps, device = self.operations, x.device.type
        if torch.is_autocast_enabled(device):  # a stem may leave its map in single precision
            x = x.to(torch.get_autocast_dtype(device))
        entered, read = maps.first_product(x, *_weights(graph.enter), pooled=True)
        assert read.pooled is not None
        attention = graph.attend(read.pooled)
        gathered = maps.graph_product(entered, attention.graphs, attention.attended, graph.alpha)
        left = maps.product(gathered, *_weights(graph.leave))
        joints = maps.join(left, self._shortcut(graph.shortcut, read.x), with_mean=True)
        layers = temporal.branches
        assert layers.enter.bias is not None
        bias = layers.enter.bias[: layers.norm.num_features]
        entered = maps.product(joints, layers.enter.weight.flatten(1), layers.norm, bias)
        mixed = maps.branches(entered, temporal)
        fused = maps.product(mixed, *_weights(temporal.mix[2:]))
        beside = None if block.shortcut is None else self._shortcut(block.shortcut, read.x)
        return maps.join(fused, beside, with_mean=False)

    def _shortcut(
        self, shortcut: nn.Module, x: Float[Tensor, "b c t v"]
    ) -> Float[Tensor, "b c t v"] | NormedMap:
        """Return what a shortcut adds."""
        if isinstance(shortcut, nn.Identity):
            return x
        assert isinstance(shortcut, ConvBNSequence)
        assert isinstance(shortcut[0], Conv1x1)
        strided = x[:, :, :: shortcut[0].stride[0]].contiguous()
        return self.operations.product(strided, *_weights(shortcut))


def _weights(layers: nn.Module) -> Weights:
    """Return the weights of a 1x1 convolution and the norm after it."""
    assert isinstance(layers, nn.Sequential)
    convolution, norm = layers[0], layers[1]
    assert isinstance(convolution, Conv1x1)
    assert isinstance(norm, SyncableBatchNorm2d)
    return convolution.weight.flatten(1), norm, convolution.bias
