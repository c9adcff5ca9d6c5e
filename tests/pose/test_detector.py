"""Boxes of the detector are decoded, merged, and looked for in tiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.pose.detector import (
    PersonDetector,
    anchor_centres,
    decode_detections,
    merged_detections,
    near,
    tile_levels,
    tiles,
)
from skeletonagent.pose.regions import Region

WHOLE = Region(320, 240, 640)


class OnePerson:
    """Model that sees a person whenever its picture is bright in the middle of a cell."""

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        raw, logits = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), -9, np.float32)
        bright = np.argwhere(image[0, :, :, 0] > 0.5)
        if len(bright):
            y, x = bright.mean(axis=0)
            nearest = np.argmin(np.abs(anchor_centres() * 224 - [x, y]).sum(axis=1))
            size = 2 * math.sqrt(len(bright))
            offset = np.array([x, y]) - anchor_centres()[nearest] * 224
            raw[0, nearest, :2], raw[0, nearest, 2:4] = offset, size
            raw[0, nearest, 4:6], raw[0, nearest, 6:8] = offset, offset - [0, size]
            logits[0, nearest] = 3
        return [raw, logits]


def test_anchors_are_the_middles_of_cells() -> None:
    centres = anchor_centres()
    assert centres.shape == (2254, 2)
    np.testing.assert_allclose(centres[0], [0.5 / 28] * 2)
    np.testing.assert_allclose(centres[2], [1.5 / 28, 0.5 / 28])  # columns before rows
    np.testing.assert_allclose(centres[1568], [0.5 / 14] * 2)
    np.testing.assert_allclose(centres[-1], [6.5 / 7] * 2)


def test_a_box_is_worked_out_by_hand() -> None:
    raw, logits = np.zeros((2254, 12), np.float32), np.full((2254, 1), -10, np.float32)
    logits[1960] = np.log(3)  # the first anchor of the 7 x 7 grid, at 1/14
    raw[1960, :8] = [16, 0, 32, 64, 16, 16, 16, -8]
    (row,) = decode_detections(raw, logits, WHOLE)
    x = (1 / 14 + 16 / 224) * 640
    y = 1 / 14 * 640 - 80  # the square begins 80 pixels above the picture
    half_width, half_height = 16 / 224 * 640, 32 / 224 * 640
    middle, above = y + 16 / 224 * 640, y - 8 / 224 * 640
    expected = [0.75, x - half_width, y - half_height, x + half_width, y + half_height]
    np.testing.assert_allclose(row, [*expected, x, middle, x, above], rtol=1e-5)


def row(score: float, x: float, size: float = 40) -> list[float]:
    return [score, x, 0, x + size, size, x + size / 2, 30, x + size / 2, -10]


def test_boxes_of_one_person_are_averaged_by_score() -> None:
    one, other = merged_detections(np.array([row(0.6, 0), row(0.9, 10), row(0.7, 200)]))
    assert one.score == 0.9 and one.region.x == pytest.approx(20 + (0.6 * 0 + 0.9 * 10) / 1.5)
    assert other.score == 0.7 and other.region.x == pytest.approx(220)
    assert merged_detections(np.zeros((0, 9))) == []


def test_a_box_without_extent_is_no_person() -> None:
    flat = [0.9, 5, 5, 5, 5, 5, 5, 5, 5]
    assert merged_detections(np.array([flat, [math.nan] * 9])) == []


@given(h=st.integers(50, 3000), w=st.integers(50, 3000), person=st.floats(20, 2000))
def test_tiles_cover_the_picture_and_hold_persons_whole(h: int, w: int, person: float) -> None:
    levels = tile_levels(h, w, person)
    regions = tiles(h, w, levels)
    assert (regions[0].x, regions[0].y, regions[0].size) == (w / 2, h / 2, max(h, w))
    smallest = min(region.size for region in regions)
    assert smallest <= 5 * person or smallest < 2 * 240
    last = [region for region in regions if region.size == smallest]
    for x, y in [(0, 0), (w, h), (w / 3, h / 2), (w, 0)]:
        assert any(max(abs(r.x - x), abs(r.y - y)) <= r.size / 2 + 1e-6 for r in last)


def test_a_small_person_is_found_in_a_tile_and_once() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    image[700:712, 300:312] = 255
    detector = PersonDetector(OnePerson())
    found = detector.detect(image, levels=3)
    assert len(found) == 1
    assert (found[0].region.x, found[0].region.y) == pytest.approx((306, 706), abs=4)


def test_regions_of_one_person_are_near() -> None:
    region = Region(100, 100, 200)
    assert near(region, Region(110, 105, 230, 0.5))
    assert not near(region, Region(160, 100, 200))
    assert not near(region, Region(100, 100, 80))
