"""Recognizer as inference runs it: less arithmetic and fewer passes, the same logits.

The training heads are left out, and every norm that follows a convolution is folded into the
convolution's weights. Blocks of learnt graphs keep channels last, where a 1x1 convolution is one
matrix product over all frames and joints.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skeletonagent.models.backbones import Backbone
from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import ConvBNSequence, STBlock, use_convolutions
from skeletonagent.models.bodies_alone import added_features
from skeletonagent.models.fused_readout import FusedFeatureNormStem, FusedTemporalReadout
from skeletonagent.models.graph_conv import DGGraphConv
from skeletonagent.models.joint_cnn import FeatureNormStem
from skeletonagent.models.person_pooling import bodies_to_run, mean_over_persons
from skeletonagent.models.readouts import MeanReadout, Pooled, Readout, TemporalReadout
from skeletonagent.models.recognizer import Recognizer, join_inputs
from skeletonagent.models.temporal_conv import DGTemporalConv, TemporalBranches, temporal_max_pool

CPU_CHUNK_SIZE = 1_600_000
"""Frames x joints x channels of the bodies that a CPU thread runs at once, one body at least.

So many stay in a CPU's cache: one body of the paper's recognizer, dozens of a narrow one. A GPU
runs all at once.
"""


class FusedRecognizer(nn.Module):
    """Recognizer for inference alone; made by :func:`fuse_for_inference`."""

    def __init__(
        self,
        recognizer: Recognizer,
        dtype: torch.dtype,
        cpu_chunk_size: int | None,
        convolutions: bool,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.cpu_chunk_size = cpu_chunk_size
        self.person_pooling = recognizer.person_pooling
        self.center_alone = recognizer.center_alone
        self.out_channels = recognizer.backbone.out_channels
        backbone = recognizer.backbone
        self.inputs = copy.deepcopy(recognizer.inputs)
        self.stem = _fuse_stem(backbone.stem)
        self.blocks, self.channels_last = _fuse_blocks(backbone, dtype, convolutions)
        self.readout = _fuse_readout(recognizer.readout)
        self.cls_head = copy.deepcopy(recognizer.cls_head)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return the logits; ``bodies`` as :class:`Recognizer` takes them."""
        logits: Tensor = self.cls_head(self.features(clips, bodies))
        return logits

    def features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features that the classification head takes, as :meth:`Recognizer.features`.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies that are present; None runs all.
        """
        if self.center_alone is None:
            return self._pooled(clips, bodies)
        return added_features(
            lambda alone: self._pooled(alone, None), clips, bodies, self.center_alone
        )

    def _pooled(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
    ) -> Float[Tensor, "n d"]:
        bodies = bodies_to_run(self.person_pooling, bodies)
        inputs = [clips] if self.inputs is None else self.inputs(clips)
        joined = join_inputs(inputs)
        maps = (self._maps(joined, part) for part in self._split(bodies, clips))
        if isinstance(self.readout, MeanReadout):  # never keeps the maps of all bodies
            means = torch.cat([part.mean(dim=(2, 3)) for part in maps])
            return mean_over_persons(means, clips, self.person_pooling, bodies)
        pooled: Pooled | Tensor = self.readout(
            torch.cat(list(maps)), inputs, clips, self.person_pooling, bodies
        )
        return pooled.features if isinstance(pooled, Pooled) else pooled

    def _split(
        self, bodies: Int[Tensor, " b"] | None, clips: Float[Tensor, "n m t v c"]
    ) -> Sequence[Int[Tensor, " a"] | None]:
        """Return the bodies that are run at once, one part after another; None for all."""
        if self.cpu_chunk_size is None or clips.device.type != "cpu":
            return (bodies,)
        body_size = clips.shape[2] * clips.shape[3] * self.out_channels
        at_once = torch.get_num_threads() * max(1, self.cpu_chunk_size // body_size)
        slots = clips.shape[0] * clips.shape[1]
        if bodies is None and slots <= at_once:
            return (None,)
        parts: Sequence[Tensor] = (torch.arange(slots) if bodies is None else bodies).split(at_once)
        return parts

    def _maps(
        self, inputs: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
    ) -> Float[Tensor, "b d s v"]:
        """Return the maps of bodies in float32."""
        x: Tensor = self.stem(inputs, bodies)
        if self.channels_last:
            x = x.to(self.dtype).movedim(1, -1).contiguous()
            return cast(Tensor, self.blocks(x)).float().movedim(-1, 1)
        lower = self.dtype is not torch.float32
        with torch.autocast(x.device.type, self.dtype, enabled=lower):
            return cast(Tensor, self.blocks(x)).float()


class FusedGraphConv(nn.Module):
    """A :class:`DGGraphConv` in evaluation, channels last."""

    def __init__(self, graph: DGGraphConv) -> None:
        super().__init__()
        self.enter = _fuse_conv1x1(graph.enter)
        self.leave = _fuse_conv1x1(graph.leave)
        self.shortcut = _fuse_conv1x1(graph.shortcut)
        self.graph = graph
        graph.enter, graph.leave = ConvBNSequence(), ConvBNSequence()
        graph.shortcut = nn.Identity()

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b t v d"]:
        """Return features gathered along the graphs, rectified."""
        pooled = x.mean(dim=1, dtype=torch.float32).mT
        graphs = self.graph.adapted_graphs(pooled).to(x.dtype)
        entered = self.enter(x).relu_().movedim(-1, 1).contiguous()
        gathered = (entered @ graphs).flatten(2).mT
        # No copy for a single body: the product takes it in the memory layout it has.
        left: Tensor = self.leave(gathered.reshape(-1, gathered.shape[-1]))
        return left.view(*x.shape[:3], -1).add_(self.shortcut(x)).relu_()


class FusedTemporalConv(nn.Module):
    """A :class:`DGTemporalConv` in evaluation, channels last.

    The norm before the last convolution is folded into the convolutions that write its channels;
    only the max-pooled ones, where a negative factor would make a maximum a minimum, are scaled
    afterwards.
    """

    def __init__(self, unit: DGTemporalConv) -> None:
        super().__init__()
        branches = unit.branches
        scale, shift = _norm_affine(cast(SyncableBatchNorm2d, unit.mix[0]))
        self.widths, self.stride = branches.widths, branches.stride
        normed = sum(self.widths)
        *scales, self.scale = (nn.Parameter(part) for part in scale[:normed].split(self.widths))
        *shifts, self.shift = (nn.Parameter(part) for part in shift[:normed].split(self.widths))
        self.enter = _fuse_branch_entry(branches, scale[normed:], shift[normed:])
        self.convs = nn.ModuleList(
            _scale_conv(cast(nn.Conv2d, conv), *affine)
            for conv, *affine in zip(branches.convs, scales, shifts, strict=True)
        )
        self.share = nn.Parameter(unit.share[:, None])
        self.shifts = nn.Parameter(shift)
        self.mix = _fuse_conv1x1(unit.mix[2:])

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v c"]:
        """Return the fused branches, not rectified."""
        branches = self._branches(torch.cat([x, x.mean(dim=2, keepdim=True)], dim=2))
        joints, body = branches[:, :, :-1], branches[:, :, -1:] - self.shifts
        fused: Tensor = self.mix(torch.addcmul(joints, body, self.share).relu_())
        return fused

    def _branches(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v c"]:
        entered = self.enter(x)
        normed = sum(self.widths)
        pointwise = entered[:, :: self.stride, :, normed:]
        rectified = entered[..., :normed].relu_().movedim(-1, 1)
        *dilated, pooled = rectified.split(self.widths, dim=1)
        convolved = [
            conv(part.contiguous(memory_format=torch.channels_last))
            for conv, part in zip(self.convs, dilated, strict=True)
        ]
        pooled = torch.addcmul(
            self.shift, temporal_max_pool(pooled, self.stride).movedim(1, -1), self.scale
        )
        return torch.cat([*(part.movedim(1, -1) for part in convolved), pooled, pointwise], dim=-1)


class FusedBlock(nn.Module):
    """A :class:`STBlock` of learnt graphs in evaluation, channels last."""

    def __init__(self, block: STBlock) -> None:
        super().__init__()
        self.graph = FusedGraphConv(cast(DGGraphConv, block.graph))
        self.temporal = FusedTemporalConv(cast(DGTemporalConv, block.temporal))
        self.stride = self.temporal.stride
        self.shortcut = None if block.shortcut is None else _fuse_conv1x1(block.shortcut)

    def forward(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b s v d"]:
        """Return the block's features, rectified."""
        y: Tensor = self.temporal(self.graph(x))
        if self.shortcut is not None:
            y += self.shortcut(x[:, :: self.stride].contiguous())
        return y.relu_()


@torch.no_grad()
def fuse_for_inference(
    recognizer: Recognizer,
    dtype: torch.dtype = torch.float32,
    *,
    cpu_chunk_size: int | None = CPU_CHUNK_SIZE,
    convolutions: bool = False,
) -> FusedRecognizer:
    """Return a copy of a recognizer for inference alone, with the same logits in evaluation.

    Args:
        recognizer: The recognizer; it is not changed.
        dtype: Precision of the blocks; stem and classification head stay in float32.
        cpu_chunk_size: Frames x joints x channels that a CPU thread runs at once; None runs all
            bodies at once, in a graph that does not depend on their number or the machine.
        convolutions: Whether 1x1 convolutions are computed as such, channels first, for engines
            that are faster at these than at matrix products.
    """
    fused = FusedRecognizer(recognizer, dtype, cpu_chunk_size, convolutions)
    return fused.eval().requires_grad_(False)


def _fuse_stem(stem: nn.Module) -> nn.Module:
    """Return a stem for inference."""
    return FusedFeatureNormStem(stem) if isinstance(stem, FeatureNormStem) else copy.deepcopy(stem)


def _fuse_blocks(
    backbone: Backbone, dtype: torch.dtype, convolutions: bool
) -> tuple[nn.Sequential, bool]:
    """Return a backbone's blocks for inference, and whether they keep channels last."""
    blocks = copy.deepcopy(backbone.blocks).eval()
    if convolutions:
        use_convolutions(blocks)
    elif all(
        isinstance(block, STBlock)
        and isinstance(block.graph, DGGraphConv)
        and isinstance(block.temporal, DGTemporalConv)
        for block in blocks
    ):
        fused = nn.Sequential(*(FusedBlock(cast(STBlock, block)) for block in blocks)).to(dtype)
        for module in fused.modules():
            if isinstance(module, DGGraphConv):
                module.float()
        return fused, True
    _fold_norms(blocks)
    return blocks, False


def _fuse_readout(readout: Readout) -> nn.Module:
    """Return a readout for inference."""
    copied = copy.deepcopy(readout).eval()
    if isinstance(copied, TemporalReadout):
        return FusedTemporalReadout(copied)
    _fold_norms(copied)
    return copied


def _fold_norms(module: nn.Module) -> None:
    """Fold every norm that follows a convolution into it, in place."""
    for child in module.children():
        _fold_norms(child)
    if isinstance(module, nn.Sequential):
        for index in range(len(module) - 1):
            conv, norm = module[index], module[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index], module[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()


def _fuse_conv1x1(layers: nn.Module) -> nn.Module:
    """Return a 1x1 convolution, and the norm after it if it has one, for channels last."""
    if isinstance(layers, nn.Identity):
        return layers
    conv, norm = cast(tuple[nn.Conv2d, nn.BatchNorm2d], tuple(cast(ConvBNSequence, layers))[:2])
    fused = fuse_conv_bn_eval(conv, norm)
    assert fused.bias is not None
    return _linear(fused.weight.flatten(1), fused.bias)


def _linear(weight: Float[Tensor, "d c"], bias: Float[Tensor, " d"]) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(bias)
    return linear


def _fuse_branch_entry(
    branches: TemporalBranches, scale: Float[Tensor, " p"], shift: Float[Tensor, " p"]
) -> nn.Linear:
    """Return the convolution that opens the branches with its norm; the 1x1 branch is scaled."""
    norm_scale, norm_shift = _norm_affine(branches.norm)
    all_scales, all_shifts = torch.cat([norm_scale, scale]), torch.cat([norm_shift, shift])
    weight, bias = branches.enter.weight.flatten(1), branches.enter.bias
    assert bias is not None
    return _linear(all_scales[:, None] * weight, all_scales * bias + all_shifts)


def _norm_affine(norm: SyncableBatchNorm2d) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Return the factor and the offset of each channel by which a norm acts in evaluation."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - scale * norm.running_mean


def _scale_conv(
    conv: nn.Conv2d, scale: Float[Tensor, " c"], shift: Float[Tensor, " c"]
) -> nn.Conv2d:
    """Scale and shift the output of a convolution by its weights, in place."""
    assert conv.bias is not None
    conv.weight = nn.Parameter(scale[:, None, None, None] * conv.weight)
    conv.bias = nn.Parameter(scale * conv.bias + shift)
    return conv
