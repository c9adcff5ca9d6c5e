"""Several runs in a few processes: all are run, a failure costs none, and time is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import DataError, TrainingError
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import workers
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.presets import PresetSize, preset
from skeletonagent.experiments.workers import seconds_of, train_in_lanes, train_timed, unwatched
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


@pytest.mark.timeout(120)
def test_all_runs_are_trained_and_a_failure_costs_none_but_its_own(tmp_path: Path) -> None:
    good = {tmp_path / f"seed{seed}": short(seed) for seed in (0, 1)}
    bad = replace(short(0), data=replace(short(0).data, archive=str(tmp_path / "missing")))
    ended = train_in_lanes({tmp_path / "bad": bad, **good}, ["cpu"])
    for out in good:
        assert next(ended) == out
        assert RunDirectory(out).read_summary() is not None
    with pytest.raises(TrainingError, match=r"1 of 3 runs failed: .*bad: .*missing"):
        next(ended)
    for out in good:
        spent = json.loads((out / "cost.json").read_text())
        assert seconds_of(out) == spent["processor_seconds"] > 0


class Trained:
    """Take the place of a training that leaves a run behind."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, config: Config, data: Any, out: Path, *, resume: bool, watch: Any) -> None:
        assert resume
        write_config(config, RunDirectory(out).config)
        RunDirectory(out).summary.write_text(json.dumps({"device": self.device}))


@pytest.mark.parametrize(
    ("device", "seconds"), [("x86_64 CPU, 2 threads", 3.5), ("NVIDIA H100 80GB HBM3", 9.0)]
)
def test_on_a_cpu_its_own_seconds_count(
    device: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "run_experiment", Trained(device))
    train_timed(short(0), synthetic_dataset(clips_per_class=2, subjects=2), tmp_path, unwatched)
    assert seconds_of(tmp_path) is not None
    (tmp_path / "cost.json").write_text('{"wall_seconds": 9.0, "processor_seconds": 3.5}')
    assert seconds_of(tmp_path) == seconds
    (tmp_path / "cost.json").write_text("{}")
    with pytest.raises(DataError, match="is damaged"):
        seconds_of(tmp_path)


def test_what_an_interrupted_run_took_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "run_experiment", Trained("x86_64 CPU, 1 threads"))
    write_config(short(0), RunDirectory(tmp_path).config)
    assert seconds_of(tmp_path) is None
    train_timed(short(0), synthetic_dataset(clips_per_class=2, subjects=2), tmp_path, unwatched)
    assert seconds_of(tmp_path) is None
