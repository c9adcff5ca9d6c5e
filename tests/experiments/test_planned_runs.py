"""Directories of the runs of one command, and the list of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.config import config_to_dict, write_config
from skeletonagent.experiments.planned_runs import (
    PLAN_FILE,
    begun_runs,
    plan_runs,
    refuse_begun,
    require_free_folders,
    require_run_layout,
    write_plan,
)
from skeletonagent.experiments.presets import preset
from skeletonagent.training.run_directory import RunDirectory


def test_every_run_has_a_directory_named_after_what_varies(tmp_path: Path) -> None:
    configs = [preset("sbu", stream=stream) for stream in (Stream.JOINT, Stream.BONE)]
    runs = plan_runs(configs, ["fold1", "fold2"], 2, tmp_path)
    assert len(runs) == 8
    one = runs[tmp_path / "fold2" / "seed1" / "bone"]
    assert (one.data.split, one.seed, one.clips.stream) == ("fold2", 1, Stream.BONE)
    assert list(plan_runs(configs[:1], ["fold1"], 1, tmp_path)) == [tmp_path]
    with pytest.raises(ConfigError, match="two runs would see the same"):
        plan_runs(configs + configs[:1], ["fold1"], 1, tmp_path)


def test_one_run_is_not_written_where_several_are_or_the_reverse(tmp_path: Path) -> None:
    several = {tmp_path / "seed0": preset("sbu"), tmp_path / "seed1": preset("sbu")}
    require_run_layout(several, tmp_path)
    (tmp_path / "summary.json").write_text("{}")
    require_run_layout(several, tmp_path)
    with pytest.raises(ConfigError, match="already holds several runs"):
        require_run_layout({tmp_path: preset("sbu")}, tmp_path)
    write_config(preset("sbu"), RunDirectory(tmp_path).config)
    require_run_layout({tmp_path: preset("sbu")}, tmp_path)
    with pytest.raises(ConfigError, match="already holds a run"):
        require_run_layout(several, tmp_path)


def test_a_plan_is_read_again_and_begun_runs_stay_as_they_were(tmp_path: Path) -> None:
    runs = plan_runs([preset("sbu")], ["fold1"], 2, tmp_path)
    assert begun_runs(tmp_path) == {}
    write_plan(runs, tmp_path)
    assert begun_runs(tmp_path) == runs
    first = next(iter(runs))
    write_config(runs[first], RunDirectory(first).config)
    write_plan({path: replace(config, device="cpu") for path, config in runs.items()}, tmp_path)
    assert [config.device for config in begun_runs(tmp_path).values()] == ["auto", "cpu"]
    (tmp_path / PLAN_FILE).write_text("{")
    with pytest.raises(DataError, match="damaged"):
        begun_runs(tmp_path)


def test_a_run_that_has_begun_is_refused(tmp_path: Path) -> None:
    runs = {tmp_path: preset("sbu")}
    refuse_begun(runs)
    write_config(preset("sbu"), RunDirectory(tmp_path).config)
    with pytest.raises(ConfigError, match="add --resume"):
        refuse_begun(runs)
    assert begun_runs(tmp_path) == runs


def test_names_of_splits_lead_out_of_no_folder(tmp_path: Path) -> None:
    runs = plan_runs([preset("sbu")], ["/abs", "../../x", ""], 1, tmp_path)
    assert all(path.parent == tmp_path for path in runs) and len(runs) == 3
    assert {config.data.split for config in runs.values()} == {"/abs", "../../x", ""}
    write_plan(runs, tmp_path)
    assert begun_runs(tmp_path) == runs


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x"])
def test_a_plan_names_no_run_outside_its_folder(tmp_path: Path, path: str) -> None:
    plan = {"runs": {path: config_to_dict(preset("sbu"))}}
    (tmp_path / PLAN_FILE).write_text(json.dumps(plan))
    with pytest.raises(DataError, match="outside its folder"):
        begun_runs(tmp_path)


def test_several_runs_are_planned_where_nothing_else_lies(tmp_path: Path) -> None:
    runs = plan_runs([preset("sbu")], ["fold1"], 2, tmp_path)
    require_free_folders(runs, tmp_path)
    (tmp_path / "summary.json").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds 'summary\.json'"):
        require_free_folders(runs, tmp_path)
    write_plan(runs, tmp_path)  # from here on it is a folder of runs
    require_free_folders(runs, tmp_path)
    (tmp_path / "seed1").mkdir()
    (tmp_path / "seed1" / "weights").write_text("mine")
    with pytest.raises(ConfigError, match="holds 'weights'"):
        require_free_folders(runs, tmp_path)
