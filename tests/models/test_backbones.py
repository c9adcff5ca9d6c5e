"""Contract of all backbones, and published sizes."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.models.backbones import BACKBONES, Backbone
from skeletonagent.models.blocks import STBlock

TREE_5 = SkeletonLayout(
    "tree-5", ("chest", "arm", "hand", "hat", "brim"), ((1, 0), (2, 1), (4, 3)), center=1
)
"""Two trees: a body and a hat beside it."""

BEFORE_NORM = (
    "stem.position",
    "stem.embed.bias",
    "graph.enter.0.bias",
    "graph.leave.0.bias",
    "shortcut.0.bias",
    "enter.bias",
    *(f"convs.{i}.bias" for i in range(4)),
    "mix.2.bias",
)
"""Constants that a BatchNorm takes away again: their gradient is rounding error."""

LAYOUTS = (KINECT_25, COCO_20, UAV_17, TREE_5)

DEEP = [name for name in BACKBONES if name not in ("tiny-gcn", "joint-cnn")]
"""Backbones of nine or ten blocks."""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def classifier(name: str) -> int:
    """Return the size of the backbone at its own width with a class layer for NTU-60."""
    backbone = BACKBONES[name].build(KINECT_25, 3, 2, BACKBONES[name].width)
    return count(backbone) + backbone.out_channels * 60 + 60


def settled(name: str, persons: int = 1, width: int = 8) -> Backbone:
    """Return a backbone with open gates and known statistics, in evaluation mode."""
    backbone = BACKBONES[name].build(COCO_17, 3, persons, width)
    open_gates(backbone)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.running_mean, std=0.1)
    return backbone.eval()


STRIDES = {"joint-cnn": 2}
"""Frames of the clip for each frame of the maps, where they are not four."""


def open_gates(backbone: Backbone) -> None:
    for name, parameter in backbone.named_parameters():
        if name.endswith(("alpha", "beta", "share")):
            nn.init.constant_(parameter, 0.1)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(
    ("layout", "persons", "channels"),
    list(itertools.product(LAYOUTS, (1, 2), (2, 3))),
    ids=lambda value: value.name if isinstance(value, SkeletonLayout) else str(value),
)
def test_backbone_keeps_its_contract(
    name: str, layout: SkeletonLayout, persons: int, channels: int
) -> None:
    backbone = BACKBONES[name].build(layout, channels, persons, 8)
    open_gates(backbone)
    clips = torch.randn(2, persons, 9, layout.num_joints, channels)
    features = backbone(clips)
    frames = -(-9 // STRIDES.get(name, 4))
    assert features.shape == (2 * persons, backbone.out_channels, frames, layout.num_joints)
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
    assert backbone(torch.randn(1, 1, frames, 17, 3)).shape[2] == -(-frames // STRIDES.get(name, 4))


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_treats_clips_apart_in_evaluation(name: str) -> None:
    backbone = settled(name, persons=2)
    clips = torch.randn(3, 2, 8, 17, 3)
    one_by_one = torch.cat([backbone(clip) for clip in clips.split(1)])
    torch.testing.assert_close(backbone(clips), one_by_one, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(backbone(clips), backbone(clips), rtol=0, atol=0)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_runs_in_mixed_precision(name: str) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 16)
    seen: set[torch.dtype] = set()
    for block in backbone.blocks:
        block.register_forward_hook(lambda _, __, y: seen.add(y.dtype))
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        norms[-1].register_forward_hook(lambda _, __, y: seen.add(y.dtype))
        if isinstance(block, STBlock):
            block.graph.register_forward_hook(lambda _, __, y: seen.add(y.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        backbone(torch.randn(2, 1, 8, 17, 3)).float().sum().backward()
    assert seen == {torch.bfloat16}


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_mixed_precision_comes_close(name: str) -> None:
    backbone = settled(name, width=16)
    clips = torch.randn(2, 1, 8, 17, 3)
    expected = backbone(clips)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = backbone(clips).float()
    assert features.isfinite().all()
    assert (features - expected).norm() < 0.05 * expected.norm()


@torch.no_grad()
@pytest.mark.parametrize("name", [*DEEP, "joint-cnn"])
def test_backbone_can_be_exported_for_any_number_of_clips(name: str) -> None:
    """Of blocks that differ in nothing but their weights one stands for all: tracing is slow."""
    backbone = settled(name, persons=2)
    if name in DEEP:
        backbone = Backbone(backbone.stem, [backbone.blocks[0], backbone.blocks[-6]], 16).eval()
    shapes = ({0: torch.export.Dim("n", max=64)},)
    program = torch.export.export(backbone, (torch.randn(2, 2, 9, 17, 3),), dynamic_shapes=shapes)
    clips = torch.randn(3, 2, 9, 17, 3)
    assert backbone(clips).shape[2] == 5
    torch.testing.assert_close(program.module()(clips), backbone(clips), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_weights_make_the_backbone(name: str) -> None:
    first = settled(name)
    second = BACKBONES[name].build(COCO_17, 3, 1, 8).eval()
    clips = torch.randn(2, 1, 8, 17, 3)
    assert not torch.equal(second(clips), first(clips))
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(clips), first(clips), rtol=0, atol=0)


@pytest.mark.parametrize("name", DEEP)
def test_width_is_that_of_the_first_blocks(name: str) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 24)
    widths = [
        block(torch.randn(2, c, 4, 17)).shape[1]
        for block, c in zip(backbone.blocks[-9:], (24,) * 4 + (48,) * 3 + (96,) * 2, strict=True)
    ]
    assert widths == [24] * 3 + [48] * 3 + [96] * 3
    assert backbone.out_channels == 96


@pytest.mark.parametrize("name", ["skeletonagent", "dg-stgcn"])
def test_attention_stays_still_while_its_gates_are_shut(name: str) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 8)
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


@pytest.mark.parametrize(
    ("name", "published", "dead_gates"),
    [("dg-stgcn", 1_701_172, 10 * 14), ("stgcn++", 1_403_144, 0), ("ctr-gcn", 1_446_672, 0)],
)
def test_peers_have_the_published_sizes(name: str, published: int, dead_gates: int) -> None:
    """DG-STGCN's gates are vectors of eight of which one element is used, as in spec 1.2."""
    assert classifier(name) + dead_gates == published


def test_refinement_stays_still_while_its_gate_is_shut() -> None:
    backbone = BACKBONES["ctr-gcn"].build(COCO_17, 3, 1, 8)
    backbone(torch.randn(2, 1, 8, 17, 3)).square().sum().backward()
    for block in backbone.blocks:
        assert not block.graph.relate.weight.grad.any()
        assert not block.graph.refine.weight.grad.any()
        assert block.graph.alpha.grad.any()


def test_ctr_gcn_tells_persons_apart_and_dg_stgcn_does_not() -> None:
    for name, persons in (("ctr-gcn", 2), ("dg-stgcn", 1), ("stgcn++", 1), ("skeletonagent", 2)):
        stem = BACKBONES[name].build(COCO_17, 3, 2, 8).stem
        channels = 8 if name == "skeletonagent" else 3
        assert stem.norm.num_features == persons * 17 * channels


@pytest.mark.parametrize("name", ["skeletonagent", "dg-stgcn"])
def test_learnt_graphs_start_the_same_in_every_block(name: str) -> None:
    backbone = BACKBONES[name].build(KINECT_25, 3, 1, 8)
    first, *others = (block.graph.graphs for block in backbone.blocks)
    assert first.std() > 0
    for graphs in others:
        torch.testing.assert_close(graphs, first)


@pytest.mark.parametrize("name", ["skeletonagent", "dg-stgcn"])
@pytest.mark.parametrize("width", [0, 4, 12, 100])
def test_widths_that_graphs_cannot_share_are_refused(name: str, width: int) -> None:
    with pytest.raises(ValueError, match=f"width {width} .* multiple of 8"):
        BACKBONES[name].build(KINECT_25, 3, 1, width)


@pytest.mark.parametrize("name", ["stgcn++", "ctr-gcn"])
@pytest.mark.parametrize("width", [6, 7, 13])
def test_others_take_odd_widths(name: str, width: int) -> None:
    backbone = BACKBONES[name].build(COCO_17, 2, 1, width)
    assert backbone(torch.randn(2, 1, 4, 17, 2)).shape == (2, 4 * width, 1, 17)


@given(t=st.integers(1, 9), width=st.integers(1, 4))
def test_tiny_gcn_doubles_channels_and_halves_frames(t: int, width: int) -> None:
    x = torch.randn(2, 3, t, 5)
    blocks = BACKBONES["tiny-gcn"].build(TREE_5, 3, 1, width).blocks
    for block, channels in zip(blocks, (width, 2 * width, 4 * width), strict=True):
        frames = x.shape[2] if channels == width else -(-x.shape[2] // 2)
        x = block(x)
        assert x.shape == (2, channels, frames, 5)
        assert bool((x >= 0).all())


def test_tiny_gcn_is_small() -> None:
    backbone = BACKBONES["tiny-gcn"].build(TREE_5, 3, 1, 16)
    assert backbone.out_channels == 64
    assert count(backbone) < 50_000


def layers(module: nn.Module) -> dict[str, nn.Module]:
    """Return every convolution and every norm by name."""
    kinds = nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d
    return {name: child for name, child in module.named_modules() if isinstance(child, kinds)}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BACKBONES)
def test_forward_hooks_see_every_convolution_and_norm(name: str, training: bool) -> None:
    backbone = BACKBONES[name].build(COCO_17, 3, 2, 8).train(training)
    called: set[str] = set()
    for key, layer in layers(backbone).items():
        layer.register_forward_hook(lambda _, __, ___, key=key: called.add(key))
    backbone(torch.randn(2, 2, 8, 17, 3))
    assert len(called) > 3
    assert called == layers(backbone).keys()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_flop_counter_sees_every_convolution(name: str) -> None:
    """Two operations for each weight of a convolution and each output position."""
    backbone = BACKBONES[name].build(COCO_17, 3, 1, 12 if "++" in name else 8).eval()
    convolutions = {k: c for k, c in layers(backbone).items() if isinstance(c, nn.Conv2d)}
    counter = FlopCounterMode(display=False, depth=None)
    with counter:
        backbone(torch.randn(2, 1, 8, 17, 3))
    counts = {k.removeprefix("Backbone."): v for k, v in counter.get_flop_counts().items()}
    for key in convolutions:
        assert sum(counts[key].values()) > 0, key
    stage = "blocks.0.graph"
    position = 2 * 8 * 17  # bodies, frames and joints
    if name in ("skeletonagent", "dg-stgcn"):
        enter = convolutions[f"{stage}.enter.0"]
        assert sum(counts[f"{stage}.enter.0"].values()) == 2 * enter.weight.numel() * position
