"""Guidance as tensors: what the losses take of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.streams import Stream

Encode = Callable[[Sequence[str]], Float[Tensor, "y d"]]
"""The text encoder, seen from the loop."""


@dataclass(frozen=True)
class GuidanceSignals:
    """Guidance as tensors on the training device.

    Args:
        salient: K as a mask, 0 or 1.
        text_table: Embedding of each class's sentence, rows of length one.
    """

    salient: Float[Tensor, "y v"]
    text_table: Float[Tensor, "y d"]

    @classmethod
    def of(
        cls, guidance: Guidance, stream: Stream, encode: Encode, device: torch.device
    ) -> GuidanceSignals:
        """Return the mask of a stream and the embedded sentences."""
        salient = guidance.salient(stream).float()
        return cls(salient.to(device), encode(guidance.sentences).to(device))
