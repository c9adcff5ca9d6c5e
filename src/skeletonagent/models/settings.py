"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Interval


class PersonPooling(StrEnum):
    """Which bodies count in the mean over persons.

    ``paper``: those that are there; an absent body is all zeros, and where nobody is there
    all count. ``released``: all, absent ones too, as in the authors' code (spec 1.4).
    """

    PAPER = "paper"
    RELEASED = "released"


@dataclass(frozen=True)
class ModelSettings:
    """Which recognizer.

    Args:
        backbone: Name in the table of backbones.
        width: Channels of the first stage; none takes the backbone's own.
        person_pooling: Whether an absent person counts in the mean over persons.
        dropout: Before the classifier.
    """

    backbone: str = "skeletonagent"
    width: Annotated[int, Ge(1)] | None = None
    person_pooling: PersonPooling = PersonPooling.PAPER
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
