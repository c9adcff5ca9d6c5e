"""Stems: the first layers of a backbone, which normalise clips and separate the bodies.

A clip has room for M bodies. Those that are run, all or only some, become samples of their own;
``b`` is their number, and a body's slot is its index in its clip.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.models.batch_norm import PersonBatchNorm, SlotStatistics, batch_moments

_AUTOCAST_DEVICES = frozenset(
    filter(torch.amp.is_autocast_available, ("cpu", "cuda", "mps", "xpu", "hpu", "mtia"))
)
"""Kinds of devices with autocast, asked once: torch.compile cannot trace the question."""


class EmbeddingStem(nn.Module):
    """Linear embedding of each joint with its position, normalised over persons and joints.

    The normalisation subtracts any constant of a joint and channel, and with it the position
    and the embedding's bias, so that neither learns. Both are kept because the released
    weights were recorded with them: their running means contain them. Source: spec 0.1, 1.1.

    An embedding is linear, so its mean and variance follow from the mean and the covariance of
    the C coordinates: ``W mu + b`` and ``diag(W Sigma W')``. Embedding and normalisation
    together are one affine map for each slot and joint, and the W channels are written once.
    """

    def __init__(self, joints: int, channels: int, persons: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.position = nn.Parameter(torch.randn(joints, width))
        self.norm = PersonBatchNorm(persons * joints * width)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b w t v"]:
        """Return the embedded bodies; see :class:`~skeletonagent.models.backbones.Backbone`."""
        joints, slots = split_persons(clips, bodies)
        device = joints.device.type
        if not (device in _AUTOCAST_DEVICES and torch.is_autocast_enabled(device)):
            return self._embed(joints, slots, clips.shape[1]).contiguous()
        with torch.autocast(device, enabled=False):
            embedded = self._embed(joints, slots, clips.shape[1])
        # Written once, as the blocks need it: a map left in float32 would make theirs float32.
        dtype = torch.get_autocast_dtype(device)
        cast: Tensor = embedded.to(dtype, memory_format=torch.contiguous_format)
        return cast

    def _embed(
        self, joints: Float[Tensor, "b t v c"], slots: Int[Tensor, " b"], persons: int
    ) -> Float[Tensor, "b w t v"]:
        matrix, offset = self.affine(joints, slots, persons)
        embedded: Tensor = torch.baddbmm(
            offset[slots].flatten(0, 1)[..., None],
            matrix[slots].flatten(0, 1),
            joints.permute(0, 2, 3, 1).flatten(0, 1),
        ).unflatten(0, (-1, joints.shape[2]))
        return embedded.permute(0, 2, 3, 1)

    def affine(
        self, joints: Float[Tensor, "b t v c"], slots: Int[Tensor, " b"], persons: int
    ) -> tuple[Float[Tensor, "m v w c"], Float[Tensor, "m v w"]]:
        """Return the matrix that each slot's joints are multiplied by, and the offset added.

        In training the statistics are those of these bodies, else the running ones.
        """
        embed, norm = self.embed.weight, self.norm
        constant = self.embed.bias + self.position  # v w
        statistics: SlotStatistics | None = None
        if norm.training:
            frames, mean, covariance = batch_moments(joints, slots, persons, norm.all_reduce)
            embedded_mean = (mean[:, :, None] * embed).sum(dim=-1) + constant
            rows = (covariance[:, :, None] * embed[:, None]).sum(dim=-1)  # of W Sigma
            statistics = SlotStatistics(frames, embedded_mean, (rows * embed).sum(dim=-1))
        middle, scale, bias = norm(statistics, (persons, *constant.shape))
        return scale[..., None] * embed, bias + scale * (constant - middle)


class BatchNormStem(nn.Module):
    """Batch normalisation over joints and channels.

    Args:
        joints: V.
        channels: C.
        persons: Persons who are normalised each by itself; with one, all are normalised alike,
            and there may be any number of them.
    """

    def __init__(self, joints: int, channels: int, persons: int = 1) -> None:
        super().__init__()
        self.persons = persons
        self.norm = PersonBatchNorm(persons * joints * channels)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b c t v"]:
        """Return the normalised bodies; see :class:`~skeletonagent.models.backbones.Backbone`."""
        joints, slots = split_persons(clips, bodies)
        persons = 1 if self.persons == 1 else clips.shape[1]
        slots = slots % persons
        norm = self.norm
        statistics: SlotStatistics | None = None
        if norm.training:
            frames, mean, covariance = batch_moments(joints, slots, persons, norm.all_reduce)
            statistics = SlotStatistics(frames, mean, covariance.diagonal(dim1=-2, dim2=-1))
        middle, scale, bias = norm(statistics, (persons, *joints.shape[2:]))
        normed: Tensor = (joints - middle[slots][:, None]) * scale[slots][:, None] + bias[slots][
            :, None
        ]
        return normed.permute(0, 3, 1, 2).contiguous()


def split_persons(
    clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
) -> tuple[Float[Tensor, "a t v c"], Int[Tensor, " a"]]:
    """Return the bodies that are run in float32, and the slot of each."""
    joints = clips.flatten(0, 1).float()
    if bodies is None:
        bodies = torch.arange(joints.shape[0], device=clips.device)
    else:
        joints = joints[bodies]
    return joints, bodies % clips.shape[1]
