"""A trained recognizer as inference runs it: less arithmetic and fewer passes, the same scores.

The training heads are gone, and so is every norm that follows a convolution: it is part of the
convolution's weights. Blocks of learnt graphs keep channels last, where a 1x1 convolution is one
matrix product over all frames and joints.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skeletonagent.models.backbones import Backbone
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import ConvBNSequence, STBlock
from skeletonagent.models.graph_conv import DGGraphConv
from skeletonagent.models.recognizer import Recognizer, bodies_to_run, mean_over_persons
from skeletonagent.models.temporal_conv import DGTemporalConv, TemporalBranches, temporal_max_pool

CACHED = 1_600_000
"""Frames x joints x channels of the bodies that a thread runs at once, one body at least.

So many stay in a processor's cache: one body of the paper's recognizer, dozens of a narrow one. A
GPU runs all at once.
"""


class FusedRecognizer(nn.Module):
    """The class scores of a recognizer; made by :func:`fuse_for_inference`."""

    def __init__(self, recognizer: Recognizer, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.person_pooling = recognizer.person_pooling
        self.out_channels = recognizer.backbone.out_channels
        backbone = recognizer.backbone
        self.stem = copy.deepcopy(backbone.stem)
        self.blocks, self.channels_last = _blocks(backbone, dtype)
        self.cls_head = copy.deepcopy(recognizer.cls_head)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return class scores; ``bodies`` as :class:`Recognizer` takes them."""
        counted = bodies_to_run(self.person_pooling, bodies)
        run = counted
        if run is None:
            run = torch.arange(clips.shape[0] * clips.shape[1], device=clips.device)
        size = run.shape[0]
        if clips.device.type == "cpu":
            numbers = clips.shape[2] * clips.shape[3] * self.out_channels
            size = torch.get_num_threads() * max(1, CACHED // numbers)
        features = torch.cat([self._features(clips, part) for part in run.split(size)])
        logits: Tensor = self.cls_head(
            mean_over_persons(features, clips, self.person_pooling, counted)
        )
        return logits

    def _features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """Return each body's mean over frames and joints."""
        x: Tensor = self.stem(clips, bodies)
        if self.channels_last:
            x = x.to(self.dtype).movedim(1, -1).contiguous()
            return cast(Tensor, self.blocks(x)).float().mean(dim=(1, 2))
        lower = self.dtype is not torch.float32
        with torch.autocast(x.device.type, self.dtype, enabled=lower):
            return cast(Tensor, self.blocks(x)).float().mean(dim=(2, 3))


class FusedGraphConv(nn.Module):
    """A :class:`DGGraphConv` in evaluation, channels last."""

    def __init__(self, graph: DGGraphConv) -> None:
        super().__init__()
        self.enter = _linear(graph.enter)
        self.leave = _linear(graph.leave)
        self.shortcut = _linear(graph.shortcut)
        self.graph = graph
        graph.enter, graph.leave = ConvBNSequence(), ConvBNSequence()
        graph.shortcut = nn.Identity()

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b t v d"]:
        """Return features gathered along the graphs, rectified."""
        pooled = x.mean(dim=1, dtype=torch.float32).mT
        adapted = self.graph.adapted(pooled).to(x.dtype)
        entered = self.enter(x).relu_().movedim(-1, 1).contiguous()
        gathered = (entered @ adapted).flatten(2).mT
        # Of a single body this is no copy: the product takes it as it lies.
        left: Tensor = self.leave(gathered.reshape(-1, gathered.shape[-1]))
        return left.view(*x.shape[:3], -1).add_(self.shortcut(x)).relu_()


class FusedTemporalConv(nn.Module):
    """A :class:`DGTemporalConv` in evaluation, channels last.

    The norm before the blend is part of whatever fills its channels; only the pooled ones, where
    a negative factor would make the highest the lowest, are multiplied afterwards.
    """

    def __init__(self, unit: DGTemporalConv) -> None:
        super().__init__()
        branches = unit.branches
        scale, shift = _affine(cast(SyncableBatchNorm2d, unit.mix[0]))
        self.widths, self.stride = branches.widths, branches.stride
        plain = sum(self.widths)
        *scales, self.scale = (nn.Parameter(part) for part in scale[:plain].split(self.widths))
        *shifts, self.shift = (nn.Parameter(part) for part in shift[:plain].split(self.widths))
        self.enter = _entering(branches, scale[plain:], shift[plain:])
        self.convs = nn.ModuleList(
            _scaled(cast(nn.Conv2d, conv), *affine)
            for conv, *affine in zip(branches.convs, scales, shifts, strict=True)
        )
        self.share = nn.Parameter(unit.share[:, None])
        self.shifts = nn.Parameter(shift)
        self.blend = _linear(unit.mix[2:])

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v c"]:
        """Return the blended branches, not rectified."""
        both = self._branches(torch.cat([x, x.mean(dim=2, keepdim=True)], dim=2))
        joints, body = both[:, :, :-1], both[:, :, -1:] - self.shifts
        blended: Tensor = self.blend(torch.addcmul(joints, body, self.share).relu_())
        return blended

    def _branches(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v c"]:
        entered = self.enter(x)
        normed = sum(self.widths)
        plain = entered[:, :: self.stride, :, normed:]
        rectified = entered[..., :normed].relu_().movedim(-1, 1)
        *dilated, pooled = rectified.split(self.widths, dim=1)
        convolved = [
            conv(part.contiguous(memory_format=torch.channels_last))
            for conv, part in zip(self.convs, dilated, strict=True)
        ]
        pooled = torch.addcmul(
            self.shift, temporal_max_pool(pooled, self.stride).movedim(1, -1), self.scale
        )
        return torch.cat([*(part.movedim(1, -1) for part in convolved), pooled, plain], dim=-1)


class FusedBlock(nn.Module):
    """A :class:`STBlock` of learnt graphs in evaluation, channels last."""

    def __init__(self, block: STBlock) -> None:
        super().__init__()
        self.graph = FusedGraphConv(cast(DGGraphConv, block.graph))
        self.temporal = FusedTemporalConv(cast(DGTemporalConv, block.temporal))
        self.stride = self.temporal.stride
        self.shortcut = None if block.shortcut is None else _linear(block.shortcut)

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v d"]:
        """Return the block's features, rectified."""
        y: Tensor = self.temporal(self.graph(x))
        if self.shortcut is not None:
            y += self.shortcut(x[:, :: self.stride].contiguous())
        return y.relu_()


@torch.no_grad()
def fuse_for_inference(
    recognizer: Recognizer, dtype: torch.dtype = torch.float32
) -> FusedRecognizer:
    """Return a copy that gives a recognizer's class scores in evaluation, and nothing else.

    Args:
        recognizer: The recognizer; it is left as it is.
        dtype: Precision of the blocks; stem and class scores stay in float32.
    """
    return FusedRecognizer(recognizer, dtype).eval().requires_grad_(False)


def _blocks(backbone: Backbone, dtype: torch.dtype) -> tuple[nn.Sequential, bool]:
    """Return a backbone's blocks for inference, and whether they keep channels last."""
    blocks = copy.deepcopy(backbone.blocks).eval()
    if all(
        isinstance(block.graph, DGGraphConv) and isinstance(block.temporal, DGTemporalConv)
        for block in blocks
    ):
        last = nn.Sequential(*(FusedBlock(cast(STBlock, block)) for block in blocks)).to(dtype)
        for module in last.modules():
            if isinstance(module, DGGraphConv):
                module.float()
        return last, True
    _fold(blocks)
    return blocks, False


def _fold(module: nn.Module) -> None:
    """Make every norm that follows a convolution part of it."""
    for child in module.children():
        _fold(child)
    if isinstance(module, nn.Sequential):
        for index in range(len(module) - 1):
            conv, norm = module[index], module[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index], module[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()


def _linear(layers: nn.Module) -> nn.Module:
    """Return a 1x1 convolution, and the norm after it if there is one, for channels last."""
    if isinstance(layers, nn.Identity):
        return layers
    conv, norm = cast(tuple[nn.Conv2d, nn.BatchNorm2d], tuple(cast(ConvBNSequence, layers))[:2])
    folded = fuse_conv_bn_eval(conv, norm)
    assert folded.bias is not None
    return _product(folded.weight.flatten(1), folded.bias)


def _product(weight: Float[Tensor, "d c"], bias: Float[Tensor, " d"]) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(bias)
    return linear


def _entering(
    branches: TemporalBranches, scale: Float[Tensor, " p"], shift: Float[Tensor, " p"]
) -> nn.Linear:
    """Return the convolution that opens the branches with its norm; the plain one is scaled."""
    factor, constant = _affine(branches.norm)
    factor, constant = torch.cat([factor, scale]), torch.cat([constant, shift])
    weight, bias = branches.enter.weight.flatten(1), branches.enter.bias
    assert bias is not None
    return _product(factor[:, None] * weight, factor * bias + constant)


def _affine(norm: SyncableBatchNorm2d) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Return by what a norm multiplies each channel in evaluation, and what it then adds."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - scale * norm.running_mean


def _scaled(conv: nn.Conv2d, scale: Float[Tensor, " c"], shift: Float[Tensor, " c"]) -> nn.Conv2d:
    assert conv.bias is not None
    conv.weight = nn.Parameter(scale[:, None, None, None] * conv.weight)
    conv.bias = nn.Parameter(scale * conv.bias + shift)
    return conv
