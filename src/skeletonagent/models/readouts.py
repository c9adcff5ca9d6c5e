"""Readouts: maps of every body, frame and joint to one feature vector of a clip.

The recognizers of the field average over joints before they classify. The other readouts keep
joints apart, so that the classifier knows which joint did what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import FrameConv, frames_to_maps, present
from skeletonagent.models.person_pooling import mean_over_persons, person_weights
from skeletonagent.models.settings import PersonPooling, ReadoutKind

JOINED_DROPOUT = 0.1
"""Dropout rate of maps and inputs, joined, in a temporal readout."""


class Pooled(NamedTuple):
    """Features of clips, with and without their joints."""

    x_pre: Float[Tensor, "n d v"]
    """The paper's ``x_pre``: features of every joint, pooled over frames and persons."""
    features: Float[Tensor, "n e"]
    """Features that the heads of classification and alignment take."""


class MeanReadout(nn.Module):
    """Mean over persons, frames and joints, as in the paper.

    Args:
        channels: D of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_channels = channels

    def forward(
        self,
        maps: Float[Tensor, "b d s v"],
        inputs: Sequence[Float[Tensor, "n m t v _"]],
        clips: Float[Tensor, "n m t v c"],
        pooling: PersonPooling,
        bodies: Int[Tensor, " b"] | None,
    ) -> Pooled:
        """Return the features of clips.

        Args:
            maps: Maps of the bodies that were run.
            inputs: The recognizer's inputs.
            clips: The clips of these bodies.
            pooling: Bodies that count in the mean over persons.
            bodies: Bodies that were run; None if all were.
        """
        x_pre = mean_over_persons(maps.mean(dim=2), clips, pooling, bodies)
        return Pooled(x_pre, x_pre.mean(dim=-1))


class JointReadout(nn.Module):
    """Maximum over frames, mean over persons, and a layer of weights for every joint.

    Args:
        channels: D of the maps.
        joints: V.
        width: Features that all joints together are reduced to.
    """

    def __init__(self, channels: int, joints: int, width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.reduce = _conv_norm(channels * joints, width, 1)

    def forward(
        self,
        maps: Float[Tensor, "b d s v"],
        inputs: Sequence[Float[Tensor, "n m t v _"]],
        clips: Float[Tensor, "n m t v c"],
        pooling: PersonPooling,
        bodies: Int[Tensor, " b"] | None,
    ) -> Pooled:
        """Return the features of clips; see :meth:`MeanReadout.forward`."""
        x_pre = mean_over_persons(maps.amax(dim=2), clips, pooling, bodies)
        features: Tensor = self.reduce(x_pre.flatten(1)[:, :, None, None])
        return Pooled(x_pre, features.flatten(1))


class InputLayers(nn.Module):
    """First layers of one input of a temporal readout; absent values count as their mean.

    Args:
        channels: Values of a frame: of all bodies and joints.
        width: Channels of the output.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = SyncableBatchNorm2d(channels)
        self.layers = nn.Sequential(
            _conv_norm(channels, width, 1), _conv_norm(width, width, 3), _conv_norm(width, width, 1)
        )

    def forward(self, values: Float[Tensor, "n c t 1"]) -> Float[Tensor, "n w t 1"]:
        """Return the embedded frames."""
        embedded: Tensor = self.layers(self.norm(values) * present(values))
        return embedded


class TemporalReadout(nn.Module):
    """Convolutions over time that see all joints of all bodies at once, and a maximum over frames.

    Beside the maps it takes the recognizer's inputs, each through a few layers of its own. Bodies
    keep their places: the first is the leading one. Layers and widths follow DD-Net (Yang et al.,
    2019, arXiv 1907.09658), which takes motions and distances alone.

    Args:
        channels: D of the maps.
        joints: V.
        persons: M of the clips.
        inputs: Channels of each input.
        width: W of the first layers; the last ones have 8 W channels.
    """

    def __init__(
        self, channels: int, joints: int, persons: int, inputs: Sequence[int], width: int
    ) -> None:
        super().__init__()
        self.out_channels = 8 * width
        places = persons * joints
        self.maps = _conv_norm(places * channels, width, 1)
        self.inputs = nn.ModuleList(InputLayers(places * size, width) for size in inputs if size)
        self.layers = nn.Sequential(
            nn.Dropout(JOINED_DROPOUT),
            _conv_norm(width * (1 + len(self.inputs)), 2 * width, 3),
            _conv_norm(2 * width, 2 * width, 3),
            _halve_frames(),
            _conv_norm(2 * width, 4 * width, 3),
            _conv_norm(4 * width, 4 * width, 3),
            _halve_frames(),
            _conv_norm(4 * width, 8 * width, 3),
            _conv_norm(8 * width, 8 * width, 3),
        )

    def forward(
        self,
        maps: Float[Tensor, "b d s v"],
        inputs: Sequence[Float[Tensor, "n m t v _"]],
        clips: Float[Tensor, "n m t v c"],
        pooling: PersonPooling,
        bodies: Int[Tensor, " b"] | None,
    ) -> Pooled:
        """Return the features of clips; see :meth:`MeanReadout.forward`."""
        strongest = maps.movedim(1, -1).amax(dim=1).mT  # channels are last in memory
        x_pre = mean_over_persons(strongest, clips, pooling, bodies)
        frames = maps.shape[2]
        joined = [self.maps(frames_to_maps(maps_by_frame(maps, clips, pooling, bodies)))]
        for layers, values in zip(self.inputs, filter(_has_channels, inputs), strict=True):
            embedded = layers(frames_to_maps(inputs_by_frame(values)))
            joined.append(adaptive_max_pool2d(embedded, (frames, 1)))
        return Pooled(x_pre, self.layers(torch.cat(joined, dim=1).contiguous()).amax(dim=(2, 3)))


Readout = MeanReadout | JointReadout | TemporalReadout

JOINT_WIDTH = 128
"""Features of a joint readout, unless another number is given."""

TEMPORAL_WIDTH = 48
"""Width of a temporal readout, unless another is given."""


def build_readout(
    kind: ReadoutKind,
    channels: int,
    joints: int,
    persons: int,
    inputs: Sequence[int],
    width: int | None = None,
) -> Readout:
    """Return a readout, freshly initialised.

    Args:
        kind: Kind of the readout.
        channels: D of the maps.
        joints: V.
        persons: M of the clips.
        inputs: Channels of each of the recognizer's inputs.
        width: Width; None takes the default of the kind. A mean has none.

    Raises:
        ValueError: If the width is not positive.
    """
    if width is not None and width < 1:
        raise ValueError(f"readout width {width}; give a positive number")
    match kind:
        case ReadoutKind.MEAN:
            return MeanReadout(channels)
        case ReadoutKind.JOINTS:
            return JointReadout(channels, joints, JOINT_WIDTH if width is None else width)
        case ReadoutKind.TEMPORAL:
            width = TEMPORAL_WIDTH if width is None else width
            return TemporalReadout(channels, joints, persons, inputs, width)


def maps_by_frame(
    maps: Float[Tensor, "b d s v"],
    clips: Float[Tensor, "n m t v c"],
    pooling: PersonPooling,
    bodies: Int[Tensor, " b"] | None,
) -> Float[Tensor, "n s f"]:
    """Return the maps of all bodies of a clip side by side: by body, joint and channel.

    Those of bodies that do not count are zero, whether they were run or not. The arguments are
    those of :meth:`MeanReadout.forward`.
    """
    n, m = clips.shape[:2]
    if bodies is not None:
        maps = maps.new_zeros(n * m, *maps.shape[1:]).index_copy(0, bodies, maps)
    if m > 1:  # bodies of a sample are run in all its windows, in which they may be absent
        maps = maps * person_weights(clips, pooling).ne(0).view(-1, 1, 1, 1)
    by_frame: Tensor = maps.permute(0, 2, 3, 1).unflatten(0, (n, m)).transpose(1, 2)
    return by_frame.flatten(2)


def inputs_by_frame(values: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n t f"]:
    """Return the values of all bodies of a clip side by side: by body, joint and channel."""
    return values.transpose(1, 2).flatten(2)


def _conv_norm(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Return a convolution over frames with norm and rectifier."""
    return nn.Sequential(
        FrameConv(in_channels, out_channels, kernel),
        SyncableBatchNorm2d(out_channels),
        nn.LeakyReLU(0.2),
    )


def _halve_frames() -> nn.Module:
    """Return a maximum over pairs of frames; an odd last frame stays."""
    return nn.MaxPool2d((2, 1), ceil_mode=True)


def _has_channels(values: Float[Tensor, "n m t v c"]) -> bool:
    return values.shape[-1] > 0
