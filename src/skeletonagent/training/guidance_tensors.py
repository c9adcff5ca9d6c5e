"""Guidance as tensors on the training device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.streams import Stream

Encode = Callable[[Sequence[str]], Float[Tensor, "y d"]]
"""Text encoder: sentences to rows of length one."""


class GuidanceTensors(NamedTuple):
    """Salient joints and embedded sentences of all classes, as the losses take them.

    Args:
        salient: K as a mask, 1 where a joint is salient for a class and 0 elsewhere.
        text_table: Embedding of each class's sentence, rows of length one.
    """

    salient: Float[Tensor, "y v"]
    text_table: Float[Tensor, "y d"]

    @classmethod
    def from_guidance(
        cls,
        guidance: Guidance,
        stream: Stream,
        encode: Encode,
        device: torch.device | None = None,
        *,
        shuffle: bool = False,
    ) -> GuidanceTensors:
        """Return the salient joints of a stream and the embedded sentences.

        Args:
            guidance: Guidance of all classes.
            stream: Input stream of the recognizer, whose joints or bones are meant.
            encode: Text encoder.
            device: Device to put the tensors on; the CPU if None.
            shuffle: Whether each class gets joints and sentence of another class, the same one
                all the time: the control of a study.
        """
        salient, table = guidance.salient(stream).float(), encode(guidance.sentences)
        if shuffle:
            # Half the classes on: neighbours are often alike.
            salient, table = (rows.roll(len(rows) // 2, dims=0) for rows in (salient, table))
        return cls(salient.to(device), table.to(device))
