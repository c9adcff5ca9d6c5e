"""Accuracies of finished runs over seeds and splits, against counts by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks import small_sets
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.training.run_directory import RunDirectory

LABELS = np.array([0, 1, 0, 1])
IDS = ("a", "b", "c", "d")


def predictions(correct: str) -> ClassProbabilities:
    right = np.array([letter == "1" for letter in correct])
    chosen = np.where(right, LABELS, 1 - LABELS)
    return ClassProbabilities(IDS, LABELS, np.eye(2)[chosen] * 0.8 + 0.1)


def finished(path: Path, split: str, seed: int, correct: str) -> None:
    """Leave a run behind that is tested on four samples, and on the first two alone."""
    path.mkdir(parents=True)
    run = RunDirectory(path)
    predictions(correct).save(run.predictions)
    parts = {split: list(IDS), f"{split}_few": list(IDS[:2])}
    run.evaluation_parts.write_text(json.dumps(parts))
    test = {
        name: {
            "samples": len(ids),
            "top1": correct[: len(ids)].count("1") / len(ids),
            "top5": 1.0,
            "mean_class": None,
        }
        for name, ids in parts.items()
    }
    summary = {"split": split, "seed": seed, "seconds": 10 * seed, "test": test}
    run.summary.write_text(json.dumps(summary))


def rows(*arguments: str) -> list[dict[str, object]]:
    app = typer.Typer()
    app.command()(small_sets.main)
    result = CliRunner().invoke(app, arguments)
    assert not result.exception, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_splits_are_averaged_within_a_seed(tmp_path: Path) -> None:
    outcomes = {("one", 1): "1111", ("two", 1): "1100", ("one", 2): "1110", ("two", 2): "0111"}
    for (split, seed), correct in outcomes.items():
        finished(tmp_path / split / f"seed{seed}", split, seed, correct)
    for split in ("one", "two"):
        (tmp_path / "base" / split).mkdir(parents=True)
        for name in small_sets.BASELINES:
            predictions("1000").save(tmp_path / "base" / split / f"{name}.npz")
    whole, few = rows(str(tmp_path), "--baseline", str(tmp_path / "base"))
    assert whole["seeds"] == [75, 75] and whole["top1"] == 75
    assert few["seeds"] == [100, 75] and few["top1"] == 87.5
    assert whole["test"] == ["one", "two"] and few["test"] == ["one_few", "two_few"]
    assert whole["training_seconds"] == 15
    against = whole["baselines"]
    assert isinstance(against, dict)
    # Seed 1 is right on 4 more of 8 and never on fewer; seed 2 on 5 more, and wrong on one.
    assert against["multirocket_ridge"] == {"top1": 25, "mcnemar_p": [0.125, 0.2188]}


def test_seeds_must_have_the_same_splits(tmp_path: Path) -> None:
    finished(tmp_path / "a", "one", 1, "1111")
    finished(tmp_path / "b", "two", 2, "1111")
    with pytest.raises(typer.BadParameter, match="different splits"):
        small_sets.main(tmp_path)
