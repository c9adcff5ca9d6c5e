"""A study in a folder: its rows, its unfinished runs, and their metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.plans import STUDY_PLANS
from skeletonagent.experiments.study import (
    Study,
    hold_out_validation,
    resolve_runs,
    run_directory,
    select_plan,
)
from skeletonagent.training.run_directory import RunDirectory

PLAN = STUDY_PLANS["difficulty"]
BASE, GUIDED = (row.label for row in PLAN.rows)


def opened(_: DataSettings) -> SkeletonData:
    data = synthetic_dataset(clips_per_class=2, subjects=2)
    ids = data.store.sample_ids
    halves = {"a": Split(ids[::2], ids[1::2]), "b": Split(ids[1::2], ids[::2])}
    return replace(data, splits=halves, default_split="a")


def finish(study: Study, key: tuple[str, int], right: int, device: str = "auto") -> None:
    """Write a finished run with so many correct predictions of ten test samples."""
    run = RunDirectory(study.directory(key))
    write_config(replace(study.runs[key], device=device), run.config)
    data = opened(DataSettings())
    ids = data.splits[str(study.runs[key].data.split)].test[:10]
    labels = np.zeros(10, dtype=np.int64)
    wrong = np.arange(10) >= right
    ClassProbabilities(ids, labels, np.eye(2)[wrong.astype(int)]).save(run.predictions)
    run.summary.write_text(json.dumps({"device": "a CPU, 1 threads"}))
    seconds = {"wall_seconds": 1.0, "processor_seconds": 2.0 + key[1]}
    (run.path / "cost.json").write_text(json.dumps(seconds))


def study_of(out: Path, *rotation: str, seeds: int = 2) -> Study:
    return Study(out, PLAN, resolve_runs(PLAN, Config(), seeds, opened, rotation), opened)


def test_seeds_rotate_over_splits(tmp_path: Path) -> None:
    runs = study_of(tmp_path, "a", "b", seeds=5).runs
    assert [config.data.split for (row, _), config in runs.items() if row == BASE] == [*"ababa"]
    assert list(runs)[:4] == [(BASE, 0), (GUIDED, 0), (BASE, 1), (GUIDED, 1)]
    later = resolve_runs(PLAN, replace(Config(), seed=1), 1, opened, ("a", "b"))
    assert later[BASE, 1] == runs[BASE, 1]
    assert study_of(tmp_path).runs[BASE, 1].data.split == "a"
    with pytest.raises(ConfigError, match="no split 'c'"):
        study_of(tmp_path, "a", "c")


def test_rotating_splits_are_one_part_together(tmp_path: Path) -> None:
    study = study_of(tmp_path, "a", "b")
    for key, right in {(BASE, 0): 5, (BASE, 1): 7, (GUIDED, 1): 9}.items():
        finish(study, key, right)
    top1 = {(m.row, m.seed): m for m in study.measurements() if m.metric == "top1"}
    assert {m.part for m in top1.values()} == {"a, b in turn"}
    assert {key: m.value for key, m in top1.items()} == {
        (BASE, 0): 0.5, (BASE, 1): 0.7, (GUIDED, 1): 0.9
    }  # fmt: skip
    assert list(study.unfinished()) == [(GUIDED, 0)]
    times = {(m.row, m.seed): m.value for m in study.measurements() if m.metric == "time"}
    assert times == {(BASE, 0): 1.0, (BASE, 1): 1.0, (GUIDED, 1): 1.0}


def test_a_run_finished_on_another_device_is_finished(tmp_path: Path) -> None:
    study = study_of(tmp_path, seeds=1)
    finish(study, (BASE, 0), 5, device="cuda:1")
    assert list(study.unfinished()) == [(GUIDED, 0)]
    other = replace(study, runs={(BASE, 0): replace(study.runs[BASE, 0], precision="bf16")})
    with pytest.raises(ConfigError, match="was run with another configuration"):
        other.unfinished()


def test_a_validation_set_is_held_out_to_the_end() -> None:
    training = hold_out_validation(Config(), 0.25).training
    assert (training.validation_share, training.validation_until) == (0.25, 1.0)
    with pytest.raises(ConfigError, match=r"training\.validation_share"):
        hold_out_validation(Config(), 1.5)
    with pytest.raises(ConfigError, match="--validate"):
        hold_out_validation(Config(), 0.0)


def test_rows_are_added_and_picked() -> None:
    plan = select_plan("sources", ["agents.chat=analyst 'agents.max_rivals=3'"], [])
    assert plan.rows[:-1] == STUDY_PLANS["sources"].rows
    assert plan.rows[-1].assignments == ("agents.chat=analyst", "agents.max_rivals=3")
    picked = select_plan("components", [], ["both losses, online"])
    assert [row.label for row in picked.rows] == ["class loss only", "both losses, online"]
    with pytest.raises(ConfigError, match=r"no row 'both'; it has .*both losses, static"):
        select_plan("components", [], ["both"])
    with pytest.raises(ConfigError, match="no plan 'table4'; there are components"):
        select_plan("table4", [], [])
    with pytest.raises(ConfigError, match=r"2 rows would be written to 'agents.max_rivals_3'"):
        select_plan("sources", ["agents.max_rivals=3"] * 2, [])


@pytest.mark.parametrize("name", STUDY_PLANS)
def test_rows_have_folders_of_their_own(name: str) -> None:
    rows = STUDY_PLANS[name].rows
    folders = {run_directory(Path("out"), (row.label, 0)) for row in rows}
    assert len(folders) == len(rows)
    assert select_plan(name, [], []) == STUDY_PLANS[name]
