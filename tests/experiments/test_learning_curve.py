"""What a learning curve says in words and numbers."""

from __future__ import annotations

import csv
import io
import json

import pytest

from skeletonagent.evaluation.significance import mean_interval
from skeletonagent.experiments.learning_curve import LearningCurve, curve_points

SIZES = {"1": 1.0, "2": 2.0, "4": 4.0, "8": 7.5, "all": 12.0}


def curve_of(top1: dict[str, list[float]], **others: dict[str, list[float]]) -> LearningCurve:
    methods = {"recognizer": top1, **{name.replace("_", " "): v for name, v in others.items()}}
    points = [p for name, values in methods.items() for p in curve_points(name, SIZES, values)]
    return LearningCurve("toy", "main", 3, 50, tuple(points))


def along_a_law(shift: float = 0.0) -> list[float]:
    return [1 - (0.1 + shift + 0.6 * clips**-0.8) for clips in SIZES.values()]


def test_twice_the_clips_are_extrapolated_along_the_law_of_each_draw() -> None:
    """Three draws with the same law above other floors gain the same, so the interval is narrow."""
    draws = [along_a_law(shift) for shift in (0.0, 0.05, 0.1)]
    curve = curve_of(
        {size: list(v) for size, v in zip(SIZES, zip(*draws, strict=True), strict=True)}
    )
    true = 0.6 * (12**-0.8 - 24**-0.8)
    assert curve.power_law is not None and curve.doubling is not None
    assert curve.power_law.exponent == pytest.approx(0.8, abs=0.01)
    assert curve.power_law.floor == pytest.approx(0.15, abs=0.003)
    assert (curve.doubling.mean, curve.doubling.n) == (pytest.approx(true, abs=1e-3), 3)
    assert curve.doubling.low == pytest.approx(true, abs=3e-3)
    (sentence,) = [s for s in curve.sentences() if s.startswith("Extrapolated")]
    assert (
        "twice as many clips a class, 24 in place of 12, would bring about +3.5 points" in sentence
    )
    assert "up to 0.0 points off" in sentence


def test_draws_that_disagree_widen_the_interval() -> None:
    steep = [1 - 0.9 * clips**-1.0 for clips in SIZES.values()]
    flat = [0.5] * 5
    curve = curve_of({s: [a, b] for s, a, b in zip(SIZES, steep, flat, strict=True)})
    gains = [0.9 / 12 - 0.9 / 24, 0.0]
    wanted = mean_interval(gains)
    assert curve.doubling is not None and wanted.low is not None
    assert curve.doubling.mean == pytest.approx(wanted.mean, abs=1e-3)
    assert curve.doubling.low == pytest.approx(wanted.low, abs=1e-2)


def test_one_draw_has_no_interval() -> None:
    curve = curve_of({size: [v] for size, v in zip(SIZES, along_a_law(), strict=True)})
    assert curve.doubling is not None and curve.doubling.low is None
    assert "+3.5 points (one draw, no interval)" in " ".join(curve.sentences())


def test_three_sizes_are_too_few_for_a_law() -> None:
    curve = curve_of({"1": [0.3], "4": [0.5], "all": [0.6]})
    assert (curve.power_law, curve.doubling) == (None, None)
    assert (
        "What more clips would bring is not estimated: a power law takes 4 numbers of clips, this "
        "curve has 3."
    ) in curve.sentences()
    assert curve.to_json()["power_law"] is None


def test_sentences_by_hand() -> None:
    curve = curve_of(
        {"1": [0.2, 0.2], "4": [0.72, 0.74], "8": [0.75, 0.77], "all": [0.8, 0.8]},
        nearest_class_mean={"1": [0.3, 0.3], "8": [0.45, 0.47]},
    )
    reached, measured, _, compared = curve.sentences()
    assert reached == "With 4 clips a class you have 91% of the accuracy that all bring, 80.0%."
    assert measured.startswith("Measured: from 7.5 to 12 clips a class brought +4.0 points (")
    assert compared == "With 8 clips a class, recognizer minus nearest class mean: +30.0 points."
    assert [p.label for p in curve.method("recognizer")] == ["1", "4", "8 (7.5)", "all (12)"]


def test_a_curve_of_one_size_claims_nothing() -> None:
    curve = curve_of({"all": [0.0]}, nearest={"all": [0.5]})
    assert len(curve.sentences()) == 2
    assert "recognizer minus nearest: -50.0 points (one draw, no interval)" in curve.sentences()[1]


def test_files_hold_every_draw() -> None:
    curve = curve_of({"1": [0.25, 0.5], "all": [0.75, 1.0]}, nearest={"1": [0.1, 0.2]})
    rows = list(csv.DictReader(io.StringIO(curve.to_csv())))
    assert [(r["method"], r["size"], r["draw"], float(r["top1"])) for r in rows] == [
        ("recognizer", "1", "0", 0.25), ("recognizer", "1", "1", 0.5),
        ("recognizer", "all", "0", 0.75), ("recognizer", "all", "1", 1.0),
        ("nearest", "1", "0", 0.1), ("nearest", "1", "1", 0.2),
    ]  # fmt: skip
    plain = json.loads(json.dumps(curve.to_json()))
    assert plain["points"][1]["top1"] == [0.75, 1.0]
    assert plain["points"][1]["mean"]["mean"] == 0.875
    assert plain["sentences"] == curve.sentences()
