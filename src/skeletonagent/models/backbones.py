"""Backbones: clips to features of every body, frame and joint.

A backbone is a stem, which normalises the clips and takes the bodies apart, and a stack of
blocks. :data:`BACKBONES` is the table of those that are known; one more is one row more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.layers import (
    Block,
    DynamicGraph,
    PostureTemporalUnit,
    SkeletonGraph,
    TemporalUnit,
    shortcut,
)

GRAPHS = 8
"""Learnt graphs of each block of the paper's recognizer."""


class Backbone(nn.Module):
    """A stem and blocks.

    Args:
        stem: Takes clips apart into bodies, ``n m t v c`` to ``b c t v`` with ``b = n m``.
        blocks: Run one after another on the bodies.
        out_channels: Channels of the last block.
    """

    def __init__(self, stem: nn.Module, blocks: Sequence[Block], out_channels: int) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = out_channels

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n m d s v"]:
        """Return features of every body; ``s`` frames are left of ``t``."""
        features: Tensor = self.blocks(self.stem(clips))
        return features.view(*clips.shape[:2], *features.shape[1:])


class EmbeddingStem(nn.Module):
    """Embed each joint, mark which it is, and normalise over persons, joints and channels.

    The normalisation takes away any constant of a joint and channel, and with it the position
    and the embedding's bias, so that neither learns. Both are kept because the released
    weights were recorded with them: their running means contain them. Source: spec 0.1, 1.1.
    """

    def __init__(self, joints: int, channels: int, persons: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.position = nn.Parameter(torch.randn(joints, width))
        self.norm = nn.BatchNorm1d(persons * joints * width)

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "b w t v"]:
        """Return the embedded bodies."""
        n, m, t, v, _ = clips.shape
        embedded: Tensor = self.embed(clips)
        marked = embedded + self.position.to(embedded.dtype)  # autocast would promote the sum
        normed: Tensor = self.norm(marked.permute(0, 1, 3, 4, 2).flatten(1, 3))
        return normed.view(n * m, v, -1, t).permute(0, 2, 3, 1).contiguous()


class PlainStem(nn.Module):
    """Normalise each body over joints and channels, persons alike."""

    def __init__(self, joints: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(joints * channels)

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "b c t v"]:
        """Return the normalised bodies."""
        n, m, t, v, c = clips.shape
        bodies = clips.flatten(0, 1).permute(0, 2, 3, 1)  # b v c t
        normed: Tensor = self.norm(bodies.flatten(1, 2))
        return normed.view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()


def _stages(channels: int, width: int) -> list[tuple[int, int, int]]:
    """Return input, output and stride of ten stages; where they widen, they halve the frames."""
    outputs = [width] * 4 + [2 * width] * 3 + [4 * width] * 3
    inputs = [channels, *outputs[:-1]]
    strides = [2 if stage in (4, 7) else 1 for stage in range(10)]
    return list(zip(inputs, outputs, strides, strict=True))


def skeletonagent(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return the paper's recognizer: nine blocks of learnt graphs that start from chance.

    All blocks start from the same random graphs; the skeleton's bones are not used.
    Source: spec 1.1 to 1.3.

    Args:
        layout: The skeleton; only its number of joints counts.
        channels: C of the clips.
        persons: M of the clips; each person is normalised by itself.
        width: Channels of the first blocks, a multiple of 8.

    Raises:
        ValueError: If the channels cannot be divided among the graphs.
    """
    if width < GRAPHS or width % GRAPHS:
        raise ValueError(
            f"width {width} cannot be divided among {GRAPHS} graphs; "
            f"give a positive multiple of {GRAPHS}"
        )
    v = layout.num_joints
    graphs = 0.04 + 0.02 * torch.randn(GRAPHS, v, v)
    blocks = [
        Block(
            DynamicGraph(c_in, c_out, graphs),
            PostureTemporalUnit(c_out, stride, v),
            shortcut(c_in, c_out, stride),
        )
        for c_in, c_out, stride in _stages(width, width)[1:]
    ]
    return Backbone(EmbeddingStem(v, channels, persons, width), blocks, 4 * width)


def stgcn_plus_plus(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return ST-GCN++: ten blocks over the skeleton's bones.

    Source: PYSKL (Duan et al., 2022), ST-GCN++.

    Args:
        layout: The skeleton, whose bones are the initial graphs.
        channels: C of the clips.
        persons: Not used: bodies are normalised alike, so there may be any number of them.
        width: Channels of the first blocks, at least 6.
    """
    del persons
    blocks = [
        Block(
            SkeletonGraph(c_in, c_out, layout),
            TemporalUnit(c_out, stride),
            shortcut(c_in, c_out, stride) if stage else None,
        )
        for stage, (c_in, c_out, stride) in enumerate(_stages(channels, width))
    ]
    return Backbone(PlainStem(layout.num_joints, channels), blocks, 4 * width)


@dataclass(frozen=True)
class BackboneSpec:
    """A row of the table of backbones.

    Args:
        build: Takes layout, channels, persons and width.
        width: Channels of the first blocks unless another number is asked for.
    """

    build: Callable[[SkeletonLayout, int, int, int], Backbone]
    width: int


BACKBONES: Mapping[str, BackboneSpec] = {
    "skeletonagent": BackboneSpec(skeletonagent, 96),
    "stgcn++": BackboneSpec(stgcn_plus_plus, 64),
}
"""The backbones known by name."""
