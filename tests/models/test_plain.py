"""Plain blocks against loops, and the sizes they give."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.blocks_tiny_tmp import NeighbourGraphConv, tiny_blocks

ARM = SkeletonLayout("arm", ("chest", "shoulder", "elbow", "hand"), ((1, 0), (2, 1), (3, 2)))


def test_a_joint_gathers_from_the_ends_of_its_bones() -> None:
    """The chest takes its child alone, the elbow the mean of shoulder and hand."""
    x = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(1, 1, 1, 4)
    own, gathered = NeighbourGraphConv(ARM)(x).flatten(2)[0]
    assert own.tolist() == [1, 10, 100, 1000]
    assert gathered.tolist() == [5, 50.5, 505, 50]


@given(b=st.integers(1, 3), c=st.integers(1, 3), t=st.integers(1, 4), seed=st.integers(0, 99))
def test_gathering_is_a_sum_over_the_graph(b: int, c: int, t: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = NeighbourGraphConv(ARM)
    with torch.no_grad():
        unit.graph.copy_(torch.randn(4, 4, generator=generator))
    x = torch.randn(b, c, t, 4, generator=generator)
    told = unit(x).detach()
    for w in range(4):
        expected = sum(x[..., v] * unit.graph[v, w].detach() for v in range(4))
        torch.testing.assert_close(told[:, c:, :, w], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(told[:, :c], x)


@given(t=st.integers(1, 9), width=st.integers(1, 4))
def test_blocks_double_channels_and_halve_frames(t: int, width: int) -> None:
    x = torch.randn(2, 3, t, 4)
    blocks = tiny_blocks(ARM, 3, width)
    for block, channels in zip(blocks, (width, 2 * width, 4 * width), strict=True):
        frames = x.shape[2] if channels == width else -(-x.shape[2] // 2)
        x = block(x)
        assert x.shape == (2, channels, frames, 4)
        assert bool((x >= 0).all())


def test_the_plain_recognizer_is_small() -> None:
    backbone = BACKBONES["plain"].build(ARM, 3, 1, 16)
    assert backbone.out_channels == 64
    assert sum(p.numel() for p in backbone.parameters()) < 50_000
