"""Units, ranges and what was not seen, of data sets whose answers are known."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.importing.figures import NAMES, REST, figure

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.archive import read_archive
from skeletonagent.data.coordinate_summary import summarize_coordinates

PARENTS = (1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 8, 11)
LAYOUT = SkeletonLayout(
    "figure", NAMES, tuple((n, parent) for n, parent in enumerate(PARENTS) if parent >= 0), 8
)


def store_of(
    *clips: np.ndarray, layout: SkeletonLayout = LAYOUT, image: tuple[float, float] | None = None
) -> ClipStore:
    bodies = [clip[None] if clip.ndim == 3 else clip for clip in clips]
    sequences = [
        SkeletonSequence(body.astype(np.float32), 0, f"s{n}", None, image)
        for n, body in enumerate(bodies)
    ]
    return ClipStore.from_sequences(sequences, layout, ("only",))


@pytest.mark.parametrize(
    ("factor", "shift", "coordinates", "unit"),
    [
        (1, 0, 3, "metres"),
        (100, 0, 3, "centimetres"),
        (1000, 0, 3, "millimetres"),
        (12, 0, 3, "unknown"),
        (150, 300, 2, "pixels"),
        (0.3, 0.1, 2, "normalised"),
        (0.3, 0.1, 3, "normalised"),
        (0.6, -0.9, 2, "normalised"),
    ],
)
def test_the_unit_is_guessed(factor: float, shift: float, coordinates: int, unit: str) -> None:
    clips = [factor * figure(0, n)[..., :coordinates] + shift for n in range(3)]
    summary = summarize_coordinates(store_of(*clips))
    assert summary.unit == unit, summary
    assert summary.extent == pytest.approx(1.6 * factor, rel=0.15) and summary.unit_reason


def test_ranges_are_those_of_joints_that_are_seen() -> None:
    clip = np.repeat(REST[None] + [5, 5, 5], 4, axis=0)
    clip[0] = 0
    clip[1, 0] = 0
    summary = summarize_coordinates(store_of(clip))
    low, high = REST.min(axis=0) + 5, REST.max(axis=0) + 5
    np.testing.assert_allclose(summary.ranges, np.stack([low, high], axis=1), rtol=1e-6)
    assert summary.lost == pytest.approx(0.25)
    assert summary.seen["skull"] == pytest.approx(2 / 3)
    assert list(summary.rarely_seen) == ["skull"]
    assert "data.gaps=interpolate, since joints are absent now and then" in summary.advice


def test_a_wrong_order_is_found_and_said() -> None:
    assert summarize_coordinates(store_of(figure(0, 0), figure(1, 1))).layout_problems == ()
    order = np.random.default_rng(0).permutation(13)
    mixed = summarize_coordinates(store_of(figure(0, 0)[:, order], figure(1, 1)[:, order]))
    assert mixed.layout_problems and "another order" in mixed.advice[0]


def test_pixels_with_and_without_the_size_of_the_image() -> None:
    clip = 200 * figure(0, 0)[..., :2] + 400
    assert "data.scale=image" in summarize_coordinates(store_of(clip, image=(1280, 720))).advice[0]
    advice = summarize_coordinates(store_of(clip)).advice[0]
    assert advice == "data.scale=body, since the sizes of the images are not known"


def test_rare_joints_and_missing_sides_are_named() -> None:
    clip = figure(0, 0)
    clip[3:, 4] = 0
    plain = replace(LAYOUT, joints=tuple(f"joint {n}" for n in range(13)))
    advice = summarize_coordinates(store_of(clip, layout=plain)).advice
    assert "leave out joints that are hardly ever seen: joint 4" in advice
    assert any("mirroring needs them" in line for line in advice)


def test_nobody_and_infinite_joints_are_no_failure() -> None:
    summary = summarize_coordinates(store_of(np.zeros((4, 13, 3))))
    assert (summary.unit, summary.ranges, summary.lost) == ("unknown", (), 1.0)
    clip = figure(0, 0)
    clip[0, 0, 0] = np.inf
    summary = summarize_coordinates(store_of(clip))
    assert np.isfinite(summary.ranges).all() and asdict(summary)["unit"] == "metres"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("utd_mhad", "metres"), ("nw_ucla", "metres"), ("sbu", "normalised"), ("jhmdb", "pixels")],
)
def test_units_of_real_sets(shared: Path, name: str, unit: str) -> None:
    store = read_archive(shared / "data" / name).store
    summary = summarize_coordinates(store)
    assert not summary.layout_problems and summary.bones
    assert name in ("sbu", "jhmdb") or summary.unit == unit
