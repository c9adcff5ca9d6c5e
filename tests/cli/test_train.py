"""What the options of ``train`` make of a configuration, and which runs they ask for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.cli import main
from skeletonagent.cli.training_display import watch
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.experiments import run as experiments_run
from skeletonagent.experiments import timing, training_runs
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.presets import PRESETS, preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import parse_stream, plan_runs, resolve_config
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import Checkpoint, LatestCheckpoint


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", PresetSize)
def test_a_preset_is_taken_as_it_is(name: str, size: PresetSize) -> None:
    assert resolve_config(name, size, None, None, []) == preset(name, size)


def test_options_change_what_they_name_alone(tmp_path: Path) -> None:
    made = resolve_config("sbu", PresetSize.SMALL, "bm", tmp_path / "a", ["training.epochs=3"])
    plain = preset("sbu")
    assert made.clips.stream is Stream.BONE_MOTION
    assert made.data.archive == str(tmp_path / "a")
    assert made.training.epochs == 3
    assert made.augment == plain.augment
    assert made.clips.frames == plain.clips.frames


def test_a_file_keeps_its_stream_unless_another_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_config(preset("sbu", stream=Stream.KBONE), path)
    size = PresetSize.SMALL
    assert resolve_config(str(path), size, None, None, []).clips.stream is Stream.KBONE
    assert resolve_config(str(path), size, "j", None, []).clips.stream is Stream.JOINT


def test_an_assignment_beats_an_option(tmp_path: Path) -> None:
    made = resolve_config("sbu", PresetSize.SMALL, "b", None, ["clips.stream=joint"])
    assert made.clips.stream is Stream.JOINT


@pytest.mark.parametrize("stream", Stream)
def test_streams_have_two_names(stream: Stream) -> None:
    assert parse_stream(stream.value) is parse_stream(stream.short) is stream


def test_a_stream_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"'bones'.*kbone \(k\)"):
        parse_stream("bones")


def _use(data: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a data set in place of the one that is configured."""
    for module in (timing, training_runs):
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
    assert "skipped: epoch_0004 is torn" in shown
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


def test_every_run_has_a_directory_named_after_what_varies(tmp_path: Path) -> None:
    configs = [preset("sbu", stream=stream) for stream in (Stream.JOINT, Stream.BONE)]
    runs = plan_runs(configs, ["fold1", "fold2"], 2, tmp_path)
    assert len(runs) == 8
    one = runs[tmp_path / "fold2" / "seed1" / "bone"]
    assert (one.data.split, one.seed, one.clips.stream) == ("fold2", 1, Stream.BONE)
    assert list(plan_runs(configs[:1], ["fold1"], 1, tmp_path)) == [tmp_path]
    with pytest.raises(ConfigError, match="two runs would see the same"):
        plan_runs(configs + configs[:1], ["fold1"], 1, tmp_path)
