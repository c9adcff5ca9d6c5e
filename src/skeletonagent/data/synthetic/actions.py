"""The actions of the generated data set, as a table.

Actions are written for the left side; whoever is right-handed is a mirror image. Units and
frame are those of the figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeletonagent.data.synthetic.stick_figure import SteeredPart

Vector = tuple[float, float, float]

_STILL: Vector = (0.0, 0.0, 0.0)

IDLE_HANDS = np.array([(0.14, -0.24, 0.0), (0.03, -0.22, 0.12), (0.04, -0.26, -0.07)])
"""Where a hand without a task may rest instead: on the hip, before the belly, behind the back."""


@dataclass(frozen=True)
class Stroke:
    """What one part does in an action: go to a place and swing about it.

    Args:
        part: Which part.
        goal: Where it goes; None leaves it at rest.
        swing: Amplitude of the oscillation there.
        circle: Amplitude of the oscillation a quarter of a period later.
    """

    part: SteeredPart
    goal: Vector | None = None
    swing: Vector = _STILL
    circle: Vector = _STILL


@dataclass(frozen=True)
class Action:
    """An action as strokes that begin, swing and end together.

    Args:
        name: The class name.
        strokes: At most one per part.
        hertz: Range of the oscillation's frequency.
        hold: Range of the share of the clip spent at the goal.
        stance: Where the pelvis is all the while, seen from standing.
    """

    name: str
    strokes: tuple[Stroke, ...]
    hertz: tuple[float, float] = (1.0, 1.6)
    hold: tuple[float, float] = (0.5, 0.8)
    stance: Vector = _STILL


_SEATED: Vector = (0.0, -0.22, -0.14)
_BEND = (
    Stroke(SteeredPart.PELVIS, (0.0, -0.02, -0.05)),
    Stroke(SteeredPart.TRUNK, (0.8, 0.0, 0.0)),
)
_HAND_MIRROR = Stroke(
    SteeredPart.OTHER_HAND, (0.07, -0.08, 0.18)
)  # the other hand holds one before the face

ACTIONS: tuple[Action, ...] = (
    Action(
        "write",
        (
            Stroke(SteeredPart.HAND, (0.05, -0.19, 0.19), (0.035, 0.0, 0.0), (0.0, 0.0, 0.015)),
            Stroke(SteeredPart.OTHER_HAND, (0.10, -0.19, 0.14)),
        ),
        hertz=(1.4, 2.4),
        stance=_SEATED,
    ),
    Action(
        "type on a keyboard",
        (
            Stroke(SteeredPart.HAND, (0.06, -0.19, 0.19), (0.0, 0.024, 0.0), (0.01, 0.0, 0.0)),
            Stroke(
                SteeredPart.OTHER_HAND, (0.06, -0.19, 0.19), (0.0, -0.024, 0.0), (0.01, 0.0, 0.0)
            ),
        ),
        hertz=(1.8, 2.8),
        stance=_SEATED,
    ),
    Action(
        "drink", (Stroke(SteeredPart.HAND, (0.07, 0.055, 0.12)),), hold=(0.1, 0.45), stance=_SEATED
    ),
    Action(
        "phone call",
        (Stroke(SteeredPart.HAND, (0.10, 0.065, 0.07)),),
        hold=(0.35, 0.75),
        stance=_SEATED,
    ),
    Action(
        "wave", (Stroke(SteeredPart.HAND, (0.15, 0.14, 0.07), (0.05, 0.0, 0.0), (0.0, 0.01, 0.0)),)
    ),
    Action("salute", (Stroke(SteeredPart.HAND, (0.12, 0.13, 0.08)),)),
    Action(
        "clap",
        (
            Stroke(SteeredPart.HAND, (0.06, -0.10, 0.18), (0.035, 0.0, 0.0)),
            Stroke(SteeredPart.OTHER_HAND, (0.06, -0.10, 0.18), (0.035, 0.0, 0.0)),
        ),
        hertz=(1.4, 2.4),
    ),
    Action(
        "rub hands",
        (
            Stroke(SteeredPart.HAND, (0.04, -0.11, 0.17), (0.0, 0.015, 0.02)),
            Stroke(SteeredPart.OTHER_HAND, (0.04, -0.11, 0.17), (0.0, -0.015, -0.02)),
        ),
        hertz=(1.8, 2.8),
    ),
    Action(
        "kick", (Stroke(SteeredPart.FOOT, (0.06, 0.10, 0.11), (0.0, 0.06, 0.11)),), hertz=(0.6, 1.0)
    ),
    Action(
        "step", (Stroke(SteeredPart.FOOT, (0.06, 0.11, 0.07), (0.0, 0.07, 0.07)),), hertz=(0.6, 1.0)
    ),
    Action("nod", (Stroke(SteeredPart.HEAD, None, (0.25, 0.0, 0.0)),)),
    Action("shake head", (Stroke(SteeredPart.HEAD, None, (0.0, 0.55, 0.12)),)),
    Action(
        "brush teeth",
        (Stroke(SteeredPart.HAND, (0.09, 0.05, 0.13), (0.02, 0.0, 0.01)), _HAND_MIRROR),
        hertz=(1.6, 2.6),
    ),
    Action(
        "brush hair",
        (
            Stroke(SteeredPart.HAND, (0.11, 0.11, 0.07), (0.0, 0.025, 0.0), (0.0, 0.0, 0.02)),
            _HAND_MIRROR,
        ),
        hertz=(1.2, 2.2),
    ),
    Action(
        "throw",
        (Stroke(SteeredPart.HAND, (0.14, 0.05, 0.12), (0.0, 0.0, 0.13), (0.0, 0.05, 0.0)),),
        hertz=(0.6, 1.0),
    ),
    Action(
        "push", (Stroke(SteeredPart.HAND, (0.12, -0.01, 0.17), (0.0, 0.0, 0.11)),), hertz=(0.6, 1.0)
    ),
    Action("bow", _BEND, hold=(0.1, 0.4)),
    Action("pick up", (*_BEND, Stroke(SteeredPart.HAND, (0.10, -0.22, 0.24))), hold=(0.1, 0.4)),
)
"""The classes, in label order; the two of a confusable pair follow each other."""
