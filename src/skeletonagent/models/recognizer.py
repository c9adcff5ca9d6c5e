"""Recognizer: a backbone with its readout and its heads, clips to predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.suggestions import did_you_mean
from skeletonagent.models.backbones import BACKBONES, Backbone
from skeletonagent.models.bodies_alone import added_features
from skeletonagent.models.inputs import InputFeatures
from skeletonagent.models.person_pooling import bodies_to_run
from skeletonagent.models.readouts import MeanReadout, Pooled, Readout, build_readout
from skeletonagent.models.settings import InputFeature, PersonPooling, ReadoutKind


class Prediction(NamedTuple):
    """Outputs of a recognizer's heads; a tuple, so that wrappers of modules find its tensors."""

    logits: Float[Tensor, "n y"]
    """Logits of the classes."""
    joint_logits: Float[Tensor, "n y"]
    """Logits of the classes from each class's salient joints alone."""
    embedding: Float[Tensor, "n d"]
    """Embeddings of the clips in the space of the sentences, not normalised."""


class ClassHead(nn.Module):
    """Linear classification of a clip's features."""

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
        """Return the logits of the classes; ``x_pre`` is pooled over persons and frames."""
        joint_logits = (self.fc.weight @ x_pre).squeeze(1)  # N V
        # The bias once for each class, not for each joint: Proj follows the sum over the joints.
        return joint_logits @ salient.T + self.fc.bias


class AlignmentHead(nn.Module):
    """Projection of a clip's features to the sentences' space.

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
    """Backbone with a readout, a classification head and the heads of the two guidance losses.

    Args:
        backbone: Backbone, clips to maps.
        num_classes: Y.
        text_dim: D, width of the sentences' vectors.
        inputs: Features of the clips that the backbone takes; None gives it the clips.
        readout: Readout, maps to features; None takes the mean.
        person_pooling: Bodies that count in the means over persons.
        dropout: Dropout rate before the classification head.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        text_dim: int,
        inputs: InputFeatures | None = None,
        readout: Readout | None = None,
        person_pooling: PersonPooling = PersonPooling.PAPER,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.backbone = backbone
        self.readout = readout or MeanReadout(backbone.out_channels)
        self.person_pooling = person_pooling
        channels = self.readout.out_channels
        self.cls_head = ClassHead(channels, num_classes, dropout)
        self.joint_head = JointConstraintHead(backbone.out_channels)
        self.text_head = AlignmentHead(channels, text_dim)
        self.center_alone: int | None = None
        """Joint that stands for the place of a body, in a recognizer of one body that is given
        clips of several and encodes each body by itself; None in others."""

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
        x_pre, features = self._pool(clips, bodies)
        return Prediction(
            logits=self.cls_head(features),
            joint_logits=self.joint_head(x_pre, salient),
            embedding=self.text_head(features),
        )

    def features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features that the classification head takes.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies that are present, as :meth:`forward` takes them.
        """
        if self.center_alone is None:
            return self._pool(clips, bodies).features
        return added_features(
            lambda alone: self._pool(alone, None).features, clips, bodies, self.center_alone
        )

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

    def _pool(self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None) -> Pooled:
        bodies = bodies_to_run(self.person_pooling, bodies)
        inputs = [clips] if self.inputs is None else self.inputs(clips)
        maps = self.backbone(join_inputs(inputs), bodies)
        pooled: Pooled = self.readout(maps, inputs, clips, self.person_pooling, bodies)
        return pooled


def join_inputs(inputs: Sequence[Float[Tensor, "n m t v _"]]) -> Float[Tensor, "n m t v f"]:
    """Return the inputs side by side, as a backbone takes them."""
    return inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=-1)


def build_recognizer(
    name: str,
    layout: SkeletonLayout,
    *,
    channels: int,
    persons: int,
    num_classes: int,
    text_dim: int,
    width: int | None = None,
    inputs: Sequence[str] = (),
    readout: str = ReadoutKind.MEAN,
    readout_width: int | None = None,
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
        inputs: Features of the clips that the backbone takes; none gives it the clips.
        readout: Way from the backbone's maps to features.
        readout_width: Width of the readout; None takes the readout's default.
        person_pooling: Bodies that count in the means over persons.
        dropout: Dropout rate before the classification head.

    Raises:
        ConfigError: If there is no backbone, input or readout of that name, or if there is
            nothing in the inputs.
        ValueError: If a width cannot be.
    """
    for noun, names, known in (
        ("backbone", [name], list(BACKBONES)),
        ("input", inputs, list(InputFeature)),
        ("readout", [readout], list(ReadoutKind)),
    ):
        for unknown in set(names).difference(known):
            near = did_you_mean(unknown, known)
            raise ConfigError(f"no {noun} {unknown!r}; {near}there are {', '.join(known)}")
    spec = BACKBONES[name]
    features = (
        InputFeatures(layout, channels, persons, [InputFeature(one) for one in inputs])
        if inputs
        else None
    )
    sizes = features.channels if features else (channels,)
    if not sum(sizes):
        raise ConfigError(f"no channels in inputs {', '.join(inputs)} of one person; add position")
    backbone = spec.build(layout, sum(sizes), persons, spec.width if width is None else width)
    return Recognizer(
        backbone,
        num_classes=num_classes,
        text_dim=text_dim,
        inputs=features,
        readout=build_readout(
            ReadoutKind(readout),
            backbone.out_channels,
            layout.num_joints,
            persons,
            sizes,
            readout_width,
        ),
        person_pooling=person_pooling,
        dropout=dropout,
    )
