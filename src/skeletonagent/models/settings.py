"""Settings of the section ``model``: backbone, its width, pooling over persons, dropout."""

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


@dataclass(frozen=True)
class ModelSettings:
    """Recognizer.

    Args:
        backbone: Name in the table of backbones: ``skeletonagent``, ``dg-stgcn``, ``stgcn++``,
            ``ctr-gcn`` or ``tiny-gcn``.
        width: Channels of the backbone's first blocks; none takes the backbone's default.
        person_pooling: Bodies that count in the mean over persons: those present (``paper``) or
            all (``released``).
        dropout: Dropout rate before the classification head.
    """

    backbone: str = "skeletonagent"
    width: Annotated[int, Ge(1)] | None = None
    person_pooling: PersonPooling = PersonPooling.PAPER
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
