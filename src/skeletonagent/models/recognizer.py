"""Recognizer: a backbone with its heads, clips to predictions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.backbones import BACKBONES, Backbone
from skeletonagent.models.settings import PersonPooling


class Prediction(NamedTuple):
    """Outputs of a recognizer's heads; a tuple, so that wrappers of modules find its tensors."""

    logits: Float[Tensor, "n y"]
    """Logits of the classes."""
    joint_logits: Float[Tensor, "n y"]
    """Logits of the classes from each class's salient joints alone."""
    embedding: Float[Tensor, "n d"]
    """Embeddings of the clips in the space of the sentences, not normalised."""


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


class Recognizer(nn.Module):
    """Backbone with a classification head and the heads of the two guidance losses.

    Args:
        backbone: Backbone, clips to features.
        num_classes: Y.
        text_dim: D, width of the sentences' vectors.
        person_pooling: Bodies that count in the means the heads take.
        dropout: Dropout rate before the classification head.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        text_dim: int,
        person_pooling: PersonPooling = PersonPooling.PAPER,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.person_pooling = person_pooling
        self.cls_head = ClassHead(backbone.out_channels, num_classes, dropout)
        self.joint_head = JointConstraintHead(backbone.out_channels)
        self.text_head = AlignmentHead(backbone.out_channels, text_dim)

    def forward(
        self,
        clips: Float[Tensor, "n m t v c"],
        salient: Float[Tensor, "y v"],
        bodies: Int[Tensor, " b"] | None = None,
    ) -> Prediction:
        """Return the outputs of all heads.

        Args:
            clips: Clips with room for M bodies.
            salient: K as a mask, 0 or 1.
            bodies: Bodies that are present, see :class:`~skeletonagent.core.clips.Batch`; others
                are not run, unless absent bodies count. None runs all.
        """
        x_pre = self._pool(clips, bodies)
        pooled = x_pre.mean(dim=-1)
        return Prediction(
            logits=self.cls_head(pooled),
            joint_logits=self.joint_head(x_pre, salient),
            embedding=self.text_head(pooled),
        )

    def features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features that the classification head takes.

        They are averaged over frames, persons and joints.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies that are present, as :meth:`forward` takes them.
        """
        return self._pool(clips, bodies).mean(dim=-1)

    def classify(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return the logits alone: all that inference needs.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies that are present, as :meth:`forward` takes them.
        """
        logits: Tensor = self.cls_head(self.features(clips, bodies))
        return logits

    def _pool(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
    ) -> Float[Tensor, "n d v"]:
        """Return the paper's ``x_pre``: features averaged over frames and persons."""
        bodies = bodies_to_run(self.person_pooling, bodies)
        features = self.backbone(clips, bodies).mean(dim=2)
        return mean_over_persons(features, clips, self.person_pooling, bodies)


def bodies_to_run(
    pooling: PersonPooling, bodies: Int[Tensor, " b"] | None
) -> Int[Tensor, " b"] | None:
    """Return the bodies that must be run: all, where absent ones count."""
    return None if pooling is PersonPooling.RELEASED else bodies


def mean_over_persons(
    features: Float[Tensor, "b *d"],
    clips: Float[Tensor, "n m t v c"],
    pooling: PersonPooling,
    bodies: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "n *d"]:
    """Return the mean of each clip's bodies.

    Args:
        features: Features of the bodies that were run.
        clips: The clips of these bodies.
        pooling: Bodies that count.
        bodies: Bodies that were run; None if all were.
    """
    n, m = clips.shape[:2]
    run = None
    if bodies is not None:
        run = clips.new_zeros(n * m, dtype=torch.bool).index_fill(0, bodies, True).view(n, m)
        features = features.new_zeros(n * m, *features.shape[1:]).index_copy(0, bodies, features)
    weights = person_weights(clips, pooling, run)
    per_body = features.unflatten(0, (n, m))
    mean: Tensor = (per_body * weights.view(n, m, *[1] * (per_body.ndim - 2))).sum(dim=1)
    return mean


def person_weights(
    clips: Float[Tensor, "n m t v c"],
    pooling: PersonPooling,
    run: Bool[Tensor, "n m"] | None = None,
) -> Float[Tensor, "n m"]:
    """Return each body's weight in the mean over persons; the weights of a clip sum to one.

    Args:
        clips: The clips.
        pooling: Bodies that count.
        run: Bodies that have features, at least one a clip; None if all.
    """
    present = clips.ne(0).flatten(2).any(dim=2)
    if pooling is PersonPooling.RELEASED:
        counted = present.new_ones(present.shape)
    else:
        counted = present | ~present.any(dim=1, keepdim=True)
    if run is not None:
        counted = counted & run
    return counted / counted.sum(dim=1, keepdim=True)


def build_recognizer(
    name: str,
    layout: SkeletonLayout,
    *,
    channels: int,
    persons: int,
    num_classes: int,
    text_dim: int,
    width: int | None = None,
    person_pooling: PersonPooling = PersonPooling.PAPER,
    dropout: float = 0.0,
) -> Recognizer:
    """Return a recognizer with the backbone of that name, freshly initialised.

    Args:
        name: A name in :data:`~skeletonagent.models.backbones.BACKBONES`.
        layout: The skeleton of the clips.
        channels: C of the clips.
        persons: M of the clips.
        num_classes: Y.
        text_dim: D, width of the sentences' vectors.
        width: Channels of the backbone's first blocks; None takes the backbone's default.
        person_pooling: Bodies that count in the means the heads take.
        dropout: Dropout rate before the classification head.

    Raises:
        ConfigError: If there is no backbone of that name.
    """
    if name not in BACKBONES:
        raise ConfigError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}")
    spec = BACKBONES[name]
    return Recognizer(
        spec.build(layout, channels, persons, spec.width if width is None else width),
        num_classes=num_classes,
        text_dim=text_dim,
        person_pooling=person_pooling,
        dropout=dropout,
    )
