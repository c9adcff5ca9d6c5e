"""Commands that work, one after the other as a user would give them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from skeletonagent.core.streams import Stream


@pytest.fixture
def trained(command: Any, quick: Any, archive: Path, tmp_path: Path) -> Path:
    """Return a finished run."""
    run = tmp_path / "run"
    result = command("train", "--data", archive, "--out", run, *quick())
    assert result.status == 0, result.err
    assert "first" in result.out and str(run) in result.err
    return run


def test_a_run_can_be_evaluated_and_looked_at(trained: Path, command: Any) -> None:
    summary = json.loads((trained / "summary.json").read_text())
    scores = trained.parent / "again.npz"
    evaluated = command("evaluate", trained, "--predictions", scores, "--json")
    assert evaluated.json["top1"] == summary["top1"]
    assert evaluated.json["test"] == summary["test"]
    with np.load(scores) as one, np.load(trained / "predictions.npz") as other:
        assert one["sample_ids"].tolist() == other["sample_ids"].tolist()
        np.testing.assert_array_equal(one["probs"], other["probs"])
    other_split = command("evaluate", trained, "--split", "second", "--json")
    assert (other_split.status, other_split.json["split"]) == (0, "second")
    fewer = command("evaluate", trained, "--set", "clips.test_clips=1", "--json")
    assert fewer.status == 0

    shown = command("runs", "show", trained, "--json")
    assert shown.json["epochs"] == "2/2"
    assert shown.json["config"] == yaml.safe_load((trained / "config.yaml").read_text())
    assert len(shown.json["metrics"]) == 2
    listed = command("runs", "list", trained.parent, "--json")
    assert [run["run"] for run in listed.json["runs"]] == [str(trained)]
    assert listed.json["runs"][0]["top1"] == summary["top1"]
    for people in (command("runs", "show", trained), command("runs", "list", trained.parent)):
        assert (people.status, people.err) == (0, "")
        assert "first" in people.out


@pytest.mark.parametrize("kind", ["pairs", "flat"])
def test_pairs_and_planes_train_too(
    kind: str, request: pytest.FixtureRequest, command: Any, quick: Any, tmp_path: Path
) -> None:
    path = request.getfixturevalue(kind)
    trained = command("train", "--data", path, "--out", tmp_path / "run", *quick(), "--json")
    assert trained.status == 0, trained.err
    evaluated = command("evaluate", tmp_path / "run", "--json")
    assert evaluated.json["top1"] == trained.json["top1"]
    assert trained.json["data"] == kind


@pytest.mark.parametrize("stream", list(Stream))
def test_every_stream_trains(
    stream: Stream, command: Any, quick: Any, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ["--stream", stream.short, *quick("training.epochs=1"), "--json"]
    trained = command("train", "--data", archive, "--out", out, *options)
    assert trained.json["stream"] == stream.value
    assert command("evaluate", out, "--json").json["top1"] == trained.json["top1"]


def test_all_splits_and_several_seeds_are_averaged(
    command: Any, quick: Any, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    options = ["--split", "all", "--seeds", "2", *quick("training.epochs=1"), "--json"]
    done = command("train", "--data", archive, "--out", out, *options)
    assert done.status == 0, done.err
    places = [f"{split}/seed{seed}" for split in ("first", "second") for seed in (0, 1)]
    singles = [json.loads((out / place / "summary.json").read_text()) for place in places]
    assert [(s["split"], s["seed"]) for s in singles] == [
        ("first", 0), ("first", 1), ("second", 0), ("second", 1),
    ]  # fmt: skip
    together = json.loads((out / "summary.json").read_text())
    assert together == done.json
    assert together["runs"] == singles
    top1 = [single["top1"] for single in singles]
    assert together["top1"] == pytest.approx(np.mean(top1))
    assert together["top1_sd"] == pytest.approx(np.std(top1, ddof=1))
    again = command("train", "--data", archive, "--out", out, *options, "--resume")
    assert again.json["top1"] == together["top1"]


def test_a_written_configuration_trains(
    command: Any, quick: Any, archive: Path, tmp_path: Path
) -> None:
    shown = command("config", "show", "sbu", "--data", archive, *quick("training.epochs=1"))
    mine = tmp_path / "mine.yaml"
    mine.write_text(shown.out)
    run = tmp_path / "run"
    assert command("train", mine, "--out", run).status == 0
    expected = yaml.safe_load(shown.out)
    expected["data"]["split"] = "first"
    assert yaml.safe_load((run / "config.yaml").read_text()) == expected


def test_archives_are_found_and_looked_over(command: Any, archive: Path, pairs: Path) -> None:
    listed = command("data", "list", archive.parent, "--json")
    names = {entry["name"]: entry for entry in listed.json["data"]}
    assert set(names) == {"synthetic", "actions"}
    assert names["actions"]["splits"] == ["first", "second"]
    checked = command("data", "check", pairs, "--json")
    assert checked.status == 0
    assert checked.json["persons"] == {"2": 16}
    assert "4, with 4 to 4 samples each" in command("data", "check", archive).out


def test_resuming_a_finished_run_changes_nothing(
    trained: Path, command: Any, quick: Any, archive: Path
) -> None:
    before = json.loads((trained / "summary.json").read_text())
    again = command("train", "--data", archive, "--out", trained, *quick(), "--resume", "--json")
    assert again.status == 0, again.err
    assert {**again.json, "finished": ""} == {**before, "finished": ""}


def test_a_recognizer_of_pairs_takes_clips_of_one(
    pairs: Path, archive: Path, command: Any, quick: Any, tmp_path: Path
) -> None:
    command("train", "--data", pairs, "--out", tmp_path / "two", *quick())
    one = command("evaluate", tmp_path / "two", "--data", archive, "--json")
    assert one.status == 0, one.err
    assert one.json["split"] == "first"
