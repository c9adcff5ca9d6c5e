"""Clothed figure of a person around the joints of a Kinect, as coloured quadrilaterals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

Points = Float[np.ndarray, "*n 3"]
Colour = tuple[float, float, float]

_SKINS: tuple[Colour, ...] = ((225, 178, 150), (198, 146, 114), (150, 102, 74), (236, 194, 170))
_SHIRTS: tuple[Colour, ...] = ((150, 40, 45), (40, 80, 140), (60, 110, 70), (190, 170, 60))
_TROUSERS: tuple[Colour, ...] = ((45, 55, 85), (70, 65, 60), (40, 40, 45), (110, 95, 70))
_HAIRS: tuple[Colour, ...] = ((45, 32, 25), (25, 22, 22), (110, 75, 45), (70, 50, 35))
_SHOES: Colour = (50, 45, 45)
SOLE = 0.085
"""Height of the ankles above the ground, in metres."""
HEAD_SIZE = (0.078, 0.122, 0.098)
"""Half the width, height and depth of a head in metres."""


@dataclass(frozen=True)
class Surface:
    """Quadrilaterals of one part of the body.

    Args:
        corners: Corners in metres, in order around each, seen from outside.
        colours: Red, green and blue of each, from 0 to 255, in full light.
    """

    corners: Float[np.ndarray, "q 4 3"]
    colours: Float[np.ndarray, "q 3"]


@dataclass(frozen=True)
class Clothes:
    """Looks of one person; the same number always looks the same.

    Args:
        number: Number of the person.
    """

    number: int

    @cached_property
    def _choice(self) -> np.ndarray:
        return np.random.default_rng(self.number).integers(0, 4, 4)

    @property
    def skin(self) -> Colour:
        """Colour of the skin."""
        return _SKINS[self._choice[0]]

    @property
    def shirt(self) -> Colour:
        """Colour of the shirt."""
        return _SHIRTS[self._choice[1]]

    @property
    def trousers(self) -> Colour:
        """Colour of the trousers."""
        return _TROUSERS[self._choice[2]]

    @property
    def hair(self) -> Colour:
        """Colour of the hair."""
        return _HAIRS[self._choice[3]]

    @cached_property
    def folds(self) -> Float[np.ndarray, "h w"]:
        """Brightness of cloth, about 1, as a texture that is laid around every part."""
        rng = np.random.default_rng(self.number + 1000)
        wide = gaussian_filter(rng.normal(size=(96, 64)), (2, 6), mode="wrap")
        fine = gaussian_filter(rng.normal(size=(96, 64)), 0.7, mode="wrap")
        return np.asarray(1 + 0.10 * wide / wide.std() + 0.03 * fine / fine.std())


def unit(vector: Points) -> Points:
    """Return vectors of length 1; of length 0 where there is no direction."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-9))


def _across(vector: Points, axis: Points) -> Points:
    """Return the direction of a vector at right angles to an axis, any one if it lies along it."""
    rest = vector - (vector @ axis) * axis
    if np.linalg.norm(rest) < 0.2:
        rest = np.cross(axis, [0.31, 0.59, 0.74])
    return unit(rest)


def rings(
    centres: Points, sides: Points, fronts: Points, widths: np.ndarray, depths: np.ndarray, k: int
) -> Float[np.ndarray, "n k 3"]:
    """Return ellipses around an axis.

    Args:
        centres: Middle of each ellipse.
        sides: Direction of its width.
        fronts: Direction of its depth.
        widths: Half its width.
        depths: Half its depth.
        k: Number of its points.
    """
    angle = 2 * np.pi * np.arange(k) / k
    around = np.cos(angle)[None, :, None] * (sides * widths[:, None])[:, None]
    around = around + np.sin(angle)[None, :, None] * (fronts * depths[:, None])[:, None]
    return np.asarray(centres[:, None] + around)


def skin_of(points: Float[np.ndarray, "n k 3"], colours: Float[np.ndarray, "n k 3"]) -> Surface:
    """Return the surface between rings, each quadrilateral with the colour of its first corner."""
    following = np.roll(points, -1, axis=1)
    corners = np.stack([points[:-1], following[:-1], following[1:], points[1:]], axis=2)
    return Surface(corners.reshape(-1, 4, 3), colours[:-1].reshape(-1, 3))


def cloth(colour: Colour, shape: tuple[int, int], clothes: Clothes) -> Float[np.ndarray, "n k 3"]:
    """Return the colours of a part of cloth, with folds."""
    rows = np.linspace(0, 95, shape[0]).astype(int)
    columns = np.linspace(0, 63, shape[1]).astype(int)
    return np.asarray(clothes.folds[rows][:, columns, None] * np.array(colour))


def plain(colour: Colour, shape: tuple[int, int]) -> Float[np.ndarray, "n k 3"]:
    """Return the colours of a part of one colour."""
    return np.broadcast_to(np.array(colour, float), (*shape, 3))


def limb(
    start: Points,
    end: Points,
    radii: Sequence[float],
    front: Points,
    flat: float = 1.0,
    k: int = 14,
) -> Float[np.ndarray, "n k 3"]:
    """Return the rings of a limb with round ends.

    Args:
        start: Joint at which it begins.
        end: Joint at which it ends.
        radii: Radii at even distances from start to end, in metres.
        front: Direction in which its depth is, if it is not round.
        flat: Depth over width.
        k: Points of a ring.
    """
    axis = unit(end - start)
    front = _across(front, axis)
    length = float(np.linalg.norm(end - start))
    bow = np.linspace(0, np.pi / 2, 4)
    places = np.linspace(0, 1, max(4, round(length / 0.025)))
    widths = np.interp(places, np.linspace(0, 1, len(radii)), radii)
    along = np.concatenate([-radii[0] * np.cos(bow[:-1]), places * length,
                            length + radii[-1] * np.sin(bow[1:])])  # fmt: skip
    widths = np.concatenate([radii[0] * np.sin(bow[:-1]), widths, radii[-1] * np.cos(bow[1:])])
    n = len(along)
    side, depth = np.tile(np.cross(front, axis), (n, 1)), np.tile(front, (n, 1))
    return rings(start + along[:, None] * axis, side, depth, widths, flat * widths, k)


@dataclass(frozen=True)
class Figure:
    """Figure around the joints of one moment.

    Args:
        joints: Joints by name, in metres: x to the right, y down, z away from the camera.
        clothes: How the person looks.
    """

    joints: dict[str, Points]
    clothes: Clothes

    def surfaces(self) -> list[Surface]:
        """Return the parts of the body."""
        sides = ("left", "right")
        parts = [self._trunk(), self._neck(), self._head(), *self._face()]
        return [*parts, *(s for side in sides for s in (*self._arm(side), *self._leg(side)))]

    @cached_property
    def up(self) -> Points:
        """Direction from the hips to the shoulders."""
        return unit(self.joints["shoulder center"] - self.joints["hip center"])

    def lateral(self, joint: str) -> Points:
        """Return the direction from the right to the left, at the hips or the shoulders."""
        return _across(self.joints[f"left {joint}"] - self.joints[f"right {joint}"], self.up)

    @cached_property
    def front(self) -> Points:
        """Direction that the chest faces."""
        return np.cross(self.lateral("shoulder"), self.up)

    def _trunk(self) -> Surface:
        j, up = self.joints, self.up
        hips = (j["left hip"] + j["right hip"]) / 2
        shoulders = (j["left shoulder"] + j["right shoulder"]) / 2
        half = float(np.linalg.norm(j["left shoulder"] - j["right shoulder"])) / 2
        top = j["shoulder center"]
        knots = [  # centre, half the width, half the depth
            (hips - 0.09 * up, 0.02, 0.02), (hips - 0.06 * up, 0.12, 0.09),
            (hips, 0.16, 0.115), (hips + 0.09 * up, 0.150, 0.108),
            (hips * 0.55 + shoulders * 0.45, 0.140, 0.100),
            (hips * 0.25 + shoulders * 0.75, 0.155, 0.112),
            (shoulders, half + 0.005, 0.098), (shoulders + 0.045 * up, half - 0.02, 0.080),
            (top * 0.75 + shoulders * 0.25, 0.09, 0.065), (top + 0.01 * up, 0.062, 0.058),
        ]  # fmt: skip
        fine = np.linspace(0, len(knots) - 1, 40)
        at = np.arange(len(knots))
        centres = np.stack(
            [np.interp(fine, at, [knot[0][axis] for knot in knots]) for axis in range(3)], 1
        )
        share = np.clip((fine - 2) / 4, 0, 1)[:, None]
        sides = unit((1 - share) * self.lateral("hip") + share * self.lateral("shoulder"))
        points = rings(
            centres, sides, np.cross(up, sides),
            np.interp(fine, at, [knot[1] for knot in knots]),
            np.interp(fine, at, [knot[2] for knot in knots]), 28,
        )  # fmt: skip
        shape = (len(fine), 28)
        colours = cloth(self.clothes.shirt, shape, self.clothes).copy()
        colours[fine < 2.6] = cloth(self.clothes.trousers, shape, self.clothes)[fine < 2.6]
        colours[(fine >= 2.4) & (fine < 2.75)] = (35, 25, 20)  # belt
        return skin_of(points, colours)

    def _neck(self) -> Surface:
        points = limb(self.joints["shoulder center"] - 0.02 * self.up, self.head_centre,
                      (0.058, 0.052, 0.052), self.front)  # fmt: skip
        return skin_of(points, 0.9 * plain(self.clothes.skin, points.shape[:2]))

    @cached_property
    def head_up(self) -> Points:
        """Direction from the neck to the crown."""
        return unit(self.joints["head"] - self.joints["shoulder center"])

    @cached_property
    def head_front(self) -> Points:
        """Direction that the face looks in."""
        return _across(self.front, self.head_up)

    @property
    def head_centre(self) -> Points:
        """Middle of the head."""
        return self.joints["head"] + 0.01 * self.head_front

    def _on_head(self, right: np.ndarray, up: np.ndarray, front: np.ndarray) -> Points:
        """Return places on the head from shares of half its width, height and depth."""
        side = np.cross(self.head_up, self.head_front)
        width, height, depth = HEAD_SIZE
        offsets = (right[..., None] * width * side + up[..., None] * height * self.head_up
                   + front[..., None] * depth * self.head_front)  # fmt: skip
        return np.asarray(self.head_centre + offsets)

    def _head(self) -> Surface:
        latitude, angle = np.linspace(-np.pi / 2, np.pi / 2, 34), -2 * np.pi * np.arange(40) / 40
        jaw = 1 - 0.25 * np.clip(-np.sin(latitude) - 0.2, 0, 1)
        right = (jaw * np.cos(latitude))[:, None] * np.cos(angle)
        front = np.cos(latitude)[:, None] * np.sin(angle)
        up = np.broadcast_to(np.sin(latitude)[:, None], right.shape)
        points = self._on_head(right, up, front)
        colours = plain(self.clothes.skin, right.shape).copy()
        hair = (up > 0.62) | (front < -0.05 - 0.5 * np.minimum(up + 0.3, 0))
        colours[hair] = cloth(self.clothes.hair, right.shape, self.clothes)[hair]
        eyes = np.stack([(right - 0.40) / 0.17, (up - 0.12) / 0.075], 0)
        eyes_left = np.stack([(right + 0.40) / 0.17, (up - 0.12) / 0.075], 0)
        face = front > 0
        for eye in (eyes, eyes_left):
            colours[face & (np.hypot(*(eye - np.array([0, 0.6])[:, None, None])) < 1.2)] *= 0.82
            colours[face & (np.hypot(*eye) < 1)] = (235, 230, 225)
            colours[face & (np.hypot(eye[0] * 2.2, eye[1]) < 1)] = (40, 30, 25)
            colours[face & (abs(eye[0]) < 1.3) & (abs(up - 0.29) < 0.04)] = self.clothes.hair
        mouth = face & (abs(right) < 0.32) & (abs(up + 0.52) < 0.055)
        colours[mouth] = 0.5 * colours[mouth] + 0.5 * np.array((150, 50, 55))
        cheeks = face & (abs(up + 0.15) < 0.2) & (abs(abs(right) - 0.5) < 0.2)
        colours[cheeks] *= (1.03, 0.95, 0.95)
        return skin_of(points, colours)

    def _face(self) -> list[Surface]:
        def ball(right: float, up: float, front: float, radii: tuple[float, float]) -> Surface:
            centre = self._on_head(*(np.array(value) for value in (right, up, front)))
            points = limb(centre - radii[1] * self.head_up, centre + radii[1] * self.head_up,
                          (radii[0] * 0.7, radii[0]), self.head_front)  # fmt: skip
            return skin_of(points, 0.97 * plain(self.clothes.skin, points.shape[:2]))

        return [ball(0, -0.12, 0.99, (0.014, 0.02)),
                ball(1.02, 0.0, -0.05, (0.014, 0.022)),
                ball(-1.02, 0.0, -0.05, (0.014, 0.022))]  # fmt: skip

    def _arm(self, side: str) -> list[Surface]:
        shoulder, elbow, wrist, hand = (
            self.joints[f"{side} {name}"] for name in ("shoulder", "elbow", "wrist", "hand")
        )
        sleeve = limb(shoulder, 0.35 * shoulder + 0.65 * elbow, (0.064, 0.058, 0.056), self.front)
        upper = limb(shoulder, elbow, (0.045, 0.045, 0.038), self.front)
        lower = limb(elbow, wrist, (0.038, 0.042, 0.034, 0.027), self.front)
        skin = self.clothes.skin
        return [
            skin_of(sleeve, cloth(self.clothes.shirt, sleeve.shape[:2], self.clothes)),
            skin_of(upper, plain(skin, upper.shape[:2])),
            skin_of(lower, plain(skin, lower.shape[:2])),
            *self._hand(side, unit(wrist - elbow), wrist, hand),
        ]

    def _hand(self, side: str, forearm: Points, wrist: Points, hand: Points) -> list[Surface]:
        along = unit(0.12 * forearm + hand - wrist)
        lateral = self.lateral("shoulder") * (1 if side == "left" else -1)
        thumb = _across(0.6 * self.front - 0.8 * lateral * (forearm @ self.up < -0.5)
                        + 0.6 * self.up, along)  # fmt: skip
        flat = np.cross(along, thumb)
        palm_end = wrist + 0.085 * along
        pieces = [limb(wrist, palm_end, (0.027, 0.038, 0.036), flat, flat=0.45)]
        for place, length in ((-0.027, 0.06), (-0.009, 0.075), (0.009, 0.08), (0.027, 0.07)):
            root = palm_end + place * thumb
            tip = root + length * unit(along + place * 4 * thumb)
            pieces.append(limb(root, tip, (0.0095, 0.009, 0.007), flat, k=6))
        root = wrist + 0.03 * along + 0.02 * thumb
        pieces.append(
            limb(root, root + 0.065 * unit(along + 0.9 * thumb), (0.012, 0.009), flat, k=6)
        )
        return [skin_of(piece, plain(self.clothes.skin, piece.shape[:2])) for piece in pieces]

    def _leg(self, side: str) -> list[Surface]:
        hip, knee, ankle, foot = (
            self.joints[f"{side} {name}"] for name in ("hip", "knee", "ankle", "foot")
        )
        thigh = limb(hip, knee, (0.092, 0.090, 0.075, 0.064), self.front, k=18)
        shank = limb(knee, ankle, (0.062, 0.066, 0.058, 0.050), self.front, k=18)
        shin = unit(ankle - knee)
        along = 0.15 * self.front + foot - ankle
        along = unit(along - 0.8 * (along @ shin) * shin)
        sole = ankle + 0.045 * shin
        shoe = limb(sole - 0.035 * along, sole + 0.16 * along, (0.042, 0.044, 0.048, 0.04),
                    _across(shin, along), flat=0.75)  # fmt: skip
        cloths = [skin_of(part, cloth(self.clothes.trousers, part.shape[:2], self.clothes))
                  for part in (thigh, shank)]  # fmt: skip
        return [*cloths, skin_of(shoe, plain(_SHOES, shoe.shape[:2]))]
