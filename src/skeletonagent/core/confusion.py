"""Online confusion matrix H of the paper, which the recognizer passes to the agents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Confusions:
    """Confusion counts of one epoch.

    The tensor lies on the training device and is added to in place, so that counting never makes
    the host wait for the device.

    Args:
        counts: Counts; ``[m, n]`` is samples of class ``m`` predicted as ``n``.

    >>> confusions = Confusions.empty(2)
    >>> confusions.add(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    >>> confusions.counts.tolist(), round(confusions.accuracy, 2)
    ([[1, 1], [0, 1]], 0.67)
    """

    counts: Int[Tensor, "y y"]

    @classmethod
    def empty(cls, num_classes: int, device: torch.device | None = None) -> Confusions:
        """Return zero counts."""
        return cls(torch.zeros(num_classes, num_classes, dtype=torch.long, device=device))

    def add(self, labels: Int[Tensor, " n"], predictions: Int[Tensor, " n"]) -> None:
        """Count predictions, on the device."""
        y = self.counts.shape[0]
        self.counts.view(-1).index_add_(0, labels * y + predictions, torch.ones_like(labels))

    @property
    def accuracy(self) -> float:
        """Share of right predictions, 0 if nothing was counted."""
        return float(self.counts.diagonal().sum() / self.counts.sum().clamp(min=1))


def similar_classes(
    confusions: Int[Tensor, "y y"], k: int, padded: bool = False
) -> list[tuple[int, ...]]:
    """Return the classes each class is most often mistaken for (paper eq. 3).

    Args:
        confusions: Counts; ``[m, n]`` is samples of class ``m`` predicted as ``n``.
        k: Largest size of a set.
        padded: Whether sets are filled up to ``k``, see below.

    Returns:
        One tuple per class, most confused first, ties by index. Classes never predicted by
        mistake are left out, so a class without errors gets ``()``. If padded, the first of
        these and of the class itself fill the set, and all are in the order of their index, as
        in the released code (spec 2.3).

    Raises:
        ValueError: If ``k`` is not positive.

    >>> similar_classes(torch.tensor([[5, 1, 3], [0, 9, 0], [2, 0, 7]]), k=2)
    [(2, 1), (), (0,)]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    mistakes = confusions.detach().cpu().clone()
    mistakes.fill_diagonal_(0)
    ordered = mistakes.sort(dim=1, descending=True, stable=True)
    counts, order = ordered.values[:, :k].tolist(), ordered.indices[:, :k].tolist()
    if padded:
        return [tuple(sorted(row)) for row in order]
    return [
        tuple(label for label, count in zip(*row, strict=True) if count > 0)
        for row in zip(order, counts, strict=True)
    ]
