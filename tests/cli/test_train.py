"""What the options of ``train`` make of a configuration, and which runs they ask for."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invocation import invoke

from skeletonagent.cli import main
from skeletonagent.cli.progress import watch
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.experiments import resolve
from skeletonagent.experiments import run as experiments_run
from skeletonagent.experiments.config import Config, read_config, write_config
from skeletonagent.experiments.presets import preset
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import Checkpoint, LatestCheckpoint
from skeletonagent.training.run_directory import RunDirectory


def _use(data: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a data set in place of the one that is configured."""
    for module in (experiments_run, resolve):
        monkeypatch.setattr(module, "shared_dataset", lambda *_: data)


class Asked:
    """Take the place of a training, and note what was asked for."""

    def __init__(self) -> None:
        self.runs: list[tuple[str | None, int, Path, bool]] = []

    def __call__(
        self, config: Config, data: SkeletonData, out: Path, *, resume: bool, watch: Any
    ) -> dict[str, Any]:
        self.runs.append((config.data.split, config.seed, out, resume))
        top1 = 0.5 + 0.1 * len(self.runs)
        test = {"xsub": {"samples": 1, "top1": top1, "top5": 1.0, "mean_class": top1}}
        return {"top1": top1, "test": test, "epochs": 1, "seconds": 1.0, "device": "abacus",
                "split": config.data.split, "stream": "joint", "seed": config.seed}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [("xsub", 0, "", False)]),
        (["--resume", "--set", "seed=4"], [("xsub", 4, "", True)]),
        (["--split", "xsub"], [("xsub", 0, "", False)]),
        (["--split", "all"], [("xsub", 0, "xsub", False), ("other", 0, "other", False)]),
        (["--split", "other,xsub"], [("other", 0, "other", False), ("xsub", 0, "xsub", False)]),
        (["--seeds", "2"], [("xsub", 0, "seed0", False), ("xsub", 1, "seed1", False)]),
        (
            ["--split", "all", "--seeds", "2", "--set", "seed=3"],
            [(s, n, f"{s}/seed{n}", False) for s in ("xsub", "other") for n in (3, 4)],
        ),
    ],
)
def test_a_run_for_each_split_and_seed(
    options: list[str],
    expected: list[tuple[str, int, str, bool]],
    small_data: SkeletonData,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    asked = Asked()
    monkeypatch.setattr(experiments_run, "run_experiment", asked)
    _use(small_data, monkeypatch)
    out = tmp_path / "runs"
    monkeypatch.setattr(
        sys, "argv", ["skeletonagent", "train", "synthetic", "--out", str(out), "--json", *options]
    )
    with pytest.raises(SystemExit) as ended:
        sys.exit(main.execute())
    assert not ended.value.code
    assert asked.runs == [(split, seed, out / place, r) for split, seed, place, r in expected]
    printed = json.loads(capsys.readouterr().out)
    if len(expected) == 1:
        assert printed["top1"] == 0.6
    else:
        top1 = [0.5 + 0.1 * (n + 1) for n in range(len(expected))]
        assert printed["top1"] == pytest.approx(sum(top1) / len(top1))
        assert json.loads((out / "summary.json").read_text()) == printed


def test_all_splits_are_checked_before_the_first_run(
    small_data: SkeletonData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Asked()
    monkeypatch.setattr(experiments_run, "run_experiment", asked)
    _use(small_data, monkeypatch)
    monkeypatch.setattr(
        sys,
        "argv",
        ["skeletonagent", "train", "synthetic", "--split", "xsub,nowhere", "--out", str(tmp_path)],
    )
    with pytest.raises(SystemExit) as ended:
        sys.exit(main.execute())
    assert ended.value.code == 2
    assert asked.runs == []


def test_a_display_is_an_observer(capsys: pytest.CaptureFixture[str]) -> None:
    found = LatestCheckpoint(Checkpoint(3, {}, {}, step=2), ("epoch_0004 is torn",))
    with watch(preset("synthetic"), found) as display:
        assert isinstance(display, Callback)
    shown = capsys.readouterr().err
    assert "passed over: epoch_0004 is torn" in shown
    assert "resuming after epoch 3, step 2 of the next" in shown


@pytest.fixture(scope="module")
def small_data() -> SkeletonData:
    """Generated data with a second split."""
    from dataclasses import replace

    from skeletonagent.core.clips import Split
    from skeletonagent.data.synthetic.generate import synthetic_dataset

    data = synthetic_dataset(clips_per_class=2, subjects=2)
    split = data.splits["xsub"]
    return replace(data, splits={"xsub": split, "other": Split(split.test, split.train)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["nothing to train on", "train --data ARCHIVE", "train utd-mhad", "train synthetic"]),
        (["--set", "training.epochs=3"], ["nothing to train on", "train synthetic"]),
        (["--resume"], ["holds no run to resume", "--data ARCHIVE"]),
        (["default"], ["'default'", "--data ARCHIVE", "train synthetic"]),
        (["paper"], ["'paper'", "--data ARCHIVE"]),
        (["utd-mhad"], ["utd-mhad", "'utd_mhad'", "--data ARCHIVE"]),
    ],
)
def test_data_that_are_not_named_are_asked_for(
    options: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        invoke("train", "--out", "run", *options)
    for word in words:
        assert word in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [["--data", "x"], ["utd-mhad", "--data", "x"], ["utd-mhad", "--set", "data.archive=x"]],
)
def test_an_archive_that_is_named_and_missing(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^x\.json: no such file"):
        invoke("train", *options)


@pytest.fixture
def asked(small_data: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Trainings that note what was asked for, and begin a run."""

    class Begun(Asked):
        def __call__(self, config: Config, *others: Any, **options: Any) -> dict[str, Any]:
            write_config(config, RunDirectory(others[1]).config)
            return super().__call__(config, *others, **options)

    asked = Begun()
    monkeypatch.setattr(experiments_run, "run_experiment", asked)
    _use(small_data, monkeypatch)
    return asked


def test_a_run_is_resumed_without_other_options(asked: Asked, tmp_path: Path) -> None:
    out = tmp_path / "run"
    invoke("train", "synthetic", "--out", out, "--set", "seed=4", "--stream", "b")
    begun = read_config(RunDirectory(out).config)
    invoke("train", "--out", out, "--resume")
    invoke("train", "--out", out, "--resume", "--seeds", "1", "--split", "xsub", "--stream", "bone")
    assert asked.runs == [("xsub", 4, out, False), ("xsub", 4, out, True), ("xsub", 4, out, True)]
    assert begun == read_config(RunDirectory(out).config)
    with pytest.raises(ConfigError, match="already holds a run; add --resume"):
        invoke("train", "synthetic", "--out", out)


def test_options_that_stand_for_settings(asked: Asked, tmp_path: Path) -> None:
    options = ("--dims", "2", "--chat", "none", "--set", "agents.chat=bundled")
    invoke("train", "synthetic", "--out", tmp_path / "run", *options)
    config = read_config(RunDirectory(tmp_path / "run").config)
    assert (config.data.dims, config.agents.chat) == (2, "none")


def test_several_runs_are_resumed_as_they_were_planned(asked: Asked, tmp_path: Path) -> None:
    """Also those that had not begun when the command was stopped."""
    options = ("--seeds", "2", "--split", "all", "--set", "training.epochs=7")
    invoke("train", "synthetic", "--out", tmp_path, *options)
    planned = [run[:3] for run in asked.runs]
    shutil.rmtree(tmp_path / "other" / "seed1")
    asked.runs.clear()
    invoke("train", "--out", tmp_path, "--resume")
    assert asked.runs == [(*run, True) for run in planned] and len(planned) == 4
    assert read_config(tmp_path / "other" / "seed1" / "config.yaml").training.epochs == 7


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--seeds", "3"], "begun with another --seeds"),
        (["--stream", "b"], "begun with another --stream"),
        (["--stream", "all"], "begun with another --stream"),
        (["--split", "other"], "begun with another --split"),
        (["--preset-size", "tiny"], "--preset-size and --recipe"),
        (["--recipe", "best"], "--preset-size and --recipe"),
    ],
)
def test_options_that_contradict_the_run_are_refused(
    options: list[str], problem: str, asked: Asked, tmp_path: Path
) -> None:
    invoke("train", "synthetic", "--out", tmp_path / "run")
    with pytest.raises(ConfigError, match=problem):
        invoke("train", "--out", tmp_path / "run", "--resume", *options)
    assert len(asked.runs) == 1


def test_a_damaged_plan_is_an_error(tmp_path: Path) -> None:
    for text in ("", "[]", '{"runs": 3}'):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(DataError, match=r"plan\.json: is damaged"):
            invoke("train", "--out", tmp_path, "--resume")
