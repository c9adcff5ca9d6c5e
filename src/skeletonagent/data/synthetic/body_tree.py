"""Body as a tree of joints that are moved by angles: joints of every usual layout, in metres.

Frame of reference: the body faces +z, with x to its left and y up; the pelvis is the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.layout import SkeletonLayout

_HEAD = (
    ("head", "neck", (0, 0.20, 0.02)),
    ("nose", "head", (0, -0.05, 0.10)),
    ("left eye", "head", (0.03, -0.02, 0.08)),
    ("right eye", "head", (-0.03, -0.02, 0.08)),
    ("left ear", "head", (0.075, -0.04, 0)),
    ("right ear", "head", (-0.075, -0.04, 0)),
)
_ARM = (
    ("shoulder", "middle of shoulders", (0.18, -0.02, 0)),
    ("elbow", "shoulder", (0.03, -0.29, 0)),
    ("wrist", "elbow", (0.01, -0.26, 0.03)),
    ("hand", "wrist", (0, -0.08, 0.01)),
    ("hand tip", "hand", (0, -0.08, 0.01)),
    ("thumb", "wrist", (-0.02, -0.08, 0.05)),
)
_LEG = (
    ("hip", "middle of hips", (0.09, -0.04, 0)),
    ("knee", "hip", (0.01, -0.42, 0)),
    ("ankle", "knee", (0, -0.41, 0)),
    ("heel", "ankle", (0, -0.06, -0.05)),
    ("foot", "ankle", (0, -0.05, 0.12)),
    ("big toe", "ankle", (-0.02, -0.06, 0.19)),
)
"""Name, parent and offset of joints of the left side; the right side is their mirror image."""


def _sided(
    rows: tuple[tuple[str, str, tuple[float, float, float]], ...], side: str
) -> list[tuple[str, str, tuple[float, float, float]]]:
    middle = {"middle of shoulders", "middle of hips"}
    sign = 1 if side == "left" else -1
    return [
        (
            f"{side} {name}",
            parent if parent in middle else f"{side} {parent}",
            (sign * offset[0], *offset[1:]),
        )
        for name, parent, offset in rows
    ]


_JOINTS: tuple[tuple[str, str, tuple[float, float, float]], ...] = (
    ("middle of hips", "", (0, 0, 0)),
    ("middle of spine", "middle of hips", (0, 0.24, 0)),
    ("middle of shoulders", "middle of spine", (0, 0.26, 0)),
    ("neck", "middle of shoulders", (0, 0.06, 0)),
    *_HEAD,
    *_sided(_ARM, "left"),
    *_sided(_ARM, "right"),
    *_sided(_LEG, "left"),
    *_sided(_LEG, "right"),
)
_NAMES = tuple(name for name, _, _ in _JOINTS)
_PARENTS = tuple(_NAMES.index(parent) if parent else 0 for _, parent, _ in _JOINTS)

BODY = SkeletonLayout(
    name="body-34",
    joints=_NAMES,
    bones=tuple((joint, parent) for joint, parent in enumerate(_PARENTS) if joint),
    center=0,
)
"""Joints that the layouts of sensors and pose estimators have in common, by name."""


@dataclass(frozen=True)
class BodyAngle:
    """Angle by which everything beyond a joint turns about an axis.

    Args:
        joint: Joint that is turned about.
        axis: 0 for x (bending forward is positive), 1 for y (to the left), 2 for z (to the right).
        low: Smallest angle in radians, for the left side.
        high: Largest angle in radians, for the left side.
        group: Part of the body that it belongs to.
        upward: What the largest angle does, in words.
        downward: What the smallest angle does, in words.
    """

    joint: str
    axis: int
    low: float
    high: float
    group: str
    upward: str
    downward: str


_LIMB_ANGLES = (
    BodyAngle("shoulder", 0, -3.0, 0.8, "arm", "goes back", "rises in front"),
    BodyAngle("shoulder", 2, -0.4, 2.6, "arm", "rises to the side", "crosses the body"),
    BodyAngle("shoulder", 1, -1.2, 1.2, "arm", "turns outwards", "turns inwards"),
    BodyAngle("elbow", 0, -2.4, 0.0, "arm", "stretches", "bends at the elbow"),
    BodyAngle("elbow", 2, -0.8, 0.8, "arm", "swings outwards", "swings inwards"),
    BodyAngle("hip", 0, -1.9, 0.6, "leg", "goes back", "rises in front"),
    BodyAngle("hip", 2, -0.2, 0.9, "leg", "rises to the side", "crosses the other"),
    BodyAngle("knee", 0, 0.0, 2.1, "leg", "bends at the knee", "stretches"),
)
_TRUNK_ANGLES = (
    BodyAngle("middle of hips", 0, -0.2, 1.3, "trunk", "bends forward", "leans back"),
    BodyAngle("middle of hips", 1, -0.7, 0.7, "trunk", "turns left", "turns right"),
    BodyAngle("middle of hips", 2, -0.5, 0.5, "trunk", "leans right", "leans left"),
    BodyAngle("neck", 0, -0.5, 0.6, "head", "nods", "tilts back"),
    BodyAngle("neck", 1, -1.0, 1.0, "head", "turns left", "turns right"),
)


def _mirrored(angle: BodyAngle, side: str) -> BodyAngle:
    """Return an angle of the left side as that of a side: turns about y and z change their sign."""
    flips = side == "right" and angle.axis != 0
    low, high = (-angle.high, -angle.low) if flips else (angle.low, angle.high)
    words = (angle.downward, angle.upward) if flips else (angle.upward, angle.downward)
    return BodyAngle(
        f"{side} {angle.joint}", angle.axis, low, high, f"{side} {angle.group}", *words
    )


BODY_ANGLES: tuple[BodyAngle, ...] = (
    *_TRUNK_ANGLES,
    *(_mirrored(angle, "left") for angle in _LIMB_ANGLES),
    *(_mirrored(angle, "right") for angle in _LIMB_ANGLES),
)
"""Angles that move the body."""

BODY_GROUPS = ("trunk", "head", "left arm", "right arm", "left leg", "right leg")
"""Parts of the body that move, each by its own angles."""


@cache
def body_offsets() -> Float[Tensor, "v 3"]:
    """Return the place of each joint relative to its parent, arms and legs hanging, in metres."""
    return torch.tensor([offset for _, _, offset in _JOINTS], dtype=torch.float32)


def pose_body(
    offsets: Float[Tensor, "n v 3"],
    angles: Float[Tensor, "n t a"],
    root: Float[Tensor, "n t 3"],
    heading: Float[Tensor, "n t"],
) -> Float[Tensor, "n t v 3"]:
    """Return the joints of bodies whose angles are given; bones keep their lengths.

    Args:
        offsets: Each joint relative to its parent in the rest pose, as :func:`body_offsets`.
        angles: Angles in the order of :data:`BODY_ANGLES`, in radians.
        root: Place of the middle of the hips.
        heading: Turn of the whole body about the vertical axis, to its left, in radians.
    """
    legs = ("left hip", "right hip")  # they do not bend with the trunk
    turned: dict[int, Float[Tensor, "n t 3 3"]] = {}
    whole = axis_rotation(1, heading)
    local: dict[int, list[Tensor]] = {}
    for column, angle in enumerate(BODY_ANGLES):
        turn = axis_rotation(angle.axis, angles[..., column])
        local.setdefault(_NAMES.index(angle.joint), []).append(turn)
    places = [root]
    turned[0] = whole
    bent = _composed(whole, local.get(0, []))
    for joint in range(1, len(_NAMES)):
        parent = _PARENTS[joint]
        carried = turned[parent]
        if parent == 0 and _NAMES[joint] not in legs:
            carried = bent
        step = (carried @ offsets[:, None, joint, :, None]).squeeze(-1)
        places.append(places[parent] + step)
        turned[joint] = _composed(carried, local.get(joint, []))
    return torch.stack(places, dim=2)


def _composed(
    rotation: Float[Tensor, "n t 3 3"], turns: list[Float[Tensor, "n t 3 3"]]
) -> Float[Tensor, "n t 3 3"]:
    for turn in turns:
        rotation = rotation @ turn
    return rotation


def axis_rotation(axis: int, angles: Float[Tensor, "*b"]) -> Float[Tensor, "*b 3 3"]:
    """Return right-handed rotation matrices about a coordinate axis."""
    cos, sin = angles.cos(), angles.sin()
    one, zero = torch.ones_like(cos), torch.zeros_like(cos)
    rows = {
        0: ((one, zero, zero), (zero, cos, -sin), (zero, sin, cos)),
        1: ((cos, zero, sin), (zero, one, zero), (-sin, zero, cos)),
        2: ((cos, -sin, zero), (sin, cos, zero), (zero, zero, one)),
    }[axis]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
