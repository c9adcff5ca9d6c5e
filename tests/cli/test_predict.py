"""``predict`` and ``evaluate``: tables, JSON and CSV of a trained run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.inference.acting import acted
from tests.small_run import CLASSES, samples, small_archive, small_run

from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.inference.source_check import SourceCheck
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


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    np.save(tmp_path / "long.npy", acted([0, 1], 20))
    return tmp_path / "long.npy"


def test_recordings_are_cut_into_segments(run: Path, recording: Path) -> None:
    arguments = ("predict", recording, "--run", run, "--segments", "--fps", "30")
    result = invoke(*arguments, "--json").json
    assert result["schema"] == "skeletonagent.prediction/1" and result["samples"] == []
    (found,) = result["recordings"]
    assert found["schema"] == result["schema"] and found["source"] == str(recording)
    assert [segment["person"] for segment in found["segments"]] == ["1", "1"]
    rows = list(csv.DictReader(io.StringIO(invoke(*arguments, "--csv").out)))
    assert [int(row["start_frame"]) for row in rows] == [
        segment["start_frame"] for segment in found["segments"]
    ]
    assert [row["class"] for row in rows] == [segment["label"] for segment in found["segments"]]
    heading, *lines = invoke(*arguments).out.splitlines()
    assert heading.split() == [
        "recording", "person", "from", "to", "class", "probability", "next",
    ]  # fmt: skip
    assert len(lines) == 2 and lines[0].split()[:2] == ["long", "1"] and "0:0" in lines[0]


def test_a_setting_of_windows_asks_for_segments(run: Path, recording: Path) -> None:
    plain = invoke("predict", recording, "--run", run, "--json")
    assert len(plain.json["samples"]) == 1 and "predict --segments" in plain.err
    result = invoke("predict", recording, "--run", run, "--window", "20", "--json")
    (found,) = result.json["recordings"]
    assert found["engine"]["window"] == 20
    assert "long: frames a second are unknown" in result.err
    assert "frame " in invoke("predict", recording, "--run", run, "--window", "20").out


def test_clips_also_have_the_form_of_recordings(run: Path, clip: Path) -> None:
    result = invoke("predict", clip, "--run", run, "--json").json
    (found,), (row,) = result["recordings"], result["samples"]
    (segment,) = found["segments"]
    assert (segment["label"], found["frames"]) == (row["class"], 14)
    assert (segment["start_frame"], segment["end_frame"]) == (0, 14)
    assert segment["score"] == round(row["probability"], 6)


def test_keypoint_files_are_recordings(run: Path, recording: Path, clip: Path) -> None:
    joints = np.load(recording)
    header = ",".join(
        f"{name.replace(' ', '_')}_{axis}" for name in COCO_17.joints for axis in "xy"
    )
    table = recording.with_suffix(".csv")
    np.savetxt(table, joints.reshape(len(joints), -1), delimiter=",", header=header, comments="")
    (found,) = invoke("predict", table, "--run", run, "--fps", "30", "--json").json["recordings"]
    assert found["source"] == str(table) and len(found["segments"]) == 2
    clips = invoke("predict", table, "--run", run, "--clips", "--json").json
    assert len(clips["samples"]) == 1 and clips["recordings"][0]["fps"] is None
    timed = invoke("predict", table, "--run", run, "--clips", "--fps", "30", "--json").json
    assert timed["recordings"][0]["fps"] == 30
    assert timed["recordings"][0]["segments"][0]["end"] == round(len(joints) / 30, 3)
    with pytest.raises(ConfigError, match="do not fit into one table"):
        invoke("predict", table, clip, "--run", run, "--csv")


def test_what_cannot_be_predicted_is_refused(run: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        invoke("predict", str(clip), "--run", str(run), "--json", "--csv")
    with pytest.raises(CheckpointError, match="no trained run"):
        invoke("predict", str(clip), "--run", str(tmp_path))
    np.save(tmp_path / "wide.npy", np.zeros((5, 25, 3)))
    with pytest.raises(DataError, match=r"wanted is \(T, 17, 2\)"):
        invoke("predict", str(tmp_path / "wide.npy"), "--run", str(run))


def test_evaluation_says_that_frame_rates_differ(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float | None] = []
    monkeypatch.setattr(SourceCheck, "of_rate", lambda _, fps: rates.append(fps) or "other rate")
    assert "! other rate" in invoke("evaluate", run, "--json").err and len(rates) == 1


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


@pytest.fixture
def table(run: Path, recording: Path) -> Path:
    """Write the segments that are found, in frames, and one that is not."""
    found = invoke("predict", recording, "--run", run, "--segments", "--fps", "30", "--json").json
    rows = [
        f"long.npy,{segment['label']},{segment['start_frame']},{segment['end_frame']}"
        for segment in found["recordings"][0]["segments"]
        if segment["label"] != "unknown"
    ]
    rows += ["long.npy,fly,0,9", "long.npy,rest,0,5"]
    path = recording.with_name("true.csv")
    path.write_text("\n".join(["file,label,start_frame,end_frame", *rows]))
    return path


def test_segments_are_compared_with_a_table(run: Path, table: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", run, "--segments", table, "--fps", "30")
    result = invoke(*arguments, "--json")
    metrics = result.json["metrics"]
    count = metrics["predicted"]
    assert (metrics["recordings"], metrics["segments"]) == (1, count + 1)
    assert metrics["f1"]["0.50"] == pytest.approx(2 * count / (2 * count + 1))
    assert metrics["false_positives"] == 0 and "cannot be found" in result.err
    assert "F1 at IoU 0.50" in invoke(*arguments).out
    in_seconds = tmp_path / "seconds.csv"
    in_seconds.write_text("file,label,start,end\nlong,wave,0.5,1.5\n")
    data = ("--data", tmp_path / "long.npy")
    found = invoke("evaluate", run, "--segments", in_seconds, *data, "--fps", "30", "--json").json
    assert found["metrics"]["segments"] == 1
    with pytest.raises(DataError, match="is in seconds, and the frame rate"):
        invoke("evaluate", run, "--segments", in_seconds, *data)


def test_tables_that_do_not_fit_are_refused(run: Path, recording: Path, tmp_path: Path) -> None:
    table = tmp_path / "true.csv"
    for text, problem in (
        ("file,label\n", "holds no segment"),
        ("file,label\ngone.npy,wave\n", "there is no"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=problem):
            invoke("evaluate", run, "--segments", table)
    with pytest.raises(DataError, match=r"names the recording 'gone\.npy'; there are long"):
        invoke("evaluate", run, "--segments", table, "--data", recording)
