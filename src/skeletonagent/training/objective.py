"""The training objective: L = L_cls + alpha L_con + beta L_align (paper eq. 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Interval
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.models.recognizer import Prediction


@dataclass(frozen=True)
class ObjectiveSettings:
    """Weights of the losses.

    Args:
        alpha: Weight of the joint constraint.
        beta: Weight of the alignment with the sentences.
        temperature: tau of the alignment.
        label_smoothing: Share of the class target spread over all classes.
    """

    alpha: Annotated[float, Ge(0)] = 0.2
    beta: Annotated[float, Ge(0)] = 0.5
    temperature: Annotated[float, Gt(0)] = 0.1
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0


@dataclass(frozen=True)
class Losses:
    """The losses of a batch, each a mean over its clips."""

    cls: Float[Tensor, ""]
    con: Float[Tensor, ""]
    align: Float[Tensor, ""]
    total: Float[Tensor, ""]


def positive_pairs(labels: Int[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """Return the target distributions q of the alignment (paper eq. 8).

    Clip ``i`` and the sentence of clip ``j`` belong together when their classes are the same.
    The paper gives each such pair probability one; with several in a row they share it.
    """
    same = (labels[:, None] == labels).float()
    return same / same.sum(dim=1, keepdim=True)


def alignment_loss(
    similarity: Float[Tensor, "n n"], targets: Float[Tensor, "n n"]
) -> Float[Tensor, ""]:
    """Return the mean of both directions' divergence from the targets (paper eqs. 6 to 8).

    The divergence is KL(q || p), which is finite where a target is zero; the paper's KL(p, q)
    read literally is not.

    Args:
        similarity: Cosine of clip ``i`` (row) and the sentence of clip ``j`` (column), divided by
            the temperature.
        targets: q, rows summing to one; symmetric, so one serves both directions.
    """
    to_text = F.kl_div(similarity.log_softmax(dim=1), targets, reduction="batchmean")
    to_skeleton = F.kl_div(similarity.T.log_softmax(dim=1), targets, reduction="batchmean")
    return (to_text + to_skeleton) / 2


@dataclass(frozen=True)
class Objective:
    """Judge predictions by the class, the salient joints and the distinguishing sentences."""

    settings: ObjectiveSettings

    def __call__(
        self,
        prediction: Prediction,
        labels: Int[Tensor, " n"],
        text_table: Float[Tensor, "y d"],
    ) -> Losses:
        """Return the losses of a batch.

        Args:
            prediction: What the recognizer says.
            labels: True classes.
            text_table: Embedding of each class's sentence, rows of length one.
        """
        settings = self.settings
        cls = F.cross_entropy(prediction.logits, labels, label_smoothing=settings.label_smoothing)
        con = F.cross_entropy(prediction.joint_logits, labels)
        # one similarity to the Y sentences, then a gather, instead of embedding N of them
        cosine = F.normalize(prediction.embedding.float(), dim=1) @ text_table.T
        align = alignment_loss(cosine[:, labels] / settings.temperature, positive_pairs(labels))
        total = cls + settings.alpha * con + settings.beta * align
        return Losses(cls, con, align, total)


def step_losses(losses: Losses) -> Float[Tensor, "4"]:
    """Return the losses as one detached vector (cls, con, align, total), to be summed up."""
    return torch.stack([losses.cls, losses.con, losses.align, losses.total]).detach().float()
