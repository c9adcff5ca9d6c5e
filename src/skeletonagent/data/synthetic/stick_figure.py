"""A stick figure with Kinect-25 joints, steered by where its hands, feet, head and trunk go.

Its own frame: it looks along +z, with x to its left and y up, in units of its height.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float


class SteeredPart(IntEnum):
    """What an action steers; hands are wrists seen from the spine's top, feet ankles."""

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
"""Standing at ease, one row per :class:`SteeredPart`: places as (outward, up, forward), and for trunk and
head the angles (forward, turn, tilt) in radians."""


@dataclass(frozen=True)
class BodySize:
    """Someone's height in metres, and limbs relative to the average person of that height."""

    height: float = 1.7
    trunk: float = 1.0
    arm: float = 1.0
    leg: float = 1.0
    breadth: float = 1.0


def stick_figure(
    body: BodySize, controls: Float[np.ndarray, "t 7 3"]
) -> Float[np.ndarray, "t 25 3"]:
    """Return the Kinect-25 joints in metres of a figure steered by ``controls``.

    Bones keep their length whatever is asked: a hand or foot out of reach comes as near as it can.

    Args:
        body: Whose figure.
        controls: Place or angles of every :class:`SteeredPart`, as in :data:`REST`.
    """
    joints = np.empty((len(controls), 25, 3))
    trunk, head = controls[:, SteeredPart.TRUNK], controls[:, SteeredPart.HEAD]
    upright = rotation(trunk)
    joints[:, 0] = controls[:, SteeredPart.PELVIS] + (0.0, 0.464 * body.leg + 0.06, 0.0)
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
            controls[:, SteeredPart.HAND + side] * outward,
            outward,
            4 + 4 * side,
        )
        _leg(joints, body, controls[:, SteeredPart.FOOT + side] * outward, outward, 12 + 4 * side)
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
    """Fill in the arm whose shoulder is joint ``first``, elbow down and a little out."""
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
    """Fill in the leg whose hip is joint ``first``, knee forward."""
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
    """Return the middle and the end of two bones that reach for ``target``, bent to ``side``."""
    upper, lower = lengths
    along = _unit(target - root)
    wanted = np.linalg.norm(target - root, axis=-1, keepdims=True)
    reach = np.clip(wanted, abs(upper - lower) + 0.05, 0.999 * (upper + lower))
    share = (reach**2 + upper**2 - lower**2) / (2 * reach)
    bend = np.sqrt(upper**2 - share**2)
    return root + along * share + _perpendicular(side, along) * bend, root + along * reach


def rotation(angles: Float[np.ndarray, "*t 3"]) -> Float[np.ndarray, "*t 3 3"]:
    """Return rotations by angles (forward, turn, tilt) about x, y and z: tilt first, turn last."""
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
