"""1x1 convolutions with their norms, and the spatial-temporal block that all backbones share.

Inside a backbone every body is a sample of its own: ``b`` is N times M.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.models.batch_norm import SyncableBatchNorm2d


class PointwiseConv(nn.Conv2d):
    """1x1 convolution that is computed as a product per body or, for other engines, as it is."""

    as_convolution: bool = False
    """Whether it is computed as a convolution, see :func:`use_convolutions`."""

    def pointwise(
        self,
        weight: Float[Tensor, "d c 1 1"],
        x: Float[Tensor, "b c t v"],
        bias: Float[Tensor, " d"] | None = None,
    ) -> Float[Tensor, "b d t v"]:
        """Return the maps, convolved by some weights."""
        if self.as_convolution:
            return functional.conv2d(x, weight, bias)
        return conv1x1(weight, x, bias)


class Conv1x1(PointwiseConv):
    """1x1 convolution, computed as one matrix product per body.

    Parameters, their names and their initial values are those of ``nn.Conv2d``.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Step in time.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 1, stride=(stride, 1))

    def forward(
        self, x: Float[Tensor, "b c t v"], outputs: slice | None = None, *, add_bias: bool = True
    ) -> Float[Tensor, "b d s v"]:
        """Return the convolved maps.

        Args:
            x: Maps.
            outputs: Output channels to compute; None computes all.
            add_bias: Whether to add the bias; a norm that follows can take it instead, see
                :meth:`SyncableBatchNorm2d.forward`.
        """
        weight, bias = self.weight, self.bias if add_bias else None
        if outputs is not None:
            weight, bias = weight[outputs], None if bias is None else bias[outputs]
        return self.pointwise(weight, x[:, :, :: self.stride[0]], bias)


class ConvBNSequence(nn.Sequential):
    """Norms, rectifiers and 1x1 convolutions one after another.

    A norm subtracts the bias of the convolution before it, so that bias is never added to the
    maps: the norm takes it as an argument, and it only moves the running mean. A hook on such a
    convolution therefore sees the maps without the bias.
    """

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the output of the last layer."""
        bias: Tensor | None = None
        for layer, following in pairwise([*self, None]):
            if isinstance(layer, Conv1x1) and isinstance(following, SyncableBatchNorm2d):
                x, bias = layer(x, add_bias=False), layer.bias
            elif bias is not None:
                x, bias = layer(x, bias), None
            else:
                x = layer(x)
        return x


class FrameConv(nn.Conv2d):
    """Convolution over frames of maps of one joint, with channels last in memory.

    Parameters, their names and their initial values are those of ``nn.Conv2d``. With frames as
    columns of an image, not as rows of one column each, a CPU has less overhead, and a kernel of
    one frame is a matrix product.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Frames that are seen at once, an odd number.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(
            in_channels, out_channels, (kernel, 1), padding=(kernel // 2, 0), bias=False
        )

    def forward(self, x: Float[Tensor, "b c t 1"]) -> Float[Tensor, "b d t 1"]:
        """Return the convolved maps."""
        around, rows = self.kernel_size[0] // 2, x.squeeze(3).mT  # b t c
        if not around:
            return frames_to_maps(functional.linear(rows, self.weight.flatten(1), self.bias))
        # Channels last also by the strides of the axes of length one, which tell torch so.
        weight = self.weight.mT.contiguous(memory_format=torch.channels_last)
        image = rows[:, None].movedim(-1, 1)  # b c 1 t
        convolved = functional.conv2d(image, weight, self.bias, padding=(0, around))
        return frames_to_maps(convolved.squeeze(2).mT)


def conv1x1(
    weight: Float[Tensor, "d c 1 1"],
    x: Float[Tensor, "b c t v"],
    bias: Float[Tensor, " d"] | None = None,
) -> Float[Tensor, "b d t v"]:
    """Return a 1x1 convolution as a batched matrix product that keeps the memory layout.

    ``torch.matmul`` would copy the maps in order to have one large product instead.
    """
    matrix = weight.flatten(1).expand(x.shape[0], -1, -1)
    y: Tensor = torch.bmm(matrix, x.flatten(2)).unflatten(2, x.shape[2:])
    if bias is not None:
        y += bias[:, None, None]  # in place, lest autocast's lower precision be promoted
    return y


def use_convolutions(blocks: nn.Module) -> None:
    """Let 1x1 convolutions be computed as such, in place, for engines that are faster at these.

    ONNX Runtime packs their weights for the processor, and takes norms and rectifiers along.
    """
    for module in blocks.modules():
        if isinstance(module, PointwiseConv):
            module.as_convolution = True


def frames_to_maps(values: Float[Tensor, "b t f"]) -> Float[Tensor, "b f t 1"]:
    """Return the values of frames as maps of one joint, channels last in memory, without a copy."""
    return values[:, :, None].permute(0, 3, 1, 2)


def shortcut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Return the identity where shapes agree, else a strided 1x1 convolution and BatchNorm."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return ConvBNSequence(
        Conv1x1(in_channels, out_channels, stride), SyncableBatchNorm2d(out_channels)
    )


def present(values: Float[Tensor, "*a"]) -> Float[Tensor, "*a"]:
    """Return one where a value is not zero, else zero: numbers, which are quicker than truths."""
    return values.detach().sign().abs_()


class STBlock(nn.Module):
    """Spatial-temporal block: a graph convolution and a temporal convolution.

    Args:
        graph: Graph convolution.
        temporal: Temporal convolution.
        residual: Residual connection around both, or None for a block without one.
    """

    training_forward: Callable[[STBlock, Tensor], Tensor] | None = None
    """Another way to the same features in training; None takes that of :meth:`forward`."""

    def __init__(self, graph: nn.Module, temporal: nn.Module, residual: nn.Module | None) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.shortcut = residual

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        if self.training and self.training_forward is not None:
            return self.training_forward(self, x)
        y: Tensor = self.temporal(self.graph(x))
        return functional.relu(y if self.shortcut is None else y + self.shortcut(x))
