"""The recognizer as the formulas have it, slow and literal, to compare the program's with.

Attention convolutions over all frames, six separate temporal branches, K as a dense matrix applied
to all features of every class, absent bodies run like present ones. Written from the formulas
alone: paper equations 1 to 5; spec 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from skeletonagent.core.clips import ClipStore
from skeletonagent.models.recognizer import Recognizer

SUBSETS = 8
"""Learnt graphs of a block."""


def pointwise(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """Return a 1x1 convolution and its normalisation."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 1, (stride, 1)), nn.BatchNorm2d(c_out))


class LiteralGraph(nn.Module):
    """The graph convolution of spec 1.2, attention taken frame by frame and averaged after."""

    def __init__(self, c_in: int, c_out: int, joints: int) -> None:
        super().__init__()
        self.graphs = nn.Parameter(0.04 + 0.02 * torch.randn(SUBSETS, joints, joints))
        self.alpha = nn.Parameter(torch.zeros(SUBSETS))
        self.beta = nn.Parameter(torch.zeros(SUBSETS))
        self.source = nn.Conv2d(c_in, c_out, 1)
        self.target = nn.Conv2d(c_in, c_out, 1)
        self.enter = nn.Sequential(*pointwise(c_in, c_out), nn.ReLU())
        self.leave = pointwise(c_out, c_out)
        self.shortcut = nn.Identity() if c_in == c_out else pointwise(c_in, c_out)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d t v"]:
        """Return features gathered along the graphs, rectified."""
        b, _, t, v = x.shape
        values = self.enter(x).view(b, SUBSETS, -1, t, v)
        source = self.source(x).view(b, SUBSETS, -1, t, v).mean(dim=3)
        target = self.target(x).view(b, SUBSETS, -1, t, v).mean(dim=3)
        difference = torch.tanh(source[..., :, None] - target[..., None, :])
        product = torch.einsum("bkcv,bkcw->bkvw", source, target).softmax(dim=2)
        graphs = self.graphs[None, :, None] + self.alpha[0] * difference
        graphs = graphs + self.beta[0] * product[:, :, None]
        gathered = torch.einsum("bkctv,bkcvw->bkctw", values, graphs.to(values.dtype))
        return torch.relu(self.leave(gathered.reshape(b, -1, t, v)) + self.shortcut(x))


class LiteralTemporal(nn.Module):
    """The temporal convolution of spec 1.3 with a module for each branch."""

    def __init__(self, channels: int, stride: int, joints: int) -> None:
        super().__init__()
        narrow = channels // 6
        self.widths = [channels - 5 * narrow] + [narrow] * 5
        self.branches = nn.ModuleList(
            nn.Sequential(
                *pointwise(channels, width),
                nn.ReLU(),
                nn.Conv2d(width, width, (3, 1), (stride, 1), (dilation, 0), (dilation, 1)),
            )
            for dilation, width in enumerate(self.widths[:4], start=1)
        )
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches.append(nn.Sequential(*pointwise(channels, narrow), nn.ReLU(), pool))
        self.branches.append(nn.Sequential(nn.Conv2d(channels, narrow, 1, (stride, 1))))
        self.share = nn.Parameter(torch.zeros(joints))
        self.mix = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), *pointwise(channels, channels)
        )

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b c s v"]:
        """Return the blended branches, not rectified."""
        joined = torch.cat([x, x.mean(dim=3, keepdim=True)], dim=3)
        found = torch.cat([branch(joined) for branch in self.branches], dim=1)
        own, body = found[..., :-1], found[..., -1]
        mixed: Tensor = self.mix(own + torch.einsum("bct,v->bctv", body, self.share))
        return mixed


class LiteralBlock(nn.Module):
    """A graph and a temporal convolution with a way around both."""

    def __init__(self, c_in: int, c_out: int, stride: int, joints: int) -> None:
        super().__init__()
        self.graph = LiteralGraph(c_in, c_out, joints)
        self.temporal = LiteralTemporal(c_out, stride, joints)
        self.shortcut = nn.Identity() if c_in == c_out else pointwise(c_in, c_out, stride)

    def forward(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "b d s v"]:
        """Return the block's features, rectified."""
        return torch.relu(self.temporal(self.graph(x)) + self.shortcut(x))


class LiteralRecognizer(nn.Module):
    """The released recognizer of spec 1, with all its heads in every forward pass.

    Args:
        joints: V.
        channels: C.
        persons: M.
        classes: Y.
        text_dim: D.
        width: Channels of the first blocks.
    """

    def __init__(
        self, joints: int, channels: int, persons: int, classes: int, text_dim: int, width: int
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.position = nn.Parameter(torch.randn(joints, width))
        self.norm = nn.BatchNorm1d(persons * joints * width)
        widths = [width] * 4 + [2 * width] * 3 + [4 * width] * 3
        self.blocks = nn.Sequential(
            *(
                LiteralBlock(c_in, c_out, 1 if c_in == c_out else 2, joints)
                for c_in, c_out in pairwise(widths)
            )
        )
        self.cls_head = nn.Linear(4 * width, classes)
        self.joint_head = nn.Conv2d(4 * width, 1, 1)
        self.text_head = nn.Linear(4 * width, text_dim)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], k: Float[Tensor, "y v v"]
    ) -> tuple[Float[Tensor, "n y"], Float[Tensor, "n y"], Float[Tensor, "n d"]]:
        """Return class scores, those of the salient joints, and embeddings; K is dense."""
        n, m, t, v, _ = clips.shape
        embedded = self.embed(clips) + self.position
        flat = embedded.permute(0, 1, 3, 4, 2).reshape(n, -1, t)
        bodies = self.norm(flat).view(n * m, v, -1, t).permute(0, 2, 3, 1).contiguous()
        features = self.blocks(bodies)  # b d s v
        pooled = features.mean(dim=(2, 3)).view(n, m, -1).mean(dim=1)
        x_joint = torch.einsum("bdv,yvw->bdyw", features.mean(dim=2), k.to(features.dtype))
        joint_scores = self.joint_head(x_joint).squeeze(1).mean(dim=2)  # b y
        joint_logits = joint_scores.view(n, m, -1).mean(dim=1)
        return self.cls_head(pooled), joint_logits, self.text_head(pooled)


def dense_k(salient: Bool[Tensor, "y v"]) -> Float[Tensor, "y v v"]:
    """Return the paper's matrix K: row ``v`` of a class is ones if joint ``v`` is salient."""
    mask = salient.float()
    return mask[:, :, None].expand(-1, -1, mask.shape[1]).clone()


def as_literal(
    ours: Mapping[str, Tensor], model: LiteralRecognizer
) -> dict[str, Float[Tensor, "..."]]:
    """Return the program's weights, or gradients by their names, under the literal model's names.

    What is one layer there and several here is taken apart. The map is linear and keeps every
    number, so that weights and gradients go through the same one.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        plain = name.removeprefix("backbone.").removeprefix("stem.")
        plain = plain.replace("_head.fc.", "_head.")
        place, _, kind = plain.rpartition(".")
        if kind in ("alpha", "beta"):  # of the released vectors, the first element alone is used
            found[plain] = torch.cat([tensor.view(1), tensor.new_zeros(SUBSETS - 1)])
        elif place.endswith("attention"):
            start = place.removesuffix("attention")
            halves = tensor.chunk(2)
            found |= {f"{start}source.{kind}": halves[0], f"{start}target.{kind}": halves[1]}
        elif ".branches." in plain:
            block = model.get_submodule(plain.partition(".branches.")[0])
            assert isinstance(block, LiteralTemporal)
            found |= _branches(plain, tensor, block.widths)
        elif plain == "joint_head.weight":
            found[plain] = tensor.view(1, -1, 1, 1)
        else:
            found[plain] = tensor
    return found


def _branches(name: str, tensor: Tensor, widths: Sequence[int]) -> dict[str, Tensor]:
    """Return what each branch has of the program's layers for several of them."""
    start, _, rest = name.partition(".branches.")
    layer, *_, kind = rest.split(".")
    if layer == "convs":
        return {f"{start}.branches.{rest.split('.')[1]}.3.{kind}": tensor}
    place, widths = (0, widths) if layer == "enter" else (1, widths[:-1])
    parts = tensor.split(list(widths)) if tensor.ndim else [tensor] * len(widths)
    return {f"{start}.branches.{i}.{place}.{kind}": part for i, part in enumerate(parts)}


def literal_recognizer(recognizer: Recognizer, store: ClipStore) -> LiteralRecognizer:
    """Return a literal model with the weights of a recognizer for a store's clips."""
    model = LiteralRecognizer(
        joints=store.layout.num_joints,
        channels=store.channels,
        persons=store.max_persons,
        classes=store.num_classes,
        text_dim=recognizer.text_head.fc.out_features,
        width=recognizer.backbone.out_channels // 4,
    )
    model.load_state_dict(as_literal(recognizer.state_dict(), model))
    return model
