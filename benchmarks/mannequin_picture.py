"""Pictures of a clothed figure in a room, drawn on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from benchmarks.mannequin_figure import Surface, unit

_FINER = 2
"""Pixels of the drawing a side of a pixel, so that edges are smooth."""
_LIGHT = unit(np.array([-0.45, -0.75, -0.6]))
_AMBIENT, _DIFFUSE = 0.55, 0.55
_NOISE = 2.5
"""Standard deviation of the noise of a camera's sensor, of 255."""
_WALL = 4.5
"""Distance of the wall in metres."""


@dataclass(frozen=True)
class PinholeCamera:
    """Camera that looks along z from the origin.

    Args:
        width: Width of its pictures in pixels.
        height: Height of its pictures in pixels.
        focal: Focal length in pixels.
    """

    width: int = 640
    height: int = 480
    focal: float = 525.0

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Return places in pixels of points in metres: x to the right, y down, z away from it."""
        middle = np.array([self.width / 2, self.height / 2])
        return np.asarray(self.focal * points[..., :2] / points[..., 2:] + middle)


@dataclass(frozen=True)
class Room:
    """Wall, floor and a few things on the wall; the same seed is the same room.

    Args:
        camera: Camera that looks at it.
        floor: Height of the camera above the floor in metres.
        seed: Seed of all that differs between rooms.
    """

    camera: PinholeCamera
    floor: float
    seed: int

    @cached_property
    def picture(self) -> Image.Image:
        """Picture of the empty room, finer than that of the camera."""
        rng, camera = np.random.default_rng(self.seed), self.camera
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(float)
        wall = rng.uniform(130, 215, 3) * 0.35 + rng.uniform(140, 200) * 0.65
        image = wall * (1.08 - 0.25 * np.abs(u / camera.width - rng.uniform(0.2, 0.6)))[..., None]
        self._hang(image, rng)
        edge = camera.height / 2 + camera.focal * self.floor / _WALL
        depth = camera.focal * self.floor / np.maximum(v - camera.height / 2, 1)
        across = (u - camera.width / 2) * depth / camera.focal
        planks = np.floor(across / 0.14)
        tint = 1 + 0.06 * np.sin(12.9 * planks) + 0.05 * np.sin(3 * depth + 7 * planks)
        tint *= 1 - 0.25 * (across / 0.14 - planks < 0.05)
        wood = np.array((150, 115, 85)) * rng.uniform(0.7, 1.15)
        image = np.where((v > edge)[..., None], tint[..., None] * wood, image)
        image[(v > edge - 9) & (v <= edge)] = (225, 222, 215)  # skirting
        image += 5 * gaussian_filter(rng.normal(size=image.shape), (2, 2, 0)) / 0.14
        soft = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(1.2)
        )
        return soft.resize(
            (_FINER * camera.width, _FINER * camera.height), Image.Resampling.BILINEAR
        )

    def _hang(self, image: Float[np.ndarray, "h w 3"], rng: np.random.Generator) -> None:
        height, width = image.shape[:2]
        for _ in range(rng.integers(1, 4)):  # frames with pictures, shelves
            left, top = rng.integers(0, width - 60), rng.integers(0, height // 2)
            right, low = left + rng.integers(40, 150), top + rng.integers(30, 130)
            image[top:low, left:right] = rng.uniform(40, 120, 3)
            inside = image[top + 5 : low - 5, left + 5 : right - 5]
            spots = gaussian_filter(rng.normal(size=inside.shape), (6, 6, 0))
            inside[:] = 130 + 45 * spots / max(float(spots.std()), 1e-9)


def draw(
    surfaces: Sequence[Surface], room: Room, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a picture of surfaces in a room.

    Quadrilaterals that face the camera are painted from the farthest to the nearest.

    Args:
        surfaces: What is seen.
        room: What is behind it.
        rng: Source of the noise of the camera's sensor.
    """
    camera = room.camera
    image = room.picture.copy()
    corners = np.concatenate([surface.corners for surface in surfaces])
    colours = np.concatenate([surface.colours for surface in surfaces])
    _draw_shadow(image, corners, room)
    middles = corners.mean(axis=1)
    normals = unit(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    faces = np.flatnonzero((normals * middles).sum(axis=1) < 0)
    faces = faces[np.argsort(-middles[faces, 2])]
    light = _AMBIENT + _DIFFUSE * np.maximum(normals[faces] @ _LIGHT, 0)
    shades = np.clip(colours[faces] * light[:, None], 0, 255).astype(int)
    places = _grown(_FINER * camera.project(corners[faces]))
    pen = ImageDraw.Draw(image)
    for place, shade in zip(
        places.reshape(-1, 8).tolist(), map(tuple, shades.tolist()), strict=True
    ):
        pen.polygon(place, fill=shade)
    noise = _NOISE * rng.standard_normal((camera.height, camera.width, 1), dtype=np.float32)
    noisy = np.asarray(image.reduce(_FINER)) + noise
    return np.asarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _grown(places: Float[np.ndarray, "q 4 2"]) -> Float[np.ndarray, "q 4 2"]:
    """Return quadrilaterals that reach half a pixel farther, so that no gap is between two."""
    away = places - places.mean(axis=1, keepdims=True)
    length = np.linalg.norm(away, axis=2, keepdims=True)
    return np.asarray(places + 0.5 * away / np.maximum(length, 1e-9))


def _draw_shadow(image: Image.Image, corners: np.ndarray, room: Room) -> None:
    """Draw a shadow on the floor below."""
    pen = ImageDraw.Draw(image, "RGBA")
    low = corners.reshape(-1, 3)
    low = low[low[:, 1] > np.quantile(low[:, 1], 0.9)]
    x, z = low[:, 0].mean(), low[:, 2].mean()
    turn = np.linspace(0, 2 * np.pi, 32)
    for size in (1.0, 0.8, 0.6):
        rim = np.stack([x + 0.38 * size * np.cos(turn), np.full(32, room.floor),
                        z + 0.25 * size * np.sin(turn)], 1)  # fmt: skip
        place = (_FINER * room.camera.project(rim)).ravel().tolist()
        pen.polygon(place, fill=(20, 18, 15, 45))
