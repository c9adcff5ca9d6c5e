"""Training time of a study's runs, and trainings in workers that write it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import DataError, TrainingError
from skeletonagent.data.settings import DataSettings, Scale
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import run as run_module
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.run import (
    shared_dataset,
    train_quietly,
    train_timed,
    training_seconds,
)
from skeletonagent.experiments.workers import RunStatus, RunUpdate, train_on_devices
from skeletonagent.training.run_directory import RunDirectory


def short(seed: int) -> Config:
    config = preset("synthetic", PresetSize.TINY)
    return replace(
        config,
        seed=seed,
        clips=replace(config.clips, frames=4, test_clips=1),
        model=replace(config.model, backbone="stgcn++", width=8),
        training=replace(config.training, epochs=1, batch_size=128),
        agents=replace(config.agents, chat="none"),
    )


@pytest.mark.timeout(180)
def test_all_runs_are_trained_and_a_failure_costs_none_but_its_own(tmp_path: Path) -> None:
    good = {tmp_path / f"seed{seed}": short(seed) for seed in (0, 1)}
    bad = replace(short(0), data=replace(short(0).data, archive=str(tmp_path / "missing")))
    finished = []

    def note(update: RunUpdate) -> None:
        if update.status is RunStatus.FINISHED:
            finished.append(update.out)
            assert RunDirectory(update.out).read_summary() is not None

    with pytest.raises(TrainingError, match=r"1 of 3 runs failed: .*bad: .*missing"):
        train_on_devices({tmp_path / "bad": bad, **good}, ["cpu"], train_quietly, on_update=note)
    assert finished == list(good)
    for out in good:
        cost = json.loads((out / "cost.json").read_text())
        assert training_seconds(out) == cost["processor_seconds"] > 0


class Trained:
    """Take the place of a training that leaves a run behind."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, config: Config, data: Any, out: Path, *, resume: bool, watch: Any) -> None:
        assert resume
        write_config(config, RunDirectory(out).config)
        RunDirectory(out).summary.write_text(json.dumps({"device": self.device}))


def train(out: Path) -> None:
    data = synthetic_dataset(clips_per_class=2, subjects=2)
    train_timed(short(0), data, out, run_module.no_display)


@pytest.mark.parametrize(
    ("device", "seconds"), [("x86_64 CPU, 2 threads", 3.5), ("NVIDIA H100 80GB HBM3", 9.0)]
)
def test_on_a_cpu_processor_time_counts(
    device: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "run_experiment", Trained(device))
    train(tmp_path)
    assert training_seconds(tmp_path) is not None
    (tmp_path / "cost.json").write_text('{"wall_seconds": 9.0, "processor_seconds": 3.5}')
    assert training_seconds(tmp_path) == seconds
    (tmp_path / "cost.json").write_text("{}")
    with pytest.raises(DataError, match="is damaged"):
        training_seconds(tmp_path)


def test_an_interrupted_run_has_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "run_experiment", Trained("x86_64 CPU, 1 threads"))
    write_config(short(0), RunDirectory(tmp_path).config)
    assert training_seconds(tmp_path) is None
    train(tmp_path)
    assert training_seconds(tmp_path) is None


def test_runs_on_several_splits_share_their_data() -> None:
    data = shared_dataset(DataSettings(split="xsub"))
    assert shared_dataset(DataSettings()) is data
    assert shared_dataset(DataSettings(scale=Scale.IMAGE)) is not data
