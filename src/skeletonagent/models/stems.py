"""Stems: what normalises clips and takes the bodies apart."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class EmbeddingStem(nn.Module):
    """Embed each joint, mark which it is, and normalise over persons, joints and channels.

    The normalisation takes away any constant of a joint and channel, and with it the position
    and the embedding's bias, so that neither learns. Both are kept because the released
    weights were recorded with them: their running means contain them. Source: spec 0.1, 1.1.
    """

    def __init__(self, joints: int, channels: int, persons: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.position = nn.Parameter(torch.randn(joints, width))
        self.norm = nn.BatchNorm1d(persons * joints * width)

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "b w t v"]:
        """Return the embedded bodies."""
        n, m, t, v, _ = clips.shape
        embedded: Tensor = self.embed(clips)
        marked = embedded + self.position.to(embedded.dtype)  # autocast would promote the sum
        normed: Tensor = self.norm(marked.permute(0, 1, 3, 4, 2).flatten(1, 3))
        return normed.view(n * m, v, -1, t).permute(0, 2, 3, 1).contiguous()


class PlainStem(nn.Module):
    """Normalise over joints and channels.

    Args:
        joints: V.
        channels: C.
        persons: Persons who are normalised each by itself; with one, all are alike, and there
            may be any number of them.
    """

    def __init__(self, joints: int, channels: int, persons: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(persons * joints * channels)

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "b c t v"]:
        """Return the normalised bodies."""
        n, m, t, v, c = clips.shape
        signals = clips.permute(0, 1, 3, 4, 2).reshape(-1, self.norm.num_features, t)
        normed: Tensor = self.norm(signals)
        return normed.view(n * m, v, c, t).permute(0, 2, 3, 1).contiguous()
