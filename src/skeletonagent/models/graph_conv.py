"""Graph convolutions: every joint gathers features from the others along graphs.

Inside a backbone every body is a sample of its own: ``b`` is N times M.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import Conv1x1, ConvBNSequence, PointwiseConv, shortcut

CTR_REDUCTION = 8
"""Factor by which CTR-GCN has fewer channels where it compares joints."""

CTR_MIN_CHANNELS = 8
"""Smallest number of channels in which CTR-GCN compares joints."""


class Attention(NamedTuple):
    """What the graphs of each sample and channel are made of."""

    attended: Float[Tensor, "b e v"]
    """Features of each joint as a source, then as a target, of all channels."""
    source: Float[Tensor, "b k m v"]
    """Features as a source, by graph."""
    target: Float[Tensor, "b k m v"]
    """Features as a target, by graph."""
    graphs: Float[Tensor, "b k v v"]
    """Graphs that the channels of a graph share."""


class DGGraphConv(nn.Module):
    """Graph convolution over learnt graphs that attention adapts to each sample and channel.

    The released code convolves all frames for the attention and averages afterwards. Both are
    linear, so averaging the frames first is exact and needs a T-th of the arithmetic.
    Both gates start at zero, so the attention learns only once they have moved.

    The released gates are vectors of which only the first element is used; here they are
    scalars, so a block has 2 x 7 = 14 parameters fewer than a released one.
    Source: spec 1.2.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, divided equally among the graphs.
        graphs: Initial graphs; ``[k, v, w]`` is what joint ``w`` takes from joint ``v``.
    """

    def __init__(self, in_channels: int, out_channels: int, graphs: Float[Tensor, "k v v"]) -> None:
        super().__init__()
        self.graphs = nn.Parameter(graphs.clone())
        self.alpha = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.zeros(()))
        self.attention = nn.Conv2d(in_channels, 2 * out_channels, 1)
        self.enter = ConvBNSequence(
            Conv1x1(in_channels, out_channels),
            SyncableBatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )
        self.leave = ConvBNSequence(
            Conv1x1(out_channels, out_channels), SyncableBatchNorm2d(out_channels)
        )
        self.shortcut = shortcut(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the graphs, rectified."""
        gathered = self.enter(x) @ self.adapted_graphs(x.mean(dim=2))
        y: Tensor = self.leave(gathered)
        y += self.shortcut(x)
        return y.relu_()

    def adapted_graphs(self, pooled: Float[Tensor, "b c v"]) -> Float[Tensor, "b d v v"]:
        """Return the graph of each sample and output channel, from the mean over its frames."""
        _, source, target, graphs = self.attend(pooled)
        difference = torch.tanh(source[..., :, None] - target[..., None, :])
        # In the precision of the differences: under autocast all would be promoted.
        shared = graphs.to(difference.dtype)
        alpha = self.alpha.to(difference.dtype)
        return torch.addcmul(shared[:, :, None], alpha, difference).flatten(1, 2)

    def attend(self, pooled: Float[Tensor, "b c v"]) -> Attention:
        """Return what the adapted graphs are made of, from the mean over a sample's frames."""
        attended = self.attention(pooled[..., None]).squeeze(-1)
        source, target = attended.unflatten(1, (2, len(self.graphs), -1)).unbind(1)
        affinity = (source.mT @ target).softmax(dim=-2)  # over the source joints
        return Attention(attended, source, target, self.graphs + self.beta * affinity)


class GraphProjection(PointwiseConv):
    """1x1 convolution to one set of channels per graph, and the product with the graphs.

    The convolution comes before the graph product (ST-GCN++); the two commute but for the bias,
    so the product is taken first, on fewer channels, and the graphs multiply the bias.
    """

    def forward(
        self, x: Float[Tensor, "b c t v"], graphs: Float[Tensor, "k v v"] | None = None
    ) -> Float[Tensor, "b d t v"]:
        """Return the convolved features, gathered along the graphs and summed over them.

        Args:
            x: Features.
            graphs: The graphs; without them the result is that of the convolution alone.
        """
        if graphs is None:
            return super().forward(x)
        gathered = torch.cat([x @ graph for graph in graphs], dim=1)  # b (k c) t v
        weight = torch.cat(self.weight.chunk(len(graphs)), dim=1)  # d (k c) 1 1
        return self.pointwise(weight, gathered) + self._gathered_bias(graphs)

    def _gathered_bias(self, graphs: Float[Tensor, "k v v"]) -> Float[Tensor, "d 1 v"]:
        """Return the bias after the graph product."""
        assert self.bias is not None
        bias = self.bias.view(len(graphs), -1)  # k d
        return (bias.mT @ graphs.sum(dim=1)).unsqueeze(1)


class AdaptiveGraphConv(nn.Module):
    """Graph convolution over learnt graphs that start from the skeleton's bones.

    Three graphs: the joint itself, its children (inward) and its parent (outward).
    Source: PYSKL (Duan et al., 2022), ST-GCN++.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        layout: The skeleton whose bones are the initial graphs.
    """

    def __init__(self, in_channels: int, out_channels: int, layout: SkeletonLayout) -> None:
        super().__init__()
        self.graphs = nn.Parameter(spatial_adjacency(layout))
        self.project = GraphProjection(in_channels, len(self.graphs) * out_channels, 1)
        self.norm = SyncableBatchNorm2d(out_channels)
        self.shortcut = shortcut(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the bones, rectified."""
        y: Tensor = self.norm(self.project(x, self.graphs))
        y += self.shortcut(x)
        return y.relu_()


class CTRGraphConv(nn.Module):
    """Graph convolution over the bones, refined for each sample and channel (CTR-GCN).

    Differences between two joints, averaged over frames, become a correction of each channel's
    graph. The gate of the corrections starts at zero and the norm's weight near it, so that a new
    layer passes on its shortcut. The paper convolves all frames before it averages them;
    averaging first is exact. Source: Chen et al., 2021, section 3.3; initial values as its
    authors have them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        layout: The skeleton whose bones are the initial graphs.
    """

    def __init__(self, in_channels: int, out_channels: int, layout: SkeletonLayout) -> None:
        super().__init__()
        self.graphs = nn.Parameter(spatial_adjacency(layout))
        k = len(self.graphs)
        narrow = max(CTR_MIN_CHANNELS, in_channels // CTR_REDUCTION)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.relate = nn.Conv2d(in_channels, 2 * k * narrow, 1)
        self.refine = nn.Conv2d(k * narrow, k * out_channels, 1, groups=k)
        self.project = nn.Conv2d(in_channels, k * out_channels, 1)
        self.norm = SyncableBatchNorm2d(out_channels)
        nn.init.constant_(self.norm.weight, 1e-6)
        self.shortcut = shortcut(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the refined bones, rectified."""
        projected = self.project(x).unflatten(1, (len(self.graphs), -1))  # b k d t v
        gathered = torch.einsum("bkdtv,bkdvw->bdtw", projected, self.refined_graphs(x))
        y: Tensor = self.norm(gathered)
        y += self.shortcut(x)
        return y.relu_()

    def refined_graphs(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b k d v v"]:
        """Return the graphs of each sample and channel."""
        source, target = self.relate(x.mean(dim=2)[..., None]).chunk(2, dim=1)
        corrections = self.refine(torch.tanh(source - target.mT))  # b (k d) v v
        per_graph: Tensor = corrections.unflatten(1, (len(self.graphs), -1))
        return self.graphs[:, None] + self.alpha * per_graph


class NeighbourGraphConv(nn.Module):
    """Concatenation of each joint's features with those gathered from its neighbours.

    One graph for all channels, learnt, that starts from the bones.
    """

    def __init__(self, layout: SkeletonLayout) -> None:
        super().__init__()
        _, inward, outward = spatial_adjacency(layout)
        self.graph = nn.Parameter((inward + outward) / 2)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return twice the channels: a joint's own, then those it gathers."""
        gathered = x @ self.graph
        return torch.cat([x.to(gathered.dtype), gathered], dim=1)  # autocast would promote both


def spatial_adjacency(layout: SkeletonLayout) -> Float[Tensor, "3 v v"]:
    """Return identity, inward and outward adjacency, every non-empty column summing to one."""
    v = layout.num_joints
    inward = torch.zeros(v, v)
    for child, parent in layout.bones:
        inward[child, parent] = 1
    graphs = torch.stack([torch.eye(v), inward, inward.T])
    return graphs / graphs.sum(dim=1, keepdim=True).clamp(min=1)
