from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.report.results import (
    accuracy_rows,
    class_results,
    confusion_matrices,
    ensemble_rows,
    simple_baseline_row,
    training_curves,
)
from skeletonagent.report.runs import ReportedRun, group_by_recipe, read_runs
from skeletonagent.training.run_directory import RunDirectory

from .test_serialize import unpacked


@pytest.fixture
def three(runs: Path) -> list[ReportedRun]:
    return read_runs([runs / name for name in ("guided", "again", "unguided")])


def of(run: ReportedRun, right: list[int], seed: int = 0) -> ReportedRun:
    """Return a run of two classes that has as many of their four samples right."""
    labels = np.repeat([0, 1], 4)
    hits = np.concatenate([np.arange(4) < count for count in right])
    scores = np.eye(2)[np.where(hits, labels, 1 - labels)]
    ids = tuple(f"s{n}" for n in range(8))
    return replace(
        run,
        config=replace(run.config, seed=seed),
        predictions=ClassProbabilities(ids, labels, scores),
    )


def test_a_recipe_of_several_runs_has_a_row_for_their_mean(three: list[ReportedRun]) -> None:
    rows = accuracy_rows(group_by_recipe(three))
    assert [row["name"] for row in rows] == ["guided", "again", "mean of 2", "unguided"]
    one, two, mean, _ = (row["top1"] for row in rows)
    assert mean["value"] == pytest.approx((one["value"] + two["value"]) / 2)
    assert one["low"] < one["value"] < one["high"]
    assert (one["n"], mean["n"]) == (9, 2)
    assert 0 <= mean["low"] <= mean["high"] <= 1
    assert accuracy_rows(group_by_recipe([replace(run, predictions=None) for run in three])) == []


def test_curves_are_columns(three: list[ReportedRun]) -> None:
    (first, second, third) = training_curves(group_by_recipe(three))
    assert [curve["seed"] for curve in (first, second, third)] == [0, 1, 0]
    assert first["recipe"] == second["recipe"] != third["recipe"]
    assert first["run"] == "guided" and first["epoch"] == [0, 1, 2, 3]
    assert first["loss"] == [3.0, 2.5, 2.0, 1.5]
    assert first["validation_top1"] == [0.0, 0.2, 0.4, None]
    assert first["round"] == [0, 0, 1, 1]


def test_confusions_are_those_of_the_scores(three: list[ReportedRun]) -> None:
    matrices = confusion_matrices(three, three[0].checkpoint())
    assert len(matrices) == 4
    for matrix, run in zip(matrices, three, strict=False):
        assert run.predictions is not None
        dense = np.zeros(9, dtype=int)
        dense[unpacked(matrix["index"]).astype(int)] = unpacked(matrix["count"])
        assert (dense.reshape(3, 3) == run.predictions.confusions()).all()
    assert unpacked(matrices[3]["count"]).tolist() == [5, 1, 2, 4, 6]


def test_classes_against_a_baseline(three: list[ReportedRun]) -> None:
    runs = [of(three[0], [4, 2], 0), of(three[1], [4, 4], 1)]
    other = [of(three[2], [2, 4], 0), of(three[2], [1, 4], 1)]
    figures = class_results(runs, other)
    assert figures is not None
    assert figures["accuracy"] == [1, 0.75]
    assert figures["baseline"] == [0.375, 1]
    hard, medium, easy = figures["subsets"]
    assert (hard["classes"], medium["classes"], easy["classes"]) == ([0], [], [1])
    assert (hard["baseline"], hard["accuracy"], medium["accuracy"]) == (0.375, 1.0, None)
    comparison = figures["comparison"]
    assert comparison["difference"] == pytest.approx(0.875 - 0.6875)
    assert comparison["seeds"] == 2 and comparison["paired"]["value"] == pytest.approx(0.1875)
    assert (comparison["only_first"], comparison["only_second"]) == (2, 2)
    assert comparison["p"] == 1.0


def test_classes_alone(three: list[ReportedRun]) -> None:
    figures = class_results([of(three[0], [2, 4])], [])
    assert figures is not None
    assert figures["baseline"] is None and figures["comparison"] is None
    assert [subset["classes"] for subset in figures["subsets"]] == [[0], [], [1]]
    assert class_results([replace(three[0], predictions=None)], []) is None


def test_other_samples_are_compared_by_class_alone(three: list[ReportedRun]) -> None:
    run = of(three[0], [4, 4])
    assert run.predictions is not None
    other = replace(run, predictions=replace(run.predictions, sample_ids=tuple("abcdefgh")))
    figures = class_results([run], [other])
    assert figures is not None and figures["comparison"]["p"] is None


def test_streams_are_fused_as_the_paper_does(three: list[ReportedRun]) -> None:
    def seen(run: ReportedRun, stream: Stream, right: list[int]) -> ReportedRun:
        clips = replace(run.config.clips, stream=stream)
        return of(replace(run, config=replace(run.config, clips=clips)), right)

    joint, bone = seen(three[0], Stream.JOINT, [4, 3]), seen(three[1], Stream.BONE, [4, 3])
    (row,) = ensemble_rows(joint, [joint, bone, three[2]])
    assert (row["name"], row["recipe"], row["top1"]["value"]) == ("2 streams fused", "j, b", 0.875)
    assert ensemble_rows(joint, [joint]) == []


def test_test_sets_of_one_training_are_side_by_side(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "two"
    shutil.copytree(runs / "guided", path)
    run = RunDirectory(path)
    whole = ClassProbabilities.load(run.predictions)
    fewer = list(whole.sample_ids[:5])
    parts = {"half": list(whole.sample_ids[1:]), "fewer": fewer}
    run.evaluation_parts.write_text(json.dumps(parts))
    (read,) = read_runs([path])
    # What is reported first is the test set of the run's split, not the samples of all.
    assert read.predictions is not None and read.predictions.sample_ids == whole.sample_ids[1:]
    (row,) = accuracy_rows(group_by_recipe([read]))
    assert row["top1"]["n"] == 8 and list(row["parts"]) == ["half", "fewer"]
    assert row["parts"]["half"]["top1"] == row["top1"]
    right = (whole.probs.argmax(axis=1) == whole.labels)[:5].mean()
    assert row["parts"]["fewer"]["top1"]["value"] == pytest.approx(right)
    titles = [matrix["title"] for matrix in confusion_matrices([read], None)]
    assert titles == ["test set half, two", "test set fewer, two"]
    rows = accuracy_rows(group_by_recipe([read, replace(read, name="again")]))
    assert rows[2]["mean"] and rows[2]["parts"]["fewer"]["top1"]["value"] == pytest.approx(right)
    run.evaluation_parts.write_text(json.dumps(parts | {"fewer": ["of another"]}))
    with pytest.raises(DataError, match="samples of fewer that"):
        read_runs([path])


def test_a_method_without_deep_learning_has_a_row(three: list[ReportedRun]) -> None:
    figures = {"top1": 0.5, "low": 0.4, "high": 0.6, "samples": 9, "top5": 1.0, "mean_class": 0.45}
    record = {"split": "b", "methods": [{"name": "ridge", "test": {"a": {}, "b": figures}}]}
    runs = [three[0], replace(three[1], simple_baseline=record), three[2]]
    row = simple_baseline_row(runs)
    assert row is not None and row.keys() == accuracy_rows(group_by_recipe(three))[0].keys()
    assert row["name"] == "ridge" and row["mean_class"] == 0.45
    assert row["top1"] == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    assert simple_baseline_row(three) is None
    with pytest.raises(DataError, match=r"baseline\.json: is damaged"):
        simple_baseline_row([replace(three[0], simple_baseline=record | {"split": "c"})])
