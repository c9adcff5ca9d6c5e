"""Loss of SkeletonAgent: L = L_cls + alpha L_con + beta L_align (paper eq. 9).

The released code adds the class loss of a body-part mixup of the batch (spec 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.streams import Stream
from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.settings import (
    AlignTargets,
    ClassWeighting,
    LogitScale,
    LossSettings,
)

INITIAL_LOGIT_SCALE = 2.659
"""Initial value of a learned logit scale. Source: spec 0.4, ln(1 / 0.07), not exponentiated."""

TARGET_SHARPNESS = 10.0
"""Factor of the same-class mask in the softmax targets of the released code (spec 2.3)."""


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
    ) -> GuidanceTensors:
        """Return the salient joints of a stream and the embedded sentences.

        Args:
            guidance: Guidance of all classes.
            stream: Input stream of the recognizer, whose joints or bones are meant.
            encode: Text encoder.
            device: Device to put the tensors on; the CPU if None.
        """
        salient, table = guidance.salient(stream).float(), encode(guidance.sentences)
        return cls(salient.to(device), table.to(device))


@dataclass(frozen=True)
class Losses:
    """Losses of a batch, each a mean over its clips."""

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
        return (TARGET_SHARPNESS * same).softmax(dim=1)
    return same / same.sum(dim=1, keepdim=True)


def alignment_loss(
    similarity: Float[Tensor, "n n"], targets: Float[Tensor, "n n"]
) -> Float[Tensor, ""]:
    """Return the mean of both directions' divergence from the targets (paper eqs. 6 to 8).

    The divergence is KL(q || p), which is finite where a target is zero; the paper's KL(p, q)
    read literally is not.

    Args:
        similarity: Cosine of clip ``i`` (row) and the sentence of clip ``j`` (column), scaled.
        targets: Target distributions q, rows summing to one; they are symmetric in clips and
            sentences, so one matrix serves both directions.
    """
    to_text = F.kl_div(similarity.log_softmax(dim=1), targets, reduction="batchmean")
    to_skeleton = F.kl_div(similarity.T.log_softmax(dim=1), targets, reduction="batchmean")
    return (to_text + to_skeleton) / 2


def balanced_class_weights(labels: Int[Tensor, " n"], num_classes: int) -> Float[Tensor, " y"]:
    """Return weights in inverse proportion to the number of clips of each class.

    Their mean over the clips is one; a class without clips has weight zero.

    >>> balanced_class_weights(torch.tensor([0, 0, 0, 1]), num_classes=2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = labels.bincount(minlength=num_classes)
    weights = len(labels) / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 0.0).float()


class SkeletonAgentLoss(nn.Module):
    """Class loss with the joint constraint and the text alignment (paper eq. 9).

    A learned logit scale is a parameter of this module: give ``loss.parameters()`` to the
    optimizer along with the recognizer's.

    Args:
        alpha: Weight of the joint constraint.
        beta: Weight of the alignment with the sentences.
        temperature: Temperature tau of the alignment, if its logit scale is fixed.
        label_smoothing: Share of the class target spread over all classes.
        align_targets: Target distributions of the alignment.
        logit_scale: Factor of the alignment's cosines: fixed at 1 / temperature, or learned.
        mixup: Weight of the class loss of a mixed copy of the batch, see :meth:`add_mixup`.
        class_weights: Weight of each class in class loss and joint constraint, both of which stay
            means over the clips; None counts all alike. Mixed copies are not weighted.

    Examples:
        Four clips of three classes, five joints, sentences embedded in eight dimensions:

        >>> import torch
        >>> from skeletonagent.models.recognizer import Prediction
        >>> from skeletonagent.training.losses import GuidanceTensors
        >>> from skeletonagent.training.losses import SkeletonAgentLoss
        >>> guidance = GuidanceTensors(salient=torch.ones(3, 5), text_table=torch.eye(3, 8))
        >>> prediction = Prediction(
        ...     logits=torch.zeros(4, 3), joint_logits=torch.zeros(4, 3), embedding=torch.ones(4, 8)
        ... )
        >>> loss = SkeletonAgentLoss(alpha=0.2, beta=0.5)
        >>> losses = loss(prediction, torch.tensor([0, 1, 2, 2]), guidance)
        >>> [round(float(value), 3) for value in (losses.cls, losses.con, losses.align)]
        [1.099, 1.099, 1.04]
        >>> round(float(losses.total), 3)
        1.838
    """

    def __init__(
        self,
        alpha: float = 0.2,
        beta: float = 0.5,
        temperature: float = 0.1,
        label_smoothing: float = 0.0,
        align_targets: AlignTargets | str = AlignTargets.SHARED,
        logit_scale: LogitScale | str = LogitScale.FIXED,
        mixup: float = 0.0,
        class_weights: Float[Tensor, " y"] | None = None,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.label_smoothing = label_smoothing
        self.align_targets = AlignTargets(align_targets)
        self.mixup = mixup
        self.class_weights: Tensor | None
        # It follows from the training set: no checkpoint keeps it.
        self.register_buffer("class_weights", class_weights, persistent=False)
        learned = LogitScale(logit_scale) is LogitScale.LEARNED
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE)) if learned else None

    @classmethod
    def from_settings(
        cls,
        settings: LossSettings,
        labels: Int[Tensor, " n"] | None = None,
        num_classes: int = 0,
    ) -> SkeletonAgentLoss:
        """Return the loss of a configuration's ``loss`` section.

        Args:
            settings: Settings of the loss.
            labels: Classes of the training set, validation samples included, which balanced
                weights follow from.
            num_classes: Number of classes.

        Raises:
            ValueError: If balanced weights have no classes to follow from.
        """
        weights = None
        if settings.class_weights is ClassWeighting.BALANCED:
            if labels is None:
                raise ValueError("balanced class weights need the classes of the training set")
            weights = balanced_class_weights(labels, num_classes)
        return cls(
            class_weights=weights,
            alpha=settings.alpha,
            beta=settings.beta,
            temperature=settings.temperature,
            label_smoothing=settings.label_smoothing,
            align_targets=settings.align_targets,
            logit_scale=settings.logit_scale,
            mixup=settings.mixup,
        )

    def forward(
        self, prediction: Prediction, labels: Int[Tensor, " n"], guidance: GuidanceTensors
    ) -> Losses:
        """Return the losses of a batch.

        Args:
            prediction: Outputs of the recognizer's heads.
            labels: True classes.
            guidance: Guidance whose sentences the embeddings are aligned with; its salient joints
                are in the prediction's joint logits already.
        """
        cls = self._cross_entropy(prediction.logits, labels, self.label_smoothing)
        # One similarity to the Y sentences, then a gather, instead of embedding N of them.
        cosine = F.normalize(prediction.embedding.float(), dim=1) @ guidance.text_table.T
        similarity = self._scale(cosine[:, labels])
        con = self._cross_entropy(prediction.joint_logits, labels)
        align = alignment_loss(similarity, alignment_targets(labels, self.align_targets))
        return Losses(cls, con, align, cls + (self.alpha * con + self.beta * align))

    def add_mixup(
        self, losses: Losses, logits: Float[Tensor, "n y"], targets: Float[Tensor, "n y"]
    ) -> Losses:
        """Return the losses with the class loss of a mixed copy of the batch added to the total.

        Args:
            losses: Losses of the batch itself.
            logits: Class logits of the mixed clips.
            targets: Share of each class in the mixed clips.
        """
        return replace(losses, total=losses.total + self.mixup * F.cross_entropy(logits, targets))

    def _cross_entropy(
        self, logits: Float[Tensor, "n y"], labels: Int[Tensor, " n"], smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """Return the mean over the clips, each with the weight of its class."""
        if self.class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)
        each = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return (self.class_weights[labels] * each).mean()

    def _scale(self, cosine: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
        if self.logit_scale is None:
            return cosine / self.temperature
        return cosine * self.logit_scale
