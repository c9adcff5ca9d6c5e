"""Backbones: clips to features of every body, frame and joint.

A backbone is a stem, which normalises the clips and separates the bodies, and a stack of
blocks. :data:`BACKBONES` is the table of all backbones; to add one, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import STBlock, shortcut
from skeletonagent.models.graph_conv import (
    AdaptiveGraphConv,
    CTRGraphConv,
    DGGraphConv,
    NeighbourGraphConv,
)
from skeletonagent.models.joint_cnn import FeatureNormStem, JointTokens
from skeletonagent.models.stems import BatchNormStem, EmbeddingStem
from skeletonagent.models.temporal_conv import CTRTemporalConv, DGTemporalConv, MultiScaleTCN

DG_GRAPHS = 8
"""Number of learnt graphs in a block of DG-STGCN and of the paper's backbone."""


class Backbone(nn.Module):
    """Backbone: a stem and blocks.

    Args:
        stem: Stem, clips ``n m t v c`` to bodies ``b c t v``.
        blocks: Blocks, run one after another on the bodies.
        out_channels: Channels of the last block.
    """

    def __init__(self, stem: nn.Module, blocks: Sequence[nn.Module], out_channels: int) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = out_channels

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b d s v"]:
        """Return features of bodies; ``s`` is the number of frames after all strides.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies to run, body ``m`` of clip ``n`` as ``n M + m``; None for all ``N M``.
        """
        features: Tensor = self.blocks(self.stem(clips, bodies))
        return features


class StageSpec(NamedTuple):
    """Sizes of one block; ``residual`` says whether it has a residual connection."""

    in_channels: int
    out_channels: int
    stride: int
    residual: bool


def _ten_stages(channels: int, width: int) -> list[StageSpec]:
    """Return the sizes of ten blocks; where channels double, frames are halved."""
    outputs = [width] * 4 + [2 * width] * 3 + [4 * width] * 3
    inputs = [channels, *outputs[:-1]]
    return [
        StageSpec(c_in, c_out, stride=2 if index in (4, 7) else 1, residual=index > 0)
        for index, (c_in, c_out) in enumerate(zip(inputs, outputs, strict=True))
    ]


def _blocks(
    stages: Sequence[StageSpec],
    graph: Callable[[int, int], nn.Module],
    temporal: Callable[[int, int], nn.Module],
) -> list[STBlock]:
    return [
        STBlock(
            graph(c_in, c_out),
            temporal(c_out, stride),
            shortcut(c_in, c_out, stride) if residual else None,
        )
        for c_in, c_out, stride, residual in stages
    ]


def _dg_blocks(joints: int, width: int, stages: Sequence[StageSpec]) -> list[STBlock]:
    """Return DG-STGCN blocks, whose learnt graphs all start from the same random ones."""
    if width < DG_GRAPHS or width % DG_GRAPHS:
        raise ValueError(
            f"width {width} cannot be divided among {DG_GRAPHS} graphs; "
            f"give a positive multiple of {DG_GRAPHS}"
        )
    graphs = 0.04 + 0.02 * torch.randn(DG_GRAPHS, joints, joints)
    return _blocks(
        stages,
        lambda c_in, c_out: DGGraphConv(c_in, c_out, graphs),
        lambda c_out, stride: DGTemporalConv(c_out, stride, joints),
    )


def skeletonagent(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return the paper's backbone: nine blocks of learnt graphs with random initial values.

    The skeleton's bones are not used. Source: spec 1.1 to 1.3.

    Args:
        layout: The skeleton; only its number of joints counts.
        channels: C of the clips.
        persons: M of the clips; each person is normalised by itself.
        width: Channels of the first blocks, a multiple of 8.

    Raises:
        ValueError: If the channels cannot be divided among the graphs.
    """
    v = layout.num_joints
    blocks = _dg_blocks(v, width, _ten_stages(width, width)[1:])
    return Backbone(EmbeddingStem(v, channels, persons, width), blocks, 4 * width)


def dg_stgcn(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return DG-STGCN: ten blocks of learnt graphs with random initial values.

    The paper's backbone is this without the first block, after an embedding of the joints;
    for Kinetics-400 the released one is this itself, 96 channels wide.
    Source: Duan et al., 2022 (arXiv 2210.05895); spec 0.7, 1.1.

    Args:
        layout: The skeleton; only its number of joints counts.
        channels: C of the clips.
        persons: Not used: bodies are normalised alike, so there may be any number of them.
        width: Channels of the first blocks, a multiple of 8.

    Raises:
        ValueError: If the channels cannot be divided among the graphs.
    """
    del persons
    v = layout.num_joints
    blocks = _dg_blocks(v, width, _ten_stages(channels, width))
    return Backbone(BatchNormStem(v, channels), blocks, 4 * width)


def stgcn_plus_plus(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return ST-GCN++: ten blocks of graphs that start from the skeleton's bones.

    Source: PYSKL (Duan et al., 2022), ST-GCN++.

    Args:
        layout: The skeleton, whose bones are the initial graphs.
        channels: C of the clips.
        persons: Not used: bodies are normalised alike, so there may be any number of them.
        width: Channels of the first blocks, at least 6.
    """
    del persons
    blocks = _blocks(
        _ten_stages(channels, width),
        lambda c_in, c_out: AdaptiveGraphConv(c_in, c_out, layout),
        MultiScaleTCN,
    )
    return Backbone(BatchNormStem(layout.num_joints, channels), blocks, 4 * width)


def ctr_gcn(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return CTR-GCN: ten blocks of bone graphs refined for each sample and channel.

    Source: Chen et al., 2021 (arXiv 2107.12213).

    Args:
        layout: The skeleton, whose bones are the initial graphs.
        channels: C of the clips.
        persons: M of the clips; each person is normalised by itself.
        width: Channels of the first blocks, at least 4.
    """
    blocks = _blocks(
        _ten_stages(channels, width),
        lambda c_in, c_out: CTRGraphConv(c_in, c_out, layout),
        CTRTemporalConv,
    )
    return Backbone(BatchNormStem(layout.num_joints, channels, persons), blocks, 4 * width)


def tiny_gcn(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return a small backbone of three blocks, for studies of many runs on a CPU.

    Each block has twice the channels and half the frames of the one before.

    Args:
        layout: The skeleton, whose bones are the initial graphs.
        channels: C of the clips.
        persons: Not used: bodies are normalised alike, so there may be any number of them.
        width: Channels of the first block.
    """
    del persons
    blocks = [
        _tiny_block(layout, channels, width, kernel=3, stride=1),
        _tiny_block(layout, width, 2 * width, kernel=5, stride=2),
        _tiny_block(layout, 2 * width, 4 * width, kernel=5, stride=2),
    ]
    return Backbone(BatchNormStem(layout.num_joints, channels), blocks, 4 * width)


def _tiny_block(
    layout: SkeletonLayout, in_channels: int, out_channels: int, kernel: int, stride: int
) -> STBlock:
    """Return a block with one convolution over neighbours, channels and ``kernel`` frames."""
    convolution = nn.Conv2d(
        2 * in_channels,
        out_channels,
        (kernel, 1),
        (stride, 1),
        padding=(kernel // 2, 0),
        bias=False,
    )
    temporal = nn.Sequential(convolution, SyncableBatchNorm2d(out_channels))
    residual = shortcut(in_channels, out_channels, stride) if stride > 1 else None
    return STBlock(NeighbourGraphConv(layout), temporal, residual)


def joint_cnn(layout: SkeletonLayout, channels: int, persons: int, width: int) -> Backbone:
    """Return a backbone that looks at every joint by itself, for readouts that keep joints apart.

    Args:
        layout: The skeleton; only its number of joints counts.
        channels: C of the input.
        persons: Not used: bodies are normalised alike, so there may be any number of them.
        width: Channels of every joint.
    """
    del persons
    v = layout.num_joints
    return Backbone(FeatureNormStem(v, channels), [JointTokens(v, channels, width)], width)


@dataclass(frozen=True)
class BackboneSpec:
    """Row of the table of backbones.

    Args:
        build: Function of layout, channels, persons and width.
        width: Default number of channels of the first blocks.
    """

    build: Callable[[SkeletonLayout, int, int, int], Backbone]
    width: int


BACKBONES: Mapping[str, BackboneSpec] = {
    "skeletonagent": BackboneSpec(skeletonagent, 96),
    "dg-stgcn": BackboneSpec(dg_stgcn, 64),
    "stgcn++": BackboneSpec(stgcn_plus_plus, 64),
    "ctr-gcn": BackboneSpec(ctr_gcn, 64),
    "tiny-gcn": BackboneSpec(tiny_gcn, 16),
    "joint-cnn": BackboneSpec(joint_cnn, 16),
}
"""All backbones by name."""
