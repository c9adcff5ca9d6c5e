"""Heads: pooled features to logits, joint-constrained logits and an embedding."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class ClassHead(nn.Module):
    """Linear classification of the mean over persons, frames and joints."""

    def __init__(self, channels: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, pooled: Float[Tensor, "n d"]) -> Float[Tensor, "n y"]:
        """Return the logits of the classes."""
        logits: Tensor = self.fc(self.dropout(pooled))
        return logits


class JointConstraintHead(nn.Module):
    """Classification of every class from its own salient joints (paper eq. 4).

    A row of K is all ones (salient) or all zeros, so ``x_pre @ K`` only sums salient joints.
    Scoring joints first and masking after is equal, and needs no ``N Y C V`` tensor.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 1)

    def forward(
        self, x_pre: Float[Tensor, "n d v"], salient: Float[Tensor, "y v"]
    ) -> Float[Tensor, "n y"]:
        """Return the logits of the classes; ``x_pre`` is the mean over persons and frames."""
        joint_logits = (self.fc.weight @ x_pre).squeeze(1)  # N V
        # The bias once for each class, not for each joint: Proj follows the sum over the joints.
        return joint_logits @ salient.T + self.fc.bias


class AlignmentHead(nn.Module):
    """Projection of the mean over persons, frames and joints to the sentences' space.

    Source: paper eq. 6 and 7, ``s``.
    """

    def __init__(self, channels: int, text_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, text_dim)
        nn.init.kaiming_normal_(self.fc.weight, mode="fan_out")
        nn.init.zeros_(self.fc.bias)

    def forward(self, pooled: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """Return embeddings, not normalised."""
        embedding: Tensor = self.fc(pooled)
        return embedding
