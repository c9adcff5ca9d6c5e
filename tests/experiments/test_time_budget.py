"""Steps that fit a time: the time's text, the arithmetic, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import time_budget
from skeletonagent.experiments.config import Config, with_overrides, write_config
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.experiments.time_budget import (
    MIN_STEPS,
    TrainingCost,
    fit_to_time,
    leaves_time_to_compare,
    measure_cost,
    parse_duration,
)
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=2", "model.backbone=tiny-gcn", "model.width=8",
        "training.batch_size=8", "training.validation_share=0.25", "device=cpu",
        "agents.chat=none",
    ],
)  # fmt: skip
COST = TrainingCost(start=2.0, step=0.125, epoch=1.25, test=7.0, pass_steps=10, epoch_steps=10)


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    return preprocess_dataset(synthetic_dataset(clips_per_class=4, subjects=4))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("3m", 180), ("1h", 3600), ("0.5m", 30), (" 2s ", 2)]
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "m", "-3m", "0s", "3m10s", "3 minutes", "1d"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="such as 90s or 3m"):
        parse_duration(text)


def test_the_steps_by_hand() -> None:
    """Of 110 seconds 99 are used: 2 before, 7 for the test, 90 for steps of 0.25."""
    assert COST.steps_within(110) == 360
    assert COST.steps_within(1) == MIN_STEPS


def test_runs_share_the_time(data: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_budget, "measure_cost", lambda *_: COST)
    runs = {Path("a"): CONFIG, Path("b"): replace(CONFIG, seed=1)}
    fitted, line = fit_to_time(runs, data, "220s")
    assert {path: config.training.steps for path, config in fitted.items()} == {
        Path("a"): 360, Path("b"): 360,
    }  # fmt: skip
    assert [config.seed for config in fitted.values()] == [0, 1]
    assert "360 steps of 125 ms" in line and "36 times" in line


def test_what_a_choice_took_is_counted(data: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_budget, "measure_cost", lambda *_: COST)
    fitted, line = fit_to_time({Path("a"): CONFIG}, data, "3m", spent=70)
    assert fitted[Path("a")].training.steps == 360  # those of 110 seconds
    assert "70 s went into reading the data and choosing a recipe" in line
    fitted, line = fit_to_time({Path("a"): CONFIG}, data, "3m", spent=999)
    assert fitted[Path("a")].training.steps == MIN_STEPS and "may take longer" in line


@pytest.mark.parametrize(("text", "enough"), [("179s", False), ("3m", True), ("1h", True)])
def test_a_short_time_leaves_none_to_compare(text: str, enough: bool) -> None:
    assert leaves_time_to_compare(text) is enough


def test_a_run_that_has_begun_keeps_its_steps(
    data: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "measure_cost", lambda *_: pytest.fail("measured"))
    write_config(with_overrides(CONFIG, ["training.steps=321"]), RunDirectory(tmp_path).config)
    fitted, line = fit_to_time({tmp_path: CONFIG}, data, "3m")
    assert fitted[tmp_path].training.steps == 321
    assert "321 steps" in line


def test_every_part_is_measured(data: SkeletonData) -> None:
    cost = measure_cost(CONFIG, data)
    assert min(cost.start, cost.step, cost.epoch, cost.test) > 0
    assert cost.pass_steps > 1
