"""Guidance as tensors: what the losses take of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.streams import Stream
from skeletonagent.training.emphasis import Schedule, weighted
from skeletonagent.training.settings import LossSettings

Encode = Callable[[Sequence[str]], Float[Tensor, "y d"]]
"""The text encoder, seen from the loop."""

PAPER = LossSettings()
"""What the paper takes of the guidance: all of it, as it is."""


@dataclass(frozen=True)
class GuidanceTensors:
    """Guidance as tensors on the training device.

    Args:
        salient: K as a mask, or with the weights of its joints.
        text_table: Embedding of each class's sentence, rows of length one.
        rivals: Whether the class of a row is confused with that of a column.
        weight: By what both losses of the guidance are multiplied.
    """

    salient: Float[Tensor, "y v"]
    text_table: Float[Tensor, "y d"]
    rivals: Bool[Tensor, "y y"]
    weight: Float[Tensor, ""]

    @classmethod
    def of(
        cls,
        guidance: Guidance,
        stream: Stream,
        encode: Encode,
        device: torch.device,
        settings: LossSettings = PAPER,
    ) -> GuidanceTensors:
        """Return the salient joints of a stream, the embedded sentences and the rivals."""
        salient, table = guidance.salient(stream), encode(guidance.sentences)
        if settings.shuffle_guidance:
            # Half the classes on: those next to each other are often alike.
            salient, table = (rows.roll(len(rows) // 2, dims=0) for rows in (salient, table))
        return cls(
            weighted(salient, settings.joints).to(device),
            (centred(table) if settings.centred else table).to(device),
            rivalry(guidance).to(device),
            torch.ones((), device=device),
        )

    def at(self, progress: float, schedule: Schedule) -> GuidanceTensors:
        """Return the same as it counts after a share of the training."""
        return replace(self, weight=torch.full_like(self.weight, schedule.factor(progress)))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All fields in their order, from which the same can be built again."""
        return tuple(getattr(self, each.name) for each in fields(self))


def centred(table: Float[Tensor, "y d"]) -> Float[Tensor, "y d"]:
    """Return embeddings without their mean, of length one again; zero if all are the same."""
    return functional.normalize(table - table.mean(dim=0), dim=1, eps=1e-6)


def rivalry(guidance: Guidance) -> Bool[Tensor, "y y"]:
    """Return for each class (row) which ones its latest question was about."""
    index = {known.action: label for label, known in enumerate(guidance.classes)}
    mask = torch.zeros(len(guidance.classes), len(guidance.classes), dtype=torch.bool)
    for label, known in enumerate(guidance.classes):
        for name in known.rivals:
            mask[label, index[name]] = index[name] != label
    return mask
