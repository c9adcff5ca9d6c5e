"""``curve``: its table, its files, and that it can be repeated and extended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.small_run import small_archive

from skeletonagent.cli import curve
from skeletonagent.core.errors import ConfigError
from skeletonagent.experiments import workers
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.workers import RunStatus, RunUpdate
from skeletonagent.training.run_directory import RunDirectory


def typed(*arguments: object) -> None:
    app = typer.Typer()
    app.command()(curve.curve)
    app([*map(str, arguments)], standalone_mode=False)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Take the place of the trainings, note them, and leave finished runs behind."""
    begun: list[Path] = []

    def pool(
        runs: Mapping[Path, Config],
        devices: Sequence[str],
        train: Any,
        *,
        on_update: Callable[[RunUpdate], None],
    ) -> None:
        assert 1 <= len(devices) <= len(runs)
        for out, config in runs.items():
            begun.append(out)
            run = RunDirectory(out)
            write_config(config, run.config)
            run.summary.write_text(json.dumps({"top1": 0.5 + 0.1 * config.seed}))
            on_update(RunUpdate(out, devices[0], RunStatus.FINISHED))

    monkeypatch.setattr(workers, "train_on_devices", pool)
    return begun


def test_a_curve_is_printed_and_written_and_can_be_extended(
    trained: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = small_archive(tmp_path / "mine"), tmp_path / "curve"
    options = (archive, "--out", out, "--no-baseline", "--set", "device=cpu")
    typed(*options, "--clips", "1,all", "--draws", 2)
    assert trained == [out / size / f"seed{seed}" for seed in (0, 1) for size in ("clips1", "all")]
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert "clips a class" in lines[1] and "nearest class mean" in lines[1]
    assert lines[2].split()[:2] == ["1", "55.0"] and lines[3].split()[:3] == ["all", "(2)", "55.0"]
    assert "this curve has 2." in printed.out
    assert "all, seed1: 60.0%, 4 of 4 finished" in printed.err
    assert printed.err.splitlines()[-1].startswith(f"everything is in {out}: 4 runs, curve.html ")
    assert sorted(path.name for path in out.iterdir()) == [
        "all", "clips1", "curve.csv", "curve.html", "curve.json", "curve.svg",
    ]  # fmt: skip
    typed(*options, "--clips", "1,all", "--draws", 3, "--json")
    assert [path.name for path in trained[4:]] == ["seed2", "seed2"]
    plain = json.loads(capsys.readouterr().out)
    assert plain["points"][0]["top1"] == pytest.approx([0.5, 0.6, 0.7])
    assert plain == json.loads((out / "curve.json").read_text())
    typed(*options, "--clips", "1,all", "--draws", 3)
    assert len(trained) == 6


def test_a_recipe_that_counts_epochs_is_warned_about(
    trained: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = small_archive(tmp_path / "mine")
    options = (archive, "--no-baseline", "--clips", "1", "--draws", 1)
    typed(*options, "--out", tmp_path / "a", "--set", "training.epochs=3")
    assert "counts epochs" in capsys.readouterr().err
    typed(*options, "--out", tmp_path / "b", "--set", "training.steps=3")
    assert "counts epochs" not in capsys.readouterr().err
    assert len(trained) == 2


def test_wrong_options_are_named_before_anything_is_trained(
    trained: list[Path], tmp_path: Path
) -> None:
    archive = small_archive(tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"'all', such as 1,5,20,all; got 'some'"):
        typed(archive, "--clips", "1,some", "--out", tmp_path / "x")
    with pytest.raises(ConfigError, match="no split 'other'"):
        typed(archive, "--split", "other", "--out", tmp_path / "x")
    assert trained == []
