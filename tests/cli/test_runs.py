"""``runs``: what is told of runs that are not finished, too."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invocation import invoke_twice

from skeletonagent.experiments.config import config_to_dict, with_overrides, write_config
from skeletonagent.experiments.presets import preset
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(preset("sbu"), ["data.split=fold1", "seed=4", "training.epochs=7"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of a run just begun, one under way and one finished."""
    record = EpochRecord(0, 1.25, 0.5, 0.25, 0.25, 0.75, None, 0.1, 0, 100.0, 2.0)
    for epochs, name in enumerate(("begun", "deep/er/going", "finished")):
        run = RunDirectory(tmp_path / name)
        write_config(CONFIG, run.config)
        run.metrics.write_text(f"{json.dumps(asdict(record))}\n" * epochs)
    (tmp_path / "finished" / "summary.json").write_text('{"top1": 0.8125}')
    return tmp_path


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[dict[str, Any], str]:
    return invoke_twice("runs", *arguments)


def test_all_runs_below_a_folder_are_listed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed, shown = typed(monkeypatch, capsys, "list", str(runs))
    facts = {str(Path(run["run"]).relative_to(runs)): run for run in printed["runs"]}
    assert {name: (run["epochs"], run["top1"]) for name, run in facts.items()} == {
        "begun": ("0/7", None), "deep/er/going": ("1/7", None), "finished": ("2/7", 0.8125),
    }  # fmt: skip
    for run in facts.values():
        told = (run["data"], run["split"], run["stream"], run["seed"])
        assert told == ("sbu", "fold1", "joint", 4)
    assert "81.25%" in shown


def test_a_run_is_shown_from_its_first_moment(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, epochs in (("begun", 0), ("finished", 2)):
        printed, shown = typed(monkeypatch, capsys, "show", str(runs / name))
        assert printed["config"] == config_to_dict(CONFIG)
        assert len(printed["metrics"]) == epochs
        assert ("1.25" in shown) == (epochs > 0)


def test_a_damaged_run_costs_no_other_its_line(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "finished" / "summary.json").write_text("5")
    (runs / "foreign").mkdir()
    (runs / "foreign" / "config.yaml").write_text("model: resnet\n")
    printed, shown = typed(monkeypatch, capsys, "list", str(runs))
    facts = {str(Path(run["run"]).relative_to(runs)): run for run in printed["runs"]}
    assert facts["begun"]["epochs"] == "0/7" and "problem" not in facts["begun"]
    assert "summary.json: is damaged" in facts["finished"]["problem"]
    assert "model" in facts["foreign"]["problem"]
    assert "summary.json: is damaged" in shown and "config.yaml has 1 mistake" in shown
