"""What backbones are made of: graph units, multi-branch temporal units and the block of both.

Inside a backbone every body is a sample of its own: ``b`` is N times M.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.core.layout import SkeletonLayout

DILATIONS = (1, 2, 3, 4)
"""Of the dilated branches; a pooled and a plain branch follow them."""

BRANCHES = len(DILATIONS) + 2


def shortcut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Return the identity where shapes agree, else a strided 1x1 convolution and BatchNorm."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=(stride, 1)), nn.BatchNorm2d(out_channels)
    )


class DynamicGraph(nn.Module):
    """Graph convolution over learnt graphs that attention adapts to each sample and channel.

    The released code convolves all frames for the attention and averages afterwards. Both are
    linear, so averaging the frames first is exact and leaves a T-th of the arithmetic.
    Both gates start at zero, so the attention learns only once they have moved.

    The released gates are vectors of which only the first element is used; here they are
    scalars, so a block has 2 x 7 = 14 parameters fewer than a released one.
    Source: spec 1.2.

    Args:
        in_channels: Channels taken.
        out_channels: Channels given, divided equally among the graphs.
        graphs: Initial graphs; ``[k, v, w]`` is what joint ``w`` takes from joint ``v``.
    """

    def __init__(self, in_channels: int, out_channels: int, graphs: Float[Tensor, "k v v"]) -> None:
        super().__init__()
        self.graphs = nn.Parameter(graphs.clone())
        self.alpha = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.zeros(()))
        self.attention = nn.Conv2d(in_channels, 2 * out_channels, 1)
        self.enter = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU()
        )
        self.leave = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
        )
        self.shortcut = shortcut(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the graphs, rectified."""
        gathered = self.enter(x) @ self.adapted(x)
        y: Tensor = self.leave(gathered) + self.shortcut(x)
        return y.relu()

    def adapted(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d v v"]:
        """Return the graph of each sample and output channel."""
        pooled = self.attention(x.mean(dim=2, keepdim=True)).squeeze(2)
        source, target = pooled.unflatten(1, (2, len(self.graphs), -1)).unbind(1)  # b k m v
        affinity = (source.mT @ target).softmax(dim=-2)  # over the joints given from
        difference = torch.tanh(source[..., :, None] - target[..., None, :])
        shared = self.graphs + self.beta * affinity
        return torch.addcmul(shared[:, :, None], self.alpha, difference).flatten(1, 2)


class SkeletonGraph(nn.Module):
    """Graph convolution over the skeleton's own bones, which may then be learnt away from.

    Three graphs: the joint itself, its children (inward) and its parent (outward). The 1x1
    convolution to one set of channels per graph comes before the graph product (ST-GCN++);
    the two commute but for the bias, so the product is taken first, on fewer channels.
    Source: PYSKL (Duan et al., 2022), ST-GCN++.

    Args:
        in_channels: Channels taken.
        out_channels: Channels given.
        layout: The skeleton whose bones are meant.
    """

    def __init__(self, in_channels: int, out_channels: int, layout: SkeletonLayout) -> None:
        super().__init__()
        self.graphs = nn.Parameter(bone_graphs(layout))
        self.project = nn.Conv2d(in_channels, len(self.graphs) * out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the bones, rectified."""
        gathered = torch.cat([x @ graph for graph in self.graphs], dim=1)  # b (k c) t v
        weight = torch.cat(self.project.weight.chunk(len(self.graphs)), dim=1)  # d (k c) 1 1
        y: Tensor = self.norm(functional.conv2d(gathered, weight) + self._bias())
        return functional.relu(y + self.shortcut(x))

    def _bias(self) -> Float[Tensor, "d 1 v"]:
        """Return what the convolution's bias has become after the graph product."""
        assert self.project.bias is not None
        bias = self.project.bias.view(len(self.graphs), -1)  # k d
        return (bias.mT @ self.graphs.sum(dim=1)).unsqueeze(1)


def bone_graphs(layout: SkeletonLayout) -> Float[Tensor, "3 v v"]:
    """Return identity, inward and outward adjacency, every non-empty column summing to one."""
    v = layout.num_joints
    inward = torch.zeros(v, v)
    for child, parent in layout.bones:
        inward[child, parent] = 1
    graphs = torch.stack([torch.eye(v), inward, inward.T])
    return graphs / graphs.sum(dim=1, keepdim=True).clamp(min=1)


class TemporalBranches(nn.Module):
    """Six views of the same frames side by side: four dilated, one pooled, one plain.

    Every branch starts with a 1x1 convolution, here one for all six. Each gets a sixth of the
    channels, the first also what is left over.

    Args:
        channels: Channels taken and given.
        stride: Step in time.

    Raises:
        ValueError: If there is not a channel for each branch.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        narrow = channels // BRANCHES
        if not narrow:
            raise ValueError(f"{channels} channels are too few; {BRANCHES} branches need one each")
        first = channels - (BRANCHES - 1) * narrow
        self.widths = [first] + [narrow] * (BRANCHES - 2)
        self.stride = stride
        self.enter = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels - narrow)
        self.convs = nn.ModuleList(
            nn.Conv2d(
                width, width, (3, 1), (stride, 1), padding=(dilation, 0), dilation=(dilation, 1)
            )
            for width, dilation in zip(self.widths, DILATIONS, strict=False)
        )

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the branches' channels one after another."""
        entered = self.enter(x)
        normed = sum(self.widths)
        plain = entered[:, normed:, :: self.stride]
        *dilated, pooled = torch.split(self.norm(entered[:, :normed]).relu(), self.widths, dim=1)
        convolved = [conv(branch) for conv, branch in zip(self.convs, dilated, strict=True)]
        pooled = functional.max_pool2d(pooled, (3, 1), (self.stride, 1), (1, 0))
        return torch.cat([*convolved, pooled, plain], dim=1)


def mixing(channels: int) -> nn.Sequential:
    """Return the layers that blend the branches of a temporal unit."""
    return nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 1),
        nn.BatchNorm2d(channels),
    )


class TemporalUnit(nn.Module):
    """Multi-branch temporal convolution of each joint by itself (ST-GCN++)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.mix = mixing(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the blended branches, not rectified."""
        mixed: Tensor = self.mix(self.branches(x))
        return mixed


class PostureTemporalUnit(nn.Module):
    """Multi-branch temporal convolution in which joints share in the whole body's motion.

    The mean of all joints goes through the branches as one joint more, and each joint adds as
    much of the outcome as its own coefficient, zero at first, tells. Source: spec 1.3.
    """

    def __init__(self, channels: int, stride: int, joints: int) -> None:
        super().__init__()
        self.branches = TemporalBranches(channels, stride)
        self.share = nn.Parameter(torch.zeros(joints))
        self.mix = mixing(channels)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the blended branches, not rectified."""
        branches = self.branches(torch.cat([x, x.mean(dim=-1, keepdim=True)], dim=-1))
        joints, body = branches[..., :-1], branches[..., -1:]
        # In the branches' own precision: under autocast the sum would be promoted.
        share = self.share.to(joints.dtype)
        mixed: Tensor = self.mix(torch.addcmul(joints, body, share))
        return mixed


class Block(nn.Module):
    """A graph unit and a temporal unit, with a way around both unless ``around`` is None."""

    def __init__(self, graph: nn.Module, temporal: nn.Module, around: nn.Module | None) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.shortcut = around

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        y: Tensor = self.temporal(self.graph(x))
        return functional.relu(y if self.shortcut is None else y + self.shortcut(x))
