"""A recognizer and what it is judged by, as one module: clips in, losses out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.models.recognizer import Prediction, Recognizer
from skeletonagent.training.objective import Objective
from skeletonagent.training.signals import GuidanceSignals


class Judgement(NamedTuple):
    """What a batch comes to; a tuple, so that wrappers of modules can look inside."""

    logits: Float[Tensor, "n y"]
    """Class scores of the clips as they are, not of their mixed copies."""
    losses: Float[Tensor, "4"]
    """cls, con, align and total, each a mean over the clips."""


class Judged(nn.Module):
    """A recognizer with its objective.

    All that gradients change is below one module, so that whatever wraps modules (processes that
    average gradients, compilers, graphs) takes in all of it.

    Args:
        recognizer: What learns.
        objective: What it is judged by; its learned scale, if it has one, learns as well.
    """

    def __init__(self, recognizer: Recognizer, objective: Objective) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.scaling = objective.scaling
        self.objective = objective

    def forward(
        self,
        clips: Float[Tensor, "n m t v c"],
        labels: Int[Tensor, " n"],
        bodies: Int[Tensor, " b"] | None,
        mixed: Float[Tensor, "n m t v c"] | None,
        targets: Float[Tensor, "n y"] | None,
        *signals: Tensor,
    ) -> Judgement:
        """Return class scores and losses of a batch; a mixed copy has a share in the total.

        Batch and copy go through the recognizer together, so that they have their statistics in
        common.

        Args:
            clips: The batch.
            labels: True classes.
            bodies: Which bodies are there, see :class:`~skeletonagent.core.clips.Batch`.
            mixed: Mixed copies of the clips, which are learned from as well.
            targets: Each class's share in them.
            signals: The guidance, see :attr:`GuidanceSignals.tensors`.
        """
        told = GuidanceSignals(*signals)
        n = len(labels)
        whole = clips if mixed is None else torch.cat([clips, mixed])
        prediction: Prediction = self.recognizer(whole, told.salient, bodies)
        clean = Prediction(*(part[:n] for part in prediction))
        losses = self.objective(clean, labels, told.text_table, told.rivals, told.weight)
        if targets is not None:
            losses = self.objective.with_copy(losses, prediction.logits[n:], targets)
        return Judgement(
            clean.logits, torch.stack([losses.cls, losses.con, losses.align, losses.total]).float()
        )
