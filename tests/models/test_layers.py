"""Layers against their formulas, written out."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.core.layout import COCO_17, KINECT_25, LAYOUTS, SkeletonLayout
from skeletonagent.models.layers import (
    DILATIONS,
    Block,
    DynamicGraph,
    PostureTemporalUnit,
    SkeletonGraph,
    TemporalBranches,
    TemporalUnit,
    bone_graphs,
    shortcut,
)


def shaken(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give gates and normalisations values at which every term counts, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return module.eval()


def dynamic_graph_literally(unit: DynamicGraph, x: Tensor) -> Tensor:
    """Spec 1.2 with two convolutions over all frames and one graph product per subset."""
    k = len(unit.graphs)
    w1, w2 = unit.attention.weight.chunk(2)
    b1, b2 = unit.attention.bias.chunk(2)
    x1, x2 = (functional.conv2d(x, w, b).mean(dim=2) for w, b in ((w1, b1), (w2, b2)))
    pre = unit.enter(x)
    gathered = []
    for graph, p, s, t in zip(
        unit.graphs, pre.chunk(k, 1), x1.chunk(k, 1), x2.chunk(k, 1), strict=True
    ):
        tanh = torch.tanh(s[:, :, :, None] - t[:, :, None, :])
        affinity = torch.softmax(torch.einsum("ncv,ncw->nvw", s, t), dim=1)
        adapted = graph[None, None] + unit.alpha * tanh + unit.beta * affinity[:, None]
        gathered.append(torch.einsum("nctv,ncvw->nctw", p, adapted))
    return torch.relu(unit.leave(torch.cat(gathered, 1)) + unit.shortcut(x))


@pytest.mark.parametrize(("c_in", "c_out"), [(16, 16), (8, 16)])
def test_dynamic_graph_equals_the_formula(c_in: int, c_out: int) -> None:
    unit = shaken(DynamicGraph(c_in, c_out, torch.randn(8, 5, 5)))
    x = torch.randn(2, c_in, 6, 5)
    torch.testing.assert_close(unit(x), dynamic_graph_literally(unit, x), rtol=1e-4, atol=1e-4)


def test_dynamic_graph_starts_as_its_fixed_graphs() -> None:
    graphs = torch.randn(8, 4, 4)
    unit = DynamicGraph(8, 16, graphs)
    expected = graphs.repeat_interleave(2, dim=0).expand(3, -1, -1, -1)
    torch.testing.assert_close(unit.adapted(torch.randn(3, 8, 5, 4)), expected)


def test_dynamic_graph_keeps_its_own_copy_of_the_graphs() -> None:
    graphs = torch.zeros(8, 4, 4)
    first, second = DynamicGraph(8, 8, graphs), DynamicGraph(8, 8, graphs)
    with torch.no_grad():
        first.graphs.add_(1)
    assert not second.graphs.any()


def test_bone_graphs_of_a_fork() -> None:
    fork = SkeletonLayout("fork", ("middle", "one end", "other end"), ((1, 0), (2, 0)))
    identity, inward, outward = bone_graphs(fork)
    torch.testing.assert_close(identity, torch.eye(3))
    torch.testing.assert_close(inward, torch.tensor([[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]))
    torch.testing.assert_close(outward, torch.tensor([[0.0, 1, 1], [0, 0, 0], [0, 0, 0]]))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_bone_graphs_take_means_of_neighbours(layout: SkeletonLayout) -> None:
    _, inward, outward = bone_graphs(layout)
    parents = {parent for _, parent in layout.bones}
    children = {child for child, _ in layout.bones}
    joints = range(layout.num_joints)
    torch.testing.assert_close(inward.sum(0), torch.tensor([float(j in parents) for j in joints]))
    torch.testing.assert_close(outward.sum(0), torch.tensor([float(j in children) for j in joints]))


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 8), (8, 8)])
def test_skeleton_graph_equals_convolution_before_the_graph(c_in: int, c_out: int) -> None:
    unit = shaken(SkeletonGraph(c_in, c_out, COCO_17))
    x = torch.randn(2, c_in, 4, 17)
    projected = unit.project(x).unflatten(1, (3, c_out))
    y = torch.einsum("nkctv,kvw->nctw", projected, unit.graphs)
    expected = torch.relu(unit.norm(y) + unit.shortcut(x))
    torch.testing.assert_close(unit(x), expected, rtol=1e-4, atol=1e-4)


def branches_literally(unit: TemporalBranches, x: Tensor) -> Tensor:
    """Each branch with a 1x1 convolution and a BatchNorm of its own."""
    widths = [*unit.widths, x.shape[1] - sum(unit.widths)]
    stops = torch.tensor([0, *widths]).cumsum(0).tolist()
    spans = [slice(a, b) for a, b in itertools.pairwise(stops)]
    entered = [functional.conv2d(x, unit.enter.weight[s], unit.enter.bias[s]) for s in spans]
    norm = unit.norm
    for i, s in enumerate(spans[:-1]):
        normed = functional.batch_norm(
            entered[i], norm.running_mean[s], norm.running_var[s], norm.weight[s], norm.bias[s]
        )
        entered[i] = torch.relu(normed)
    t = x.shape[2]
    out = []
    for i, dilation in enumerate(DILATIONS):
        padded = functional.pad(entered[i], (0, 0, dilation, dilation))
        taps = [padded[:, :, j * dilation : j * dilation + t] for j in range(3)]
        weight = unit.convs[i].weight[..., 0]
        y = sum(torch.einsum("nctv,dc->ndtv", tap, weight[:, :, j]) for j, tap in enumerate(taps))
        out.append((y + unit.convs[i].bias[:, None, None])[:, :, :: unit.stride])
    padded = functional.pad(entered[4], (0, 0, 1, 1), value=-torch.inf)
    windows = torch.stack([padded[:, :, j : j + t] for j in range(3)])
    out.append(windows.amax(0)[:, :, :: unit.stride])
    out.append(entered[5][:, :, :: unit.stride])
    return torch.cat(out, dim=1)


@given(
    channels=st.integers(6, 20),
    stride=st.integers(1, 2),
    frames=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_temporal_branches_equal_six_separate_ones(
    channels: int, stride: int, frames: int, seed: int
) -> None:
    unit = shaken(TemporalBranches(channels, stride), seed)
    x = torch.randn(2, channels, frames, 3, generator=torch.Generator().manual_seed(seed))
    actual = unit(x)
    assert actual.shape == (2, channels, -(-frames // stride), 3)
    torch.testing.assert_close(actual, branches_literally(unit, x), rtol=1e-4, atol=1e-4)


def test_temporal_branches_need_a_channel_each() -> None:
    with pytest.raises(ValueError, match="5 channels are too few; 6 branches"):
        TemporalBranches(5, 1)


def test_posture_unit_adds_the_mean_joint() -> None:
    unit = shaken(PostureTemporalUnit(12, 2, 4))
    x = torch.randn(2, 12, 6, 4)
    local, body = unit.branches(x), unit.branches(x.mean(-1, keepdim=True))
    expected = unit.mix(local + torch.einsum("nctu,v->nctv", body, unit.share))
    torch.testing.assert_close(unit(x), expected)


def test_posture_unit_without_shares_is_the_plain_unit() -> None:
    posture, plain = PostureTemporalUnit(12, 1, 4).eval(), TemporalUnit(12, 1).eval()
    plain.load_state_dict({k: v for k, v in posture.state_dict().items() if k != "share"})
    x = torch.randn(2, 12, 6, 4)
    torch.testing.assert_close(posture(x), plain(x))


def test_temporal_unit_keeps_joints_apart() -> None:
    unit = shaken(TemporalUnit(12, 1))
    x = torch.randn(2, 12, 6, KINECT_25.num_joints)
    order = torch.randperm(KINECT_25.num_joints)
    torch.testing.assert_close(unit(x)[..., order], unit(x[..., order]))


def test_shortcut_is_the_identity_where_it_can_be() -> None:
    x = torch.randn(2, 8, 5, 3)
    assert shortcut(8, 8)(x) is x
    assert shortcut(8, 8, 2)(x).shape == (2, 8, 3, 3)
    assert shortcut(8, 16)(x).shape == (2, 16, 5, 3)


def test_block_goes_around_only_if_there_is_a_way() -> None:
    x = torch.randn(2, 8, 5, 3)
    torch.testing.assert_close(Block(nn.Identity(), nn.Identity(), None)(x), x.relu())
    torch.testing.assert_close(Block(nn.Identity(), nn.Identity(), nn.Identity())(x), 2 * x.relu())
