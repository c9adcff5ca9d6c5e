"""Temporal readout as inference runs it: channels last, each layer one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import present
from skeletonagent.models.joint_cnn import FeatureNormStem
from skeletonagent.models.readouts import (
    InputLayers,
    TemporalReadout,
    inputs_by_frame,
    maps_by_frame,
)
from skeletonagent.models.settings import PersonPooling


class FusedFrameConv(nn.Module):
    """Convolution over frames with its norm and rectifier, in evaluation."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        conv, norm, rectifier = cast(
            tuple[nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU], tuple(cast(nn.Sequential, layers))
        )
        fused = fuse_conv_bn_eval(conv, norm)
        assert fused.bias is not None
        self.slope = rectifier.negative_slope
        self.kernel = fused.kernel_size[0]
        self.weight = nn.Parameter(fused.weight.squeeze(-1).mT.flatten(1))
        self.bias = nn.Parameter(fused.bias)

    def forward(self, x: Float[Tensor, "n t c"]) -> Float[Tensor, "n t d"]:
        """Return the features of every frame, rectified."""
        if self.kernel > 1:
            frames, around = x.shape[1], self.kernel // 2
            padded = functional.pad(x, (0, 0, around, around))
            x = torch.cat([padded[:, i : i + frames] for i in range(self.kernel)], dim=-1)
        convolved = functional.linear(x, self.weight, self.bias)
        return functional.leaky_relu_(convolved, self.slope)


class FusedInputNorm(nn.Module):
    """Norm of input features in evaluation, which leaves absent values at zero.

    Args:
        norm: The norm.
        groups: Number of groups of channels, of which the features have the first channel of every
            group, then the second, and so on; with one group both have the same order.
    """

    def __init__(self, norm: SyncableBatchNorm2d, groups: int = 1) -> None:
        super().__init__()
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - scale * norm.running_mean
        self.scale, self.shift = (
            nn.Parameter(values.unflatten(0, (groups, -1)).mT.flatten())
            for values in (scale, shift)
        )

    def forward(self, values: Float[Tensor, "n t f"]) -> Float[Tensor, "n t f"]:
        """Return the normalised values."""
        return torch.addcmul(self.shift, values, self.scale).mul_(present(values))


class FusedFeatureNormStem(nn.Module):
    """:class:`FeatureNormStem` in evaluation."""

    def __init__(self, stem: FeatureNormStem) -> None:
        super().__init__()
        self.norm = FusedInputNorm(stem.norm, stem.channels)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b c t v"]:
        """Return the normalised bodies."""
        joints = clips.flatten(0, 1)
        joints = joints if bodies is None else joints[bodies]
        normed: Tensor = self.norm(joints.flatten(2))
        return normed.view_as(joints).permute(0, 3, 1, 2)


class FusedInputLayers(nn.Module):
    """:class:`InputLayers` in evaluation."""

    def __init__(self, layers: InputLayers) -> None:
        super().__init__()
        self.norm = FusedInputNorm(layers.norm)
        self.layers = nn.Sequential(*(FusedFrameConv(layer) for layer in layers.layers))

    def forward(self, values: Float[Tensor, "n t f"]) -> Float[Tensor, "n t w"]:
        """Return the embedded frames."""
        embedded: Tensor = self.layers(self.norm(values))
        return embedded


class HalvedFrames(nn.Module):
    """Maximum over pairs of frames; an odd last frame stays."""

    def forward(self, x: Float[Tensor, "n t c"]) -> Float[Tensor, "n s c"]:
        """Return half of the frames."""
        if x.shape[1] % 2:
            x = torch.cat([x, x[:, -1:]], dim=1)
        return torch.maximum(x[:, ::2], x[:, 1::2])


class FusedTemporalReadout(nn.Module):
    """:class:`TemporalReadout` in evaluation, for the features alone."""

    def __init__(self, readout: TemporalReadout) -> None:
        super().__init__()
        self.maps = FusedFrameConv(readout.maps)
        self.inputs = nn.ModuleList(
            FusedInputLayers(cast(InputLayers, layers)) for layers in readout.inputs
        )
        self.layers = nn.Sequential(
            *(
                HalvedFrames() if isinstance(layer, nn.MaxPool2d) else FusedFrameConv(layer)
                for layer in readout.layers
                if not isinstance(layer, nn.Dropout)
            )
        )

    def forward(
        self,
        maps: Float[Tensor, "b d s v"],
        inputs: Sequence[Float[Tensor, "n m t v _"]],
        clips: Float[Tensor, "n m t v c"],
        pooling: PersonPooling,
        bodies: Int[Tensor, " b"] | None,
    ) -> Float[Tensor, "n e"]:
        """Return the features of clips; see :meth:`MeanReadout.forward`."""
        x: Tensor = self.maps(maps_by_frame(maps, clips, pooling, bodies))
        joined = [x]
        given = (values for values in inputs if values.shape[-1])
        for layers, values in zip(self.inputs, given, strict=True):
            joined.append(_shorten(layers(inputs_by_frame(values)), x.shape[1]))
        last: Tensor = self.layers(torch.cat(joined, dim=-1))
        return last.amax(dim=1)


def _shorten(x: Float[Tensor, "n t c"], frames: int) -> Float[Tensor, "n s c"]:
    """Return the maxima over as many parts of the clips as there shall be frames."""
    if x.shape[1] == 2 * frames:
        return torch.maximum(x[:, ::2], x[:, 1::2])
    return functional.adaptive_max_pool1d(x.mT, frames).mT
