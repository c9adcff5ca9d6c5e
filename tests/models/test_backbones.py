"""What every backbone promises, and what each is known to be."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.models.backbones import BACKBONES, Backbone, EmbeddingStem, PlainStem

CHAIN_15 = SkeletonLayout(
    "chain-15", tuple(f"joint {i}" for i in range(15)), tuple((i, i - 1) for i in range(1, 15))
)

BEFORE_NORM = (
    "stem.position",
    "stem.embed.bias",
    "graph.enter.0.bias",
    "graph.leave.0.bias",
    "shortcut.0.bias",
    "branches.enter.bias",
    *(f"branches.convs.{i}.bias" for i in range(4)),
    "mix.2.bias",
)
"""Constants that a BatchNorm takes away again: their gradient is rounding error."""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def open_gates(backbone: Backbone) -> None:
    for name, parameter in backbone.named_parameters():
        if name.endswith(("alpha", "beta", "share")):
            nn.init.constant_(parameter, 0.1)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(
    ("layout", "persons", "channels"),
    list(itertools.product((KINECT_25, COCO_17, CHAIN_15), (1, 2), (2, 3))),
    ids=lambda value: value.name if isinstance(value, SkeletonLayout) else str(value),
)
def test_backbone_keeps_its_contract(
    name: str, layout: SkeletonLayout, persons: int, channels: int
) -> None:
    backbone = BACKBONES[name].build(layout, channels, persons, 8)
    open_gates(backbone)
    clips = torch.randn(2, persons, 9, layout.num_joints, channels)
    features = backbone(clips)
    assert features.shape == (2, persons, backbone.out_channels, 3, layout.num_joints)
    assert features.isfinite().all()
    (features * torch.randn_like(features)).sum().backward()
    for key, parameter in backbone.named_parameters():
        assert parameter.grad is not None, f"{key} takes no part"
        assert parameter.grad.isfinite().all(), key
        if not key.endswith(BEFORE_NORM):
            assert parameter.grad.any(), f"no gradient reaches {key}"


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("frames", [1, 2, 13])
def test_backbone_takes_clips_of_any_length(name: str, frames: int) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 8).eval()
    assert backbone(torch.randn(1, 1, frames, 17, 3)).shape[3] == -(-frames // 4)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_treats_clips_apart_in_evaluation(name: str) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 2, 8).eval()
    clips = torch.randn(3, 2, 8, 17, 3)
    one_by_one = torch.cat([backbone(clip) for clip in clips.split(1)])
    torch.testing.assert_close(backbone(clips), one_by_one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_runs_in_mixed_precision(name: str) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 16)
    seen: set[torch.dtype] = set()
    for block in backbone.blocks:
        block.graph.register_forward_hook(lambda _, __, y: seen.add(y.dtype))
        block.temporal.mix[0].register_forward_hook(lambda _, __, y: seen.add(y.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        backbone(torch.randn(2, 1, 8, 17, 3)).float().sum().backward()
    assert seen == {torch.bfloat16}


def test_attention_stays_still_while_its_gates_are_shut() -> None:
    backbone = BACKBONES["skeletonagent"].build(COCO_17, 3, 1, 8)
    backbone(torch.randn(2, 1, 8, 17, 3)).square().sum().backward()
    for block in backbone.blocks:
        assert not block.graph.attention.weight.grad.any()
        assert block.graph.alpha.grad.any()
        assert block.graph.beta.grad.any()


def test_skeletonagent_has_the_published_size() -> None:
    """Spec 1.5, inference only: fc and the 14 dead gates of each released block included."""
    backbone = BACKBONES["skeletonagent"].build(KINECT_25, 3, 2, 96)
    assert count(backbone.blocks) + 9 * 14 == 3_666_777
    fc = 384 * 60 + 60
    assert count(backbone) + 9 * 14 + fc == 3_702_261


def test_stgcn_plus_plus_has_the_published_size() -> None:
    backbone = BACKBONES["stgcn++"].build(KINECT_25, 3, 2, BACKBONES["stgcn++"].width)
    fc = 256 * 60 + 60
    assert count(backbone) + fc == 1_403_144


def test_skeletonagent_starts_every_block_from_the_same_graphs() -> None:
    backbone = BACKBONES["skeletonagent"].build(KINECT_25, 3, 1, 8)
    first, *others = (block.graph.graphs for block in backbone.blocks)
    assert first.std() > 0
    for graphs in others:
        torch.testing.assert_close(graphs, first)


@pytest.mark.parametrize("width", [0, 4, 12, 100])
def test_skeletonagent_refuses_widths_its_graphs_cannot_share(width: int) -> None:
    with pytest.raises(ValueError, match=f"width {width} .* multiple of 8"):
        BACKBONES["skeletonagent"].build(KINECT_25, 3, 1, width)


@pytest.mark.parametrize("width", [6, 7, 13])
def test_stgcn_plus_plus_takes_odd_widths(width: int) -> None:
    backbone = BACKBONES["stgcn++"].build(COCO_17, 2, 1, width)
    assert backbone(torch.randn(2, 1, 4, 17, 2)).shape == (2, 1, 4 * width, 1, 17)


def test_embedding_stem_is_blind_to_the_position_in_training() -> None:
    stem = EmbeddingStem(5, 3, 2, 4)
    clips = torch.randn(3, 2, 6, 5, 3)
    before = stem(clips)
    with torch.no_grad():
        stem.position.add_(torch.randn(5, 4))
        stem.embed.bias.add_(1)
    torch.testing.assert_close(stem(clips), before, rtol=1e-4, atol=1e-4)


def test_embedding_stem_normalises_each_persons_joints() -> None:
    stem = EmbeddingStem(5, 3, 2, 4)
    normed = stem(torch.randn(3, 2, 6, 5, 3) * 7 + 2).unflatten(0, (3, 2))
    torch.testing.assert_close(normed.mean((0, 3)), torch.zeros(2, 4, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        normed.var((0, 3), unbiased=False), torch.ones(2, 4, 5), rtol=0, atol=1e-3
    )


def test_embedding_stem_orders_its_statistics_by_person_joint_channel() -> None:
    stem = EmbeddingStem(5, 3, 2, 4).eval()
    with torch.no_grad():
        stem.norm.bias.copy_(torch.arange(40.0))
    clips = torch.zeros(1, 2, 1, 5, 3)
    shift = (stem(clips) - (stem.embed.bias + stem.position).T[:, None]).reshape(2, 4, 5)
    expected = torch.arange(40.0).reshape(2, 5, 4).mT
    torch.testing.assert_close(shift, expected, rtol=1e-3, atol=1e-3)


def test_plain_stem_normalises_joints_over_all_bodies() -> None:
    normed = PlainStem(5, 3)(torch.randn(3, 2, 6, 5, 3) * 7 + 2)
    assert normed.shape == (6, 3, 6, 5)
    torch.testing.assert_close(normed.mean((0, 2)), torch.zeros(3, 5), rtol=0, atol=1e-5)
