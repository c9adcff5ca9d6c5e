"""Errors of finished runs over seeds, against counts by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from benchmarks.errors import SeedErrors
from benchmarks.small_sets import BASELINES
from tests.benchmarks.test_small_sets import finished, predictions
from typer.testing import CliRunner

from benchmarks import errors

LABELS = np.array([0, 0, 1, 2])
IDS = ("s1_a", "s2_a", "s1_b", "s2_c")


def said(*classes: int, certainty: float = 0.8) -> np.ndarray:
    """Return probabilities whose largest is that of the classes."""
    probs: np.ndarray = np.eye(3)[list(classes)] * (certainty - 0.1) + 0.1
    return probs


@pytest.fixture
def seeds() -> SeedErrors:
    """Two seeds: clip 0 is right for both, 1 wrong alike, 2 wrong once, 3 wrong differently."""
    return SeedErrors(
        IDS,
        LABELS,
        np.stack([said(0, 1, 1, 0), said(0, 1, 2, 1, certainty=0.6)]),
        {"rocket": said(0, 1, 1, 2), "trees": said(1, 1, 1, 0)},
    )


def test_clips_are_counted_by_who_gets_them_wrong(seeds: SeedErrors) -> None:
    assert list(seeds.counts().items()) == [
        ("wrong, mean over seeds", pytest.approx(100 * 5 / 8)),
        ("wrong for the mean of all seeds' probabilities", 50),  # clips 1 and 3
        ("wrong for that and the simpler methods, averaged", 50),
        ("wrong for every seed", 50),
        ("wrong for every seed and every simpler method", 25),
        ("the same wrong class for all of them", 25),
    ]


def test_pairs_are_shares_of_the_true_class(seeds: SeedErrors) -> None:
    pairs = {(a, b): share for a, b, share in seeds.pairs(("x", "y", "z"))}
    # Of four clips of x, two seeds each, two are taken for y; of two of y one for z.
    assert pairs == {("x", "y"): 50, ("y", "z"): 50, ("z", "x"): 50, ("z", "y"): 50}


def test_groups_are_what_matches_alike(seeds: SeedErrors) -> None:
    assert seeds.groups("s[0-9]") == {"s1": 25, "s2": 100}
    assert seeds.groups("_c") == {"_c": 100, "no match": 50}


def test_runs_are_read_with_their_splits_and_baselines(tmp_path: Path) -> None:
    for seed, correct in ((1, "1110"), (2, "1010")):
        path = tmp_path / "runs" / f"seed{seed}"
        finished(path, "one", seed, correct)
        np.savez(path / "confusions.npz", class_names=np.array(["sit", "stand"]))
    (tmp_path / "base").mkdir()
    for name in BASELINES:
        predictions("1100").save(tmp_path / "base" / f"{name}.npz")
    read, names = errors.read_errors(tmp_path / "runs", tmp_path / "base")
    assert names == ("sit", "stand") and read.probs.shape == (2, 4, 2)
    counts = read.counts()
    assert counts["wrong for every seed"] == 25
    assert counts["wrong for every seed and every simpler method"] == 25

    app = typer.Typer()
    app.command()(errors.main)
    result = CliRunner().invoke(app, [str(tmp_path / "runs"), "--by", "[ab]"])
    assert "| wrong for every seed | 25.0 |" in result.output, result.output
    assert "| stand, sit | 75.0 |" in result.output and "| no match | 50.0 |" in result.output
