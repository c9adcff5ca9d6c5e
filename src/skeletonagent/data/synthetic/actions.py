"""Actions of the generated data set, as a table.

Actions are described for the left side; a right-handed subject is mirrored. Units and frame of
reference are those of :mod:`skeletonagent.data.synthetic.stick_figure`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeletonagent.data.synthetic.stick_figure import ControlledPart

Vector = tuple[float, float, float]

_STILL: Vector = (0.0, 0.0, 0.0)

IDLE_HANDS = np.array([(0.14, -0.24, 0.0), (0.03, -0.22, 0.12), (0.04, -0.26, -0.07)])
"""Other rest positions of an idle hand: on the hip, before the belly, behind the back."""


@dataclass(frozen=True)
class PartMotion:
    """Motion of one part in an action: it moves to a goal and oscillates about it.

    Args:
        part: Part that moves.
        goal: Position or angles of the part; None for its rest position.
        swing: Amplitude of the oscillation about the goal.
        circle: Amplitude of the oscillation a quarter of a period later.
    """

    part: ControlledPart
    goal: Vector | None = None
    swing: Vector = _STILL
    circle: Vector = _STILL


@dataclass(frozen=True)
class Action:
    """Action as simultaneous motions of parts.

    Args:
        name: Class name.
        motions: Motions, at most one per part.
        hertz: Range of the oscillation's frequency, in hertz.
        hold: Range of the share of the clip in which parts are at their goals.
        stance: Displacement of the pelvis from standing, in the entire clip.
    """

    name: str
    motions: tuple[PartMotion, ...]
    hertz: tuple[float, float] = (1.0, 1.6)
    hold: tuple[float, float] = (0.5, 0.8)
    stance: Vector = _STILL


_SEATED: Vector = (0.0, -0.22, -0.14)
_BEND = (
    PartMotion(ControlledPart.PELVIS, (0.0, -0.02, -0.05)),
    PartMotion(ControlledPart.TRUNK, (0.8, 0.0, 0.0)),
)
_HAND_MIRROR = PartMotion(
    ControlledPart.OTHER_HAND, (0.07, -0.08, 0.18)
)  # the other hand holds one before the face

ACTIONS: tuple[Action, ...] = (
    Action(
        "write",
        (
            PartMotion(
                ControlledPart.HAND, (0.05, -0.19, 0.19), (0.035, 0.0, 0.0), (0.0, 0.0, 0.015)
            ),
            PartMotion(ControlledPart.OTHER_HAND, (0.10, -0.19, 0.14)),
        ),
        hertz=(1.4, 2.4),
        stance=_SEATED,
    ),
    Action(
        "type on a keyboard",
        (
            PartMotion(
                ControlledPart.HAND, (0.06, -0.19, 0.19), (0.0, 0.024, 0.0), (0.01, 0.0, 0.0)
            ),
            PartMotion(
                ControlledPart.OTHER_HAND, (0.06, -0.19, 0.19), (0.0, -0.024, 0.0), (0.01, 0.0, 0.0)
            ),
        ),
        hertz=(1.8, 2.8),
        stance=_SEATED,
    ),
    Action(
        "drink",
        (PartMotion(ControlledPart.HAND, (0.07, 0.055, 0.12)),),
        hold=(0.1, 0.45),
        stance=_SEATED,
    ),
    Action(
        "phone call",
        (PartMotion(ControlledPart.HAND, (0.10, 0.065, 0.07)),),
        hold=(0.35, 0.75),
        stance=_SEATED,
    ),
    Action(
        "wave",
        (PartMotion(ControlledPart.HAND, (0.15, 0.14, 0.07), (0.05, 0.0, 0.0), (0.0, 0.01, 0.0)),),
    ),
    Action("salute", (PartMotion(ControlledPart.HAND, (0.12, 0.13, 0.08)),)),
    Action(
        "clap",
        (
            PartMotion(ControlledPart.HAND, (0.06, -0.10, 0.18), (0.035, 0.0, 0.0)),
            PartMotion(ControlledPart.OTHER_HAND, (0.06, -0.10, 0.18), (0.035, 0.0, 0.0)),
        ),
        hertz=(1.4, 2.4),
    ),
    Action(
        "rub hands",
        (
            PartMotion(ControlledPart.HAND, (0.04, -0.11, 0.17), (0.0, 0.015, 0.02)),
            PartMotion(ControlledPart.OTHER_HAND, (0.04, -0.11, 0.17), (0.0, -0.015, -0.02)),
        ),
        hertz=(1.8, 2.8),
    ),
    Action(
        "kick",
        (PartMotion(ControlledPart.FOOT, (0.06, 0.10, 0.11), (0.0, 0.06, 0.11)),),
        hertz=(0.6, 1.0),
    ),
    Action(
        "step",
        (PartMotion(ControlledPart.FOOT, (0.06, 0.11, 0.07), (0.0, 0.07, 0.07)),),
        hertz=(0.6, 1.0),
    ),
    Action("nod", (PartMotion(ControlledPart.HEAD, None, (0.25, 0.0, 0.0)),)),
    Action("shake head", (PartMotion(ControlledPart.HEAD, None, (0.0, 0.55, 0.12)),)),
    Action(
        "brush teeth",
        (PartMotion(ControlledPart.HAND, (0.09, 0.05, 0.13), (0.02, 0.0, 0.01)), _HAND_MIRROR),
        hertz=(1.6, 2.6),
    ),
    Action(
        "brush hair",
        (
            PartMotion(
                ControlledPart.HAND, (0.11, 0.11, 0.07), (0.0, 0.025, 0.0), (0.0, 0.0, 0.02)
            ),
            _HAND_MIRROR,
        ),
        hertz=(1.2, 2.2),
    ),
    Action(
        "throw",
        (PartMotion(ControlledPart.HAND, (0.14, 0.05, 0.12), (0.0, 0.0, 0.13), (0.0, 0.05, 0.0)),),
        hertz=(0.6, 1.0),
    ),
    Action(
        "push",
        (PartMotion(ControlledPart.HAND, (0.12, -0.01, 0.17), (0.0, 0.0, 0.11)),),
        hertz=(0.6, 1.0),
    ),
    Action("bow", _BEND, hold=(0.1, 0.4)),
    Action(
        "pick up", (*_BEND, PartMotion(ControlledPart.HAND, (0.10, -0.22, 0.24))), hold=(0.1, 0.4)
    ),
)
"""Classes in the order of the labels; those of a confusable pair follow each other."""
