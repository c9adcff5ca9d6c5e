"""Records of baselines: whose they are, where they are kept, and how runs are compared."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from tests.small_run import CLASSES, samples

from skeletonagent.cli.app import app
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.archive import write_archive
from skeletonagent.data.settings import DataSettings, Origin, Placement, Scale
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.evaluation.significance import accuracy_interval
from skeletonagent.experiments import baseline_record
from skeletonagent.experiments.baseline import BASELINE_METHODS
from skeletonagent.experiments.baseline_record import (
    baseline_cache_folder,
    baseline_command,
    baseline_settings,
    preprocessing_of,
    put_beside_run,
    run_baselines,
    saved_baseline,
)
from skeletonagent.experiments.datasets import write_dataset
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an archive with two splits of the same training set, and one of another."""
    ids = [f"clip{n}" for n in range(24)]
    splits = {
        "whole": (ids[:12], ids[12:]),
        "some": (ids[:12], ids[12:18]),
        "reverse": (ids[12:], ids[:12]),
    }
    path = tmp_path_factory.mktemp("archive") / "small"
    return write_dataset(samples(24), layout=COCO_17, class_names=CLASSES, splits=splits, path=path)


def test_splits_of_one_training_set_share_a_fit(archive: Path) -> None:
    began: list[tuple[str, str]] = []
    settings = DataSettings(archive=str(archive))
    whole, some, other = run_baselines(settings, "all", lambda *both: began.append(both))
    assert began == [(split, m) for split in ("whole", "reverse") for m in BASELINE_METHODS]
    assert list(whole.parts) == ["whole", "some"] and list(some.parts) == ["some", "whole"]
    assert list(other.parts) == ["reverse"] and other.training_samples == 12
    (alone,) = run_baselines(settings, "some")
    assert alone.settings == some.settings and alone.parts == some.parts
    for one, two in zip(some.results, alone.results, strict=True):
        np.testing.assert_array_equal(one.predictions.probs, two.predictions.probs)
    for method, result in zip(some.summary()["methods"], some.results, strict=True):
        part = result.predictions.subset(some.parts["some"])
        interval = accuracy_interval(part)
        figures = method["test"]["some"]
        assert figures["samples"] == 6 and figures["top1"] == part.topk_accuracy(1)
        assert (figures["low"], figures["high"]) == (interval.low, interval.high)


def test_fewer_training_clips_of_a_class(archive: Path) -> None:
    settings = DataSettings(archive=str(archive), clips_per_class=2)
    (record,) = run_baselines(settings, "whole")
    assert record.training_samples == 6


def test_a_record_is_found_by_archive_split_and_preprocessing(archive: Path) -> None:
    settings = DataSettings(archive=str(archive), split="whole")
    assert saved_baseline(settings) is None
    (record,) = run_baselines(settings)
    record.save(baseline_cache_folder(record.settings))
    assert saved_baseline(settings) == record.summary()
    same = replace(settings, placement=Placement.DISK, storage_dtype="float16", confidence=True)
    assert saved_baseline(same) == record.summary()
    for change in ({"split": "some"}, {"scale": Scale.IMAGE}, {"clips_per_class": 2}):
        assert saved_baseline(replace(settings, **change)) is None
    (baseline_cache_folder(settings) / "baseline.json").write_text("[")
    assert saved_baseline(settings) is None
    record.save(baseline_cache_folder(settings))
    os.utime(archive, ns=(1, 1))
    assert saved_baseline(settings) is None
    assert saved_baseline(replace(settings, archive="nowhere")) is None


@pytest.mark.parametrize(
    "settings",
    [
        DataSettings(archive="a b/x.npz", split="whole"),
        DataSettings(archive="a b/x", split="s", origin=Origin.GROUP, scale=Scale.IMAGE),
        DataSettings(archive="a b/x", split="s", clips_per_class=3, draw_seed=2),
    ],
)
def test_the_command_computes_the_baseline_of_these_settings(
    settings: DataSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_archive(replace(synthetic_dataset(clips_per_class=2, subjects=2), name="x"), Path("a b"))
    settings = replace(settings, archive=str(tmp_path / settings.archive))
    program, name, *words = shlex.split(baseline_command(settings))
    command: Any = typer.main.get_command(app)
    values = command.commands[name].make_context(name, words).params
    assert program == "skeletonagent"
    parsed = baseline_settings(values["archive"], values["set_"] or [])
    assert parsed.archive == settings.archive and values["split"] == settings.split
    assert preprocessing_of(parsed) == preprocessing_of(settings)


def test_the_command_for_an_archive_that_is_gone_names_everything(tmp_path: Path) -> None:
    words = baseline_command(DataSettings(archive=str(tmp_path / "gone"), split="s"))
    assert "data.orientation=camera" in words and "data.clips_per_class=null" in words


def test_settings_of_other_sections_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"section data alone, got 'clips.frames=3'"):
        baseline_settings("x", ["data.scale=none", "clips.frames=3"])
    with pytest.raises(ConfigError, match="scala"):
        baseline_settings("x", ["data.scala=none"])


def finished_run(path: Path, predictions: ClassProbabilities, parts: dict[str, list[str]]) -> Path:
    run = RunDirectory(path)
    predictions.save(run.predictions)
    run.evaluation_parts.write_text(json.dumps(parts))
    return path


def test_a_run_is_compared_on_the_test_set_of_its_split(archive: Path, tmp_path: Path) -> None:
    settings = DataSettings(archive=str(archive), split="some", origin=Origin.NONE)
    assert put_beside_run(tmp_path / "run", settings) is None
    (record,) = run_baselines(settings)
    record.save(baseline_cache_folder(settings))
    theirs = record.results[0].predictions
    right = theirs.probs.argmax(axis=1) == theirs.labels
    inside = np.array([sample in record.parts["some"] for sample in theirs.sample_ids])
    # A run that is right where the baseline is wrong, and the reverse.
    shares = np.eye(3)[np.where(right, (theirs.labels + 1) % 3, theirs.labels)]
    opposite = ClassProbabilities(theirs.sample_ids, theirs.labels, shares)
    parts = {name: sorted(ids) for name, ids in record.parts.items()}
    run = finished_run(tmp_path / "run", opposite, parts)
    beside = put_beside_run(run, settings)
    assert beside is not None and RunDirectory(run).read_baseline() == beside
    method = beside["methods"][0]
    assert method["only_baseline"] == int((right & inside).sum()) > 0
    assert method["only_run"] == int((~right & inside).sum())
    assert 0 <= method["p"] <= 1


def test_a_run_on_other_samples_is_not_compared(archive: Path, tmp_path: Path) -> None:
    settings = DataSettings(archive=str(archive), split="reverse", origin=Origin.NONE)
    (record,) = run_baselines(settings)
    record.save(baseline_cache_folder(settings))
    theirs = record.results[0].predictions
    fewer = theirs.subset(set(theirs.sample_ids[:5]))
    for number, parts in enumerate(
        ({"reverse": list(theirs.sample_ids)}, {"other": list(theirs.sample_ids)})
    ):
        run = finished_run(tmp_path / str(number), fewer, parts)
        beside = put_beside_run(run, settings)
        assert beside is not None and "p" not in beside["methods"][0]


def test_confidence_and_placement_are_no_preprocessing() -> None:
    known = set(preprocessing_of(DataSettings()))
    assert {"origin", "scale", "clips_per_class"} <= known
    assert not known & set(baseline_record.NOT_PREPROCESSING)
