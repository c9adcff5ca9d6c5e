"""Stick figure with Kinect-25 joints, controlled by positions of hands and feet and by angles.

Frame of reference: the figure faces +z, with x to its left and y up, in units of its height.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float


class ControlledPart(IntEnum):
    """Part of the figure that is controlled; hands are wrists relative to the top of the spine."""

    PELVIS = 0
    TRUNK = 1
    HEAD = 2
    HAND = 3
    OTHER_HAND = 4
    FOOT = 5
    OTHER_FOOT = 6


REST = np.array(
    [
        (0, 0, 0),
        (0, 0, 0),
        (0, 0, 0),
        (0.14, -0.32, 0.05),
        (0.14, -0.32, 0.05),
        (0.06, 0.04, 0),
        (0.06, 0.04, 0),
    ]
)
"""Controls of a relaxed standing figure, one row per :class:`ControlledPart`.

Pelvis, hands and feet have positions (outward, up, forward); trunk and head have angles
(forward, turn, tilt) in radians.
"""


@dataclass(frozen=True)
class BodySize:
    """Size of a body.

    Args:
        height: Height in metres.
        trunk: Length of the trunk relative to the average person of that height.
        arm: Length of the arms, likewise.
        leg: Length of the legs, likewise.
        breadth: Width of shoulders and hips, likewise.
    """

    height: float = 1.7
    trunk: float = 1.0
    arm: float = 1.0
    leg: float = 1.0
    breadth: float = 1.0


def stick_figure(
    body: BodySize, controls: Float[np.ndarray, "t 7 3"]
) -> Float[np.ndarray, "t 25 3"]:
    """Return the Kinect-25 joints of a figure in metres.

    Bones always keep their length: a hand or foot whose position is out of reach gets as close as
    possible.

    Args:
        body: Size of the body.
        controls: Position or angles of every :class:`ControlledPart`, as in :data:`REST`.
    """
    joints = np.empty((len(controls), 25, 3))
    trunk, head = controls[:, ControlledPart.TRUNK], controls[:, ControlledPart.HEAD]
    upright = rotation(trunk)
    joints[:, 0] = controls[:, ControlledPart.PELVIS] + (0.0, 0.464 * body.leg + 0.06, 0.0)
    joints[:, 1] = joints[:, 0] + rotation(trunk / 2) @ np.array([0, 0.14 * body.trunk, 0])
    joints[:, 20] = joints[:, 1] + upright @ np.array([0, 0.15 * body.trunk, 0])
    joints[:, 2] = joints[:, 20] + upright @ rotation(head / 2) @ np.array([0, 0.04, 0.0])
    joints[:, 3] = joints[:, 2] + upright @ rotation(head) @ np.array([0, 0.075, 0.03])
    for side, sign in enumerate((1.0, -1.0)):
        outward = np.array([sign, 1.0, 1.0])
        _arm(
            joints,
            body,
            upright,
            controls[:, ControlledPart.HAND + side] * outward,
            outward,
            4 + 4 * side,
        )
        _leg(
            joints, body, controls[:, ControlledPart.FOOT + side] * outward, outward, 12 + 4 * side
        )
    joints *= body.height
    return joints


def _arm(
    joints: Float[np.ndarray, "t 25 3"],
    body: BodySize,
    upright: Float[np.ndarray, "t 3 3"],
    wrist: Float[np.ndarray, "t 3"],
    outward: Float[np.ndarray, " 3"],
    first: int,
) -> None:
    """Set the joints of the arm from shoulder ``first`` on, the elbow down and slightly out."""
    tip = 21 if first == 4 else 23
    reach = (upright @ wrist[:, :, None])[:, :, 0]
    shoulder = joints[:, 20] + upright @ (outward * (0.105 * body.breadth, -0.01, 0))
    elbow_side = upright @ (outward * (0.45, -0.85, -0.3))
    elbow, end = _two_bones(
        shoulder, joints[:, 20] + reach, (0.172 * body.arm, 0.157 * body.arm), elbow_side
    )
    along = _unit(end - elbow)
    thumb_side = _perpendicular(upright @ (outward * (-0.6, 0.5, 0.6)), along)
    joints[:, first] = shoulder
    joints[:, first + 1] = elbow
    joints[:, first + 2] = end
    joints[:, first + 3] = end + along * (0.045 * body.arm)
    joints[:, tip] = end + along * (0.095 * body.arm)
    joints[:, tip + 1] = end + (along * 0.06 + thumb_side * 0.03) * body.arm


def _leg(
    joints: Float[np.ndarray, "t 25 3"],
    body: BodySize,
    ankle: Float[np.ndarray, "t 3"],
    outward: Float[np.ndarray, " 3"],
    first: int,
) -> None:
    """Set the joints of the leg from hip ``first`` on, the knee forward."""
    forward = np.broadcast_to([0.0, 0.0, 1.0], ankle.shape)
    hip = joints[:, 0] + outward * (0.055 * body.breadth, -0.02, 0)
    knee, end = _two_bones(hip, ankle, (0.235 * body.leg, 0.235 * body.leg), forward)
    along = _unit(end - knee)
    joints[:, first] = hip
    joints[:, first + 1] = knee
    joints[:, first + 2] = end
    joints[:, first + 3] = end + along * 0.025 + _perpendicular(forward, along) * 0.07


def _two_bones(
    root: Float[np.ndarray, "t 3"],
    target: Float[np.ndarray, "t 3"],
    lengths: tuple[float, float],
    side: Float[np.ndarray, "t 3"],
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3"]]:
    """Return middle and end of two bones that reach for ``target``, bent towards ``side``."""
    upper, lower = lengths
    along = _unit(target - root)
    distance = np.linalg.norm(target - root, axis=-1, keepdims=True)
    reach = np.clip(distance, abs(upper - lower) + 0.05, 0.999 * (upper + lower))
    share = (reach**2 + upper**2 - lower**2) / (2 * reach)
    bend = np.sqrt(upper**2 - share**2)
    return root + along * share + _perpendicular(side, along) * bend, root + along * reach


def rotation(angles: Float[np.ndarray, "*t 3"]) -> Float[np.ndarray, "*t 3 3"]:
    """Return rotation matrices of angles (forward, turn, tilt) in radians about x, y and z.

    The tilt is applied first and the turn last.
    """
    (cx, cy, cz), (sx, sy, sz) = (np.moveaxis(f(angles), -1, 0) for f in (np.cos, np.sin))
    rows = (
        (cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx),
        (cx * sz, cx * cz, -sx),
        (cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _unit(vectors: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    units: Float[np.ndarray, "t 3"] = vectors / np.linalg.norm(
        vectors, axis=-1, keepdims=True
    ).clip(min=1e-9)
    return units


def _perpendicular(
    vectors: Float[np.ndarray, "t 3"], axis: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 3"]:
    return _unit(vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis)
