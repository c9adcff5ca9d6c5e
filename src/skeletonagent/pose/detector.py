"""Person detector of BlazePose: anchors, boxes, and tiles for small persons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, UInt8

from skeletonagent.pose.regions import Region, crop, person_region
from skeletonagent.pose.runtime import ImageModel

_SIDE = 224
"""Side of the detector's picture in pixels."""
_GRIDS = ((28, 2), (14, 2), (7, 6))
"""Cells a side and anchors a cell. Source: MediaPipe's SSD anchors at strides 8, 16 and 3 x 32."""
MIN_SCORE = 0.5
"""Score from which a detection counts. Source: MediaPipe's graph."""
_MIN_OVERLAP = 0.3
"""Overlap from which detections are of one person. Source: MediaPipe's graph."""
_TILE_OVERLAP = 0.4
"""Share of its side by which a tile overlaps the next, so that persons are whole in one."""
_LARGEST = 1.4
"""Size of a person's region over that of a tile beyond which the tile shows too little of it."""
_NEAR, _ALIKE = 0.12, 1.5
"""Regions are of one person up to this distance over their size, and this ratio of sizes."""
_SMALLEST_TILE = 240
"""Side in pixels below which tiles show no more than the picture does."""


@dataclass(frozen=True)
class PersonDetection:
    """Person that the detector has found.

    Args:
        region: Square of the person in pixels.
        score: Score from 0 to 1.
    """

    region: Region
    score: float


class PersonDetector:
    """Detector of persons in a picture.

    Args:
        model: BlazePose's detection model.
    """

    def __init__(self, model: ImageModel) -> None:
        self._model = model

    def detect(self, image: UInt8[np.ndarray, "h w 3"], levels: int = 1) -> list[PersonDetection]:
        """Return the persons of a picture, the surest first.

        Args:
            image: The picture.
            levels: 1 looks at the whole picture alone; each further level looks at tiles of half
                the side too, for persons that are small in the picture.
        """
        whole, *parts = tiles(image.shape[0], image.shape[1], levels)
        found = self._look(image, whole)
        for tile in parts:  # a person larger than a tile is seen better in a larger one
            found += [p for p in self._look(image, tile) if p.region.size < _LARGEST * tile.size]
        persons: list[PersonDetection] = []
        for person in sorted(found, key=lambda person: -person.score):
            if not any(near(person.region, other.region) for other in persons):
                persons.append(person)
        return persons

    def _look(self, image: UInt8[np.ndarray, "h w 3"], tile: Region) -> list[PersonDetection]:
        """Return the persons that a tile shows."""
        square = crop(image, tile, _SIDE, border="black").astype(np.float32)
        raw, logits = self._model.run((square / 127.5 - 1)[None])
        return merged_detections(decode_detections(raw[0], logits[0], tile))


def near(one: Region, two: Region) -> bool:
    """Return whether two regions are so alike that they hold one person."""
    small, large = sorted((one.size, two.size))
    return large < _ALIKE * small and math.hypot(one.x - two.x, one.y - two.y) < _NEAR * small


def tiles(height: int, width: int, levels: int) -> list[Region]:
    """Return the squares that the detector looks at: the whole picture, then ever smaller ones."""
    side = float(max(height, width))
    regions = [Region(width / 2, height / 2, side)]
    for _ in range(levels - 1):
        side /= 2
        if side < _SMALLEST_TILE:
            break
        regions += [Region(x, y, side) for y in _centres(height, side)
                    for x in _centres(width, side)]  # fmt: skip
    return regions


def tile_levels(height: int, width: int, person_height: float) -> int:
    """Return the levels at which persons of a height are at least a fifth of a tile.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        person_height: Height of the smallest persons in pixels.
    """
    side, levels = float(max(height, width)), 1
    while 5 * person_height < side and side / 2 >= _SMALLEST_TILE:
        side, levels = side / 2, levels + 1
    return levels


def _centres(length: int, side: float) -> Sequence[float]:
    if length <= side:
        return [length / 2]
    number = int(np.ceil((length - side) / (side * (1 - _TILE_OVERLAP)))) + 1
    return [float(centre) for centre in np.linspace(side / 2, length - side / 2, number)]


@cache
def anchor_centres() -> Float[np.ndarray, "n 2"]:
    """Return the centres of the detector's anchors as shares of its picture."""
    parts = []
    for cells, repeats in _GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        parts.append(np.repeat((np.stack([x, y], 1) + 0.5) / cells, repeats, axis=0))
    return np.concatenate(parts)


def decode_detections(
    raw: Float32[np.ndarray, "n 12"], logits: Float32[np.ndarray, "n 1"], tile: Region
) -> Float[np.ndarray, "k 9"]:
    """Return the detections above the least score as rows.

    Args:
        raw: Centre and size of each box, and four points, in pixels from the anchor's centre.
        logits: Score of each box before the sigmoid.
        tile: Square that the detector has looked at.

    Returns:
        Rows of score, left, top, right, bottom, middle of the hips and rim above the head (x, y
        each), in pixels of the picture.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(float), -100, 100)))
    kept = scores >= MIN_SCORE
    points = raw[kept].astype(float).reshape(-1, 6, 2) / _SIDE
    centres = points[:, 0] + anchor_centres()[kept]
    half = points[:, 1] / 2
    body = points[:, 2:4] + anchor_centres()[kept][:, None]
    places = np.stack([centres - half, centres + half, body[:, 0], body[:, 1]], axis=1)
    return np.concatenate([scores[kept, None], tile.to_image(places).reshape(-1, 8)], axis=1)


def merged_detections(rows: Float[np.ndarray, "n 9"]) -> list[PersonDetection]:
    """Return one detection for each person: the mean of those that overlap, weighted by score."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    persons = []
    while len(rows):
        same = _overlaps(rows[0], rows) > _MIN_OVERLAP
        same[0] = True
        weights = rows[same, 0]
        mean = (weights[:, None] * rows[same, 5:]).sum(axis=0) / weights.sum()
        region = person_region(mean[:2], mean[2:])
        if region.valid:
            persons.append(PersonDetection(region, float(rows[0, 0])))
        rows = rows[~same]
    return persons


def _overlaps(row: Float[np.ndarray, "9"], rows: Float[np.ndarray, "n 9"]) -> np.ndarray:
    """Return intersection over union of one box with others."""
    low, high = np.maximum(row[1:3], rows[:, 1:3]), np.minimum(row[3:5], rows[:, 3:5])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(np.maximum(rows[:, 3:5] - rows[:, 1:3], 0), axis=1)
    area = np.prod(np.maximum(row[3:5] - row[1:3], 0))
    union = areas + area - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
