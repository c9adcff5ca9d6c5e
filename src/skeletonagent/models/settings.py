"""Settings of the section ``model``: backbone, inputs, readout, pooling over persons, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Interval


class PersonPooling(StrEnum):
    """Bodies that count in the mean over persons.

    ``paper``: those that are present; an absent body is all zeros, and where nobody is present
    all count. ``released``: all, absent ones too, as in the authors' code (spec 1.4).
    """

    PAPER = "paper"
    RELEASED = "released"


class InputFeature(StrEnum):
    """Feature of every joint and frame that a recognizer computes from its clips.

    - ``position``: the clip as it is, in the stream of the settings.
    - ``bone``: the joint minus its parent.
    - ``motion``: the difference to the next frame.
    - ``long_motion``: the difference over four frames.
    - ``distance``: the distances to the other joints of the body.
    - ``partner``: the distances to the joints of the next body; nothing for single persons.
    """

    POSITION = "position"
    BONE = "bone"
    MOTION = "motion"
    LONG_MOTION = "long_motion"
    DISTANCE = "distance"
    PARTNER = "partner"


class ReadoutKind(StrEnum):
    """Way from the maps of every joint and frame to the features of a clip.

    - ``mean``: the mean over persons, frames and joints (the paper).
    - ``joints``: the maximum over frames, then a layer with weights of its own for every joint.
    - ``temporal``: convolutions over time that see all joints side by side, then the maximum over
      frames.
    """

    MEAN = "mean"
    JOINTS = "joints"
    TEMPORAL = "temporal"


class ClaimSource(StrEnum):
    """Where the claims come from that count beside what samples say.

    ``auto``: from a language model that was asked during the training; for classes of which it
    claimed nothing, or if none was asked, from the bundled notes on actions of the same names.
    ``none``: from nowhere.
    """

    AUTO = "auto"
    NONE = "none"


@dataclass(frozen=True)
class KernelRidgeSettings:
    """Kernel ridge classifier of whole samples beside the network.

    Args:
        weight: Weight of its log probabilities where the network's is 1; with 0 there is none, nor
            with more training samples than it is fitted to.
        claims: Claims about the classes that count beside what the samples say, with a weight
            that left-out samples decide: ``auto`` or ``none``.
        base: Base whose features tell samples apart beside what the samples show: ``none``, the
            run of a pre-training, or ``base`` for that of the package; ``auto`` takes the latter
            where there are few samples of a class, of one person or of two in 3D.
    """

    weight: Annotated[float, Ge(0)] = 0.0
    claims: ClaimSource = ClaimSource.AUTO
    base: str = "none"


@dataclass(frozen=True)
class ModelSettings:
    """Recognizer.

    Args:
        backbone: Name in the table of backbones: ``skeletonagent``, ``dg-stgcn``, ``stgcn++``,
            ``ctr-gcn``, ``tiny-gcn`` or ``joint-cnn``.
        width: Channels of the backbone's first blocks; none takes the backbone's default.
        inputs: Features of the clips that are the backbone's input, side by side (early fusion);
            none gives it the clips alone.
        readout: Way from the backbone's maps to the features of a clip.
        readout_width: Width of the readout; none takes the readout's default.
        person_pooling: Bodies that count in the mean over persons: those present (``paper``) or
            all (``released``).
        dropout: Dropout rate before the classification head.
    """

    backbone: str = "skeletonagent"
    width: Annotated[int, Ge(1)] | None = None
    inputs: tuple[InputFeature, ...] = ()
    readout: ReadoutKind = ReadoutKind.MEAN
    readout_width: Annotated[int, Ge(1)] | None = None
    person_pooling: PersonPooling = PersonPooling.PAPER
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
