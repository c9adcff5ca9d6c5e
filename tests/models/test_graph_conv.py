"""Graph convolutions against their formulas, written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.core.layout import COCO_17, LAYOUTS, SkeletonLayout
from skeletonagent.models.graph_conv import (
    AdaptiveGraphConv,
    CTRGraphConv,
    DGGraphConv,
    NeighbourGraphConv,
    spatial_adjacency,
)

Shake = Callable[..., nn.Module]

ARM = SkeletonLayout("arm", ("chest", "shoulder", "elbow", "hand"), ((1, 0), (2, 1), (3, 2)))


def dg_graph_conv_literally(unit: DGGraphConv, x: Tensor) -> Tensor:
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
def test_dg_graph_conv_equals_the_formula(c_in: int, c_out: int, shaken: Shake) -> None:
    unit = shaken(DGGraphConv(c_in, c_out, torch.randn(8, 5, 5)))
    x = torch.randn(2, c_in, 6, 5)
    torch.testing.assert_close(unit(x), dg_graph_conv_literally(unit, x), rtol=1e-4, atol=1e-4)


def test_dg_graph_conv_starts_as_its_fixed_graphs() -> None:
    graphs = torch.randn(8, 4, 4)
    unit = DGGraphConv(8, 16, graphs)
    expected = graphs.repeat_interleave(2, dim=0).expand(3, -1, -1, -1)
    torch.testing.assert_close(unit.adapted_graphs(torch.randn(3, 8, 4)), expected)


def test_dg_graph_conv_keeps_its_own_copy_of_the_graphs() -> None:
    graphs = torch.zeros(8, 4, 4)
    first, second = DGGraphConv(8, 8, graphs), DGGraphConv(8, 8, graphs)
    with torch.no_grad():
        first.graphs.add_(1)
    assert not second.graphs.any()


def test_spatial_adjacency_of_a_fork() -> None:
    fork = SkeletonLayout("fork", ("middle", "one end", "other end"), ((1, 0), (2, 0)))
    identity, inward, outward = spatial_adjacency(fork)
    torch.testing.assert_close(identity, torch.eye(3))
    torch.testing.assert_close(inward, torch.tensor([[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]))
    torch.testing.assert_close(outward, torch.tensor([[0.0, 1, 1], [0, 0, 0], [0, 0, 0]]))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_spatial_adjacency_take_means_of_neighbours(layout: SkeletonLayout) -> None:
    _, inward, outward = spatial_adjacency(layout)
    parents = {parent for _, parent in layout.bones}
    children = {child for child, _ in layout.bones}
    joints = range(layout.num_joints)
    torch.testing.assert_close(inward.sum(0), torch.tensor([float(j in parents) for j in joints]))
    torch.testing.assert_close(outward.sum(0), torch.tensor([float(j in children) for j in joints]))


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 8), (8, 8)])
def test_adaptive_graph_conv_equals_convolution_before_the_graph(
    c_in: int, c_out: int, shaken: Shake
) -> None:
    unit = shaken(AdaptiveGraphConv(c_in, c_out, COCO_17))
    x = torch.randn(2, c_in, 4, 17)
    projected = unit.project(x).unflatten(1, (3, c_out))
    y = torch.einsum("nkctv,kvw->nctw", projected, unit.graphs)
    expected = torch.relu(unit.norm(y) + unit.shortcut(x))
    torch.testing.assert_close(unit(x), expected, rtol=1e-4, atol=1e-4)


def ctr_graph_conv_literally(unit: CTRGraphConv, x: Tensor) -> Tensor:
    """CTR-GCN, section 3.3: each graph with convolutions of its own over all frames."""
    k = len(unit.graphs)
    gathered = 0
    sources, targets = (
        list(zip(w.chunk(k), b.chunk(k), strict=True))
        for w, b in zip(unit.relate.weight.chunk(2), unit.relate.bias.chunk(2), strict=True)
    )
    for i, graph in enumerate(unit.graphs):
        psi, phi = (functional.conv2d(x, w, b).mean(dim=2) for w, b in (sources[i], targets[i]))
        difference = torch.tanh(psi[:, :, :, None] - phi[:, :, None, :])
        weight, bias = unit.refine.weight.chunk(k)[i], unit.refine.bias.chunk(k)[i]
        adapted = graph + unit.alpha * functional.conv2d(difference, weight, bias)
        weight, bias = unit.project.weight.chunk(k)[i], unit.project.bias.chunk(k)[i]
        values = functional.conv2d(x, weight, bias)
        gathered = gathered + torch.einsum("nctv,ncvw->nctw", values, adapted)
    return torch.relu(unit.norm(gathered) + unit.shortcut(x))


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 8), (8, 8), (80, 12)])
def test_ctr_graph_conv_equals_the_formula(c_in: int, c_out: int, shaken: Shake) -> None:
    unit = shaken(CTRGraphConv(c_in, c_out, COCO_17))
    x = torch.randn(2, c_in, 4, 17)
    expected = ctr_graph_conv_literally(unit, x)
    torch.testing.assert_close(unit(x), expected, rtol=1e-4, atol=1e-3)


def test_ctr_graph_conv_starts_as_the_bones_and_as_its_shortcut() -> None:
    unit = CTRGraphConv(8, 8, COCO_17)
    x = torch.randn(2, 8, 4, 17)
    expected = spatial_adjacency(COCO_17)[None, :, None].expand(2, -1, 8, -1, -1)
    torch.testing.assert_close(unit.refined_graphs(x), expected)
    torch.testing.assert_close(unit(x), x.relu(), rtol=0, atol=1e-4)


def test_ctr_graph_conv_compares_joints_in_an_eighth_of_the_channels() -> None:
    compared = [CTRGraphConv(c, 4, COCO_17).refine.in_channels // 3 for c in (3, 64, 128, 256)]
    assert compared == [8, 8, 16, 32]


def test_neighbour_graph_conv_gathers_from_the_ends_of_a_joints_bones() -> None:
    """The chest takes its child alone, the elbow the mean of shoulder and hand."""
    x = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(1, 1, 1, 4)
    own, gathered = NeighbourGraphConv(ARM)(x).flatten(2)[0]
    assert own.tolist() == [1, 10, 100, 1000]
    assert gathered.tolist() == [5, 50.5, 505, 50]


@given(b=st.integers(1, 3), c=st.integers(1, 3), t=st.integers(1, 4), seed=st.integers(0, 99))
def test_neighbour_graph_conv_sums_over_the_graph(b: int, c: int, t: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = NeighbourGraphConv(ARM)
    with torch.no_grad():
        unit.graph.copy_(torch.randn(4, 4, generator=generator))
    x = torch.randn(b, c, t, 4, generator=generator)
    y = unit(x).detach()
    for w in range(4):
        expected = sum(x[..., v] * unit.graph[v, w].detach() for v in range(4))
        torch.testing.assert_close(y[:, c:, :, w], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(y[:, :c], x)
