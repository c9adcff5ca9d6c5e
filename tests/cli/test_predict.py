"""``predict`` and ``evaluate``: tables, JSON and CSV of a trained run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.small_run import CLASSES, samples, small_archive, small_run

from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine")


@pytest.fixture(scope="module")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(archive, tmp_path_factory.mktemp("run") / "one", agents__chat="none").path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    np.save(tmp_path / "clip.npy", samples(1)[0].joints)
    return tmp_path / "clip.npy"


def test_a_table_names_the_most_probable_class_and_the_next(run: Path, clip: Path) -> None:
    result = invoke("predict", str(clip), "--run", str(run))
    (row,) = json.loads(invoke("predict", str(clip), "--run", str(run), "--json").out)["samples"]
    heading, line = result.out.splitlines()
    assert heading.split() == ["sample", "class", "probability", "next"]
    assert line.split()[:3] == ["clip", row["class"], f"{row['probability']:.1%}"]
    assert line.count("%") == 3


def test_json_holds_everything_of_several_files(run: Path, clip: Path, archive: Path) -> None:
    out = invoke(
        "predict", str(clip), str(archive), "--run", str(run), "--json", "--top-k", "2"
    ).out
    result = json.loads(out)
    assert result["run"] == str(run) and result["class_names"] == list(CLASSES)
    assert [row["sample"] for row in result["samples"]] == [
        "clip", *(sample.sample_id for sample in samples())
    ]  # fmt: skip
    for row in result["samples"]:
        assert CLASSES[row["label"]] == row["class"] == row["top"][0]["class"]
        assert row["probability"] == row["top"][0]["probability"] and len(row["top"]) == 2
    assert {row["file"] for row in result["samples"]} == {str(clip), str(archive)}
    assert result["samples"][0]["top"] == result["samples"][1]["top"]  # the same joints


def test_csv_has_a_line_for_each_sample_and_class(run: Path, clip: Path) -> None:
    out = invoke("predict", str(clip), "--run", str(run), "--csv", "--top-k", "3").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["class"] for row in rows} == set(CLASSES)
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(1, abs=1e-5)


def test_warnings_are_remarks_beside_the_result(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "nobody.npy", np.full((5, 17, 2), np.nan))
    result = invoke("predict", str(tmp_path / "nobody.npy"), "--run", str(run), "--json")
    assert len(json.loads(result.out)["samples"]) == 1
    assert "no joint was seen" in result.err and "UserWarning" not in result.err


def test_what_cannot_be_predicted_is_refused(run: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        invoke("predict", str(clip), "--run", str(run), "--json", "--csv")
    with pytest.raises(CheckpointError, match="no trained run"):
        invoke("predict", str(clip), "--run", str(tmp_path))
    np.save(tmp_path / "wide.npy", np.zeros((5, 25, 3)))
    with pytest.raises(DataError, match=r"wanted is \(T, 17, 2\)"):
        invoke("predict", str(tmp_path / "wide.npy"), "--run", str(run))


def test_evaluation_repeats_the_result_of_the_training(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.npz"
    result = invoke("evaluate", str(run), "--predictions", str(file), "--json")
    summary = RunDirectory(run).read_summary()
    assert summary is not None
    assert json.loads(result.out) == {
        "split": "halves", "epoch": 2, "top1": summary["top1"], "test": summary["test"],
    }  # fmt: skip
    saved = ClassProbabilities.load(file)
    np.testing.assert_array_equal(
        saved.probs, ClassProbabilities.load(RunDirectory(run).predictions).probs
    )
    table = invoke("evaluate", str(run)).out
    assert f"{summary['top1']:.2%}" in table and "halves" in table


def test_another_archive_must_be_of_the_same_classes(
    run: Path, archive: Path, tmp_path: Path
) -> None:
    meta = json.loads(archive.with_suffix(".json").read_text())
    (tmp_path / "mine.npz").write_bytes(archive.read_bytes())
    (tmp_path / "mine.json").write_text(json.dumps(meta | {"class_names": ["a", "b", "c"]}))
    with pytest.raises(CheckpointError, match="3 classes and 20 joints"):
        invoke("evaluate", str(run), "--data", str(tmp_path / "mine.npz"))
    with pytest.raises(ConfigError, match="no split 'thirds'"):
        invoke("evaluate", str(run), "--split", "thirds")
