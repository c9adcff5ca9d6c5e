"""The training objective: L = L_cls + alpha L_con + beta L_align (paper eq. 9).

The released code's adds the class loss of a mixed copy of the batch (spec 2.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.emphasis import Contrast, among_rivals
from skeletonagent.training.settings import AlignTargets, LogitScale, LossSettings

LEARNED_SCALE = 2.659
"""What a learned scale starts from. Source: spec 0.4, ln(1 / 0.07), and no exponential of it."""

SHARPNESS = 10.0
"""How far apart the released targets put a pair of the same class and any other (spec 2.3)."""


@dataclass(frozen=True)
class Losses:
    """The losses of a batch, each a mean over its clips."""

    cls: Float[Tensor, ""]
    con: Float[Tensor, ""]
    align: Float[Tensor, ""]
    total: Float[Tensor, ""]


def alignment_targets(
    labels: Int[Tensor, " n"], targets: AlignTargets = AlignTargets.SHARED
) -> Float[Tensor, "n n"]:
    """Return the target distributions q of the alignment (paper eq. 8), a row for each clip.

    Clip ``i`` and the sentence of clip ``j`` belong together when their classes are the same.
    The paper gives each such pair probability one; with several in a row they share it.
    """
    same = (labels[:, None] == labels).float()
    if targets is AlignTargets.SOFTMAX:
        return (SHARPNESS * same).softmax(dim=1)
    return same / same.sum(dim=1, keepdim=True)


def alignment_loss(
    similarity: Float[Tensor, "n n"], targets: Float[Tensor, "n n"]
) -> Float[Tensor, ""]:
    """Return the mean of both directions' divergence from the targets (paper eqs. 6 to 8).

    The divergence is KL(q || p), which is finite where a target is zero; the paper's KL(p, q)
    read literally is not.

    Args:
        similarity: Cosine of clip ``i`` (row) and the sentence of clip ``j`` (column), scaled.
        targets: q, rows summing to one; what holds for clip ``i`` and the sentences holds for the
            sentence of clip ``i`` and the clips, so one serves both directions.
    """
    to_text = F.kl_div(similarity.log_softmax(dim=1), targets, reduction="batchmean")
    to_skeleton = F.kl_div(similarity.T.log_softmax(dim=1), targets, reduction="batchmean")
    return (to_text + to_skeleton) / 2


class CosineScaling(nn.Module):
    """Divide cosines by the temperature, or multiply them by a factor that is learned."""

    def __init__(self, settings: LossSettings) -> None:
        super().__init__()
        self.temperature = settings.temperature
        learned = settings.logit_scale is LogitScale.LEARNED
        self.factor = nn.Parameter(torch.tensor(LEARNED_SCALE)) if learned else None

    def forward(self, cosine: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """Return the cosines scaled."""
        return cosine / self.temperature if self.factor is None else cosine * self.factor


@dataclass(frozen=True)
class SkeletonAgentLoss:
    """Judge predictions by the class, the salient joints and the distinguishing sentences.

    Args:
        settings: Weights of the losses.
        scaling: Of the cosines; what of it is learned has to be in the optimizer.
    """

    settings: LossSettings
    scaling: CosineScaling = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Start the scaling."""
        object.__setattr__(self, "scaling", CosineScaling(self.settings))

    def __call__(
        self,
        prediction: Prediction,
        labels: Int[Tensor, " n"],
        text_table: Float[Tensor, "y d"],
        rivals: Bool[Tensor, "y y"] | None = None,
        weight: Float[Tensor, ""] | float = 1.0,
    ) -> Losses:
        """Return the losses of a batch.

        Args:
            prediction: What the recognizer says.
            labels: True classes.
            text_table: Embedding of each class's sentence, rows of length one.
            rivals: Whether the class of a row is confused with that of a column; None where
                nothing is known of it.
            weight: By what both losses of the guidance are multiplied.
        """
        settings = self.settings
        cls = F.cross_entropy(prediction.logits, labels, label_smoothing=settings.label_smoothing)
        joint_logits = prediction.joint_logits
        # one similarity to the Y sentences, then a gather, instead of embedding N of them
        cosine = F.normalize(prediction.embedding.float(), dim=1) @ text_table.T
        similarity = self.scaling(cosine[:, labels])
        if rivals is not None and settings.contrast is Contrast.RIVALS:
            joint_logits = among_rivals(joint_logits, labels, rivals)
        if rivals is not None and settings.rival_weight != 1:
            similarity = similarity + math.log(settings.rival_weight) * rivals[labels][:, labels]
        con = F.cross_entropy(joint_logits, labels)
        align = alignment_loss(similarity, alignment_targets(labels, settings.align_targets))
        guided = settings.alpha * con + settings.beta * align
        return Losses(cls, con, align, cls + weight * guided)

    def with_copy(
        self, losses: Losses, logits: Float[Tensor, "n y"], targets: Float[Tensor, "n y"]
    ) -> Losses:
        """Return the losses of a batch with that of its mixed copy in their total.

        Args:
            losses: Of the batch.
            logits: Class scores of the mixed clips.
            targets: Each class's share in them.
        """
        mixed = F.cross_entropy(logits, targets)
        return replace(losses, total=losses.total + self.settings.mixup * mixed)


def step_losses(losses: Losses) -> Float[Tensor, "4"]:
    """Return the losses as one detached vector (cls, con, align, total), to be summed up."""
    return torch.stack([losses.cls, losses.con, losses.align, losses.total]).detach().float()
