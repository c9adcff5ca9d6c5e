"""``ablate``: which runs a study consists of, that none is repeated, and its tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from skeletonagent.cli import ablate, progress
from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import datasets, presets, run, workers
from skeletonagent.experiments.config import Config, read_config, write_config
from skeletonagent.experiments.plans import STUDY_PLANS
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.study import run_directory
from skeletonagent.experiments.workers import RunStatus, RunUpdate
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def few() -> SkeletonData:
    """Three generated classes of two subjects, and a second test part."""
    whole = synthetic_dataset(clips_per_class=2, subjects=2)
    kept = [whole.store.sequence(n) for n in range(len(whole.store)) if whole.store.labels[n] < 3]
    ids = {sequence.sample_id for sequence in kept}
    split = whole.splits["xsub"]
    train, test = (tuple(s for s in part if s in ids) for part in (split.train, split.test))
    store = ClipStore.from_sequences(kept, whole.store.layout, whole.store.class_names[:3])
    return replace(
        whole, store=store, splits={"xsub": Split(train, test), "cleaned": Split(train, test[:2])}
    )


class Killed(Exception):
    """Stands for a study that is killed."""


class Trained:
    """Take the place of a training: note it, and leave a run behind."""

    def __init__(self, stop_after: int = 1000) -> None:
        self.runs: list[tuple[Path, Config]] = []
        self.stop_after = stop_after

    def __call__(
        self, config: Config, data: SkeletonData, out: Path, *, resume: bool, watch: Any
    ) -> dict[str, Any]:
        assert resume
        run = RunDirectory(out)
        write_config(config, run.config)
        if len(self.runs) == self.stop_after:
            raise Killed
        self.runs.append((out, config))
        ids = data.splits["xsub"].test
        labels = data.store.labels[data.store.indices(ids)].numpy()
        self.validated(run, config, labels)
        guided = config.agents.chat != "none"
        predicted = labels if guided else np.where(np.arange(len(ids)) == 0, 1 - labels, labels)
        ClassProbabilities(ids, labels, np.eye(3)[predicted]).save(run.predictions)
        run.summary.write_text('{"device": "x86_64 CPU, 1 threads"}')
        return {}

    @staticmethod
    def validated(run: RunDirectory, config: Config, labels: np.ndarray) -> None:
        if config.training.validation_share and config.training.validation_until == 1:
            wrong = (labels + (config.agents.chat == "none")) % 3
            ids = tuple(f"held {n}" for n in range(len(labels)))
            ClassProbabilities(ids, labels, np.eye(3)[wrong]).save(run.validation_predictions)


def typed(*arguments: object) -> None:
    app = typer.Typer()
    app.command()(ablate.ablate)
    app([*map(str, arguments)], standalone_mode=False)


@pytest.fixture
def trained(few: SkeletonData, monkeypatch: pytest.MonkeyPatch) -> Trained:
    trained = Trained()
    monkeypatch.setattr(datasets, "prepare_dataset", lambda *_: few)
    monkeypatch.setattr(run, "run_experiment", trained)
    return trained


def test_every_row_is_run_with_every_seed(
    trained: Trained, few: SkeletonData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    typed("components", "--out", out, "--seeds", 2, "--set", "training.epochs=7", "--set",
          "seed=5", "--set", "loss.beta=0.9", "--json")  # fmt: skip
    rows = STUDY_PLANS["components"].rows
    assert [path for path, _ in trained.runs] == [
        run_directory(out, (row.label, seed)) for seed in (5, 6) for row in rows
    ]
    for (_, config), row in zip(trained.runs, 2 * rows, strict=True):
        assert (config.training.epochs, config.data.split) == (7, "xsub")
        without_align = "loss.beta=0" in row.assignments
        unguided = "agents.chat=none" in row.assignments
        assert config.loss.beta == (0 if without_align or unguided else 0.9)
    assert {config.seed for _, config in trained.runs} == {5, 6}
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith(
        f"everything is in {out}: {2 * len(rows)} runs, results.md and results.csv; "
        f"'skeletonagent report {out}' "
    )
    printed = json.loads(captured.out)
    assert [row["label"] for row in printed["rows"]] == [row.label for row in rows]
    found = {(f["part"], f["metric"], f["row"]): f for f in printed["results"]}
    n = len(few.splits["xsub"].test)
    base, guided = (found["xsub", "top1", rows[i].label] for i in (0, -1))
    assert base["mean"]["mean"] == pytest.approx(1 - 1 / n)
    assert guided["difference"] == {"mean": pytest.approx(1 / n), "low": pytest.approx(1 / n),
                                    "high": pytest.approx(1 / n), "n": 2}  # fmt: skip
    assert found["cleaned", "top1", rows[0].label]["mean"]["mean"] == pytest.approx(0.5)
    with (out / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert sum(e["metric"] == "top1" and e["part"] == "xsub" for e in lines) == 2 * len(rows)
    text = (out / "results.md").read_text()
    assert "## xsub" in text and "## cleaned" in text


def test_finished_runs_are_not_repeated(trained: Trained, tmp_path: Path) -> None:
    options = ("difficulty", "--out", tmp_path, "--seeds", 2)
    trained.stop_after = 3
    with pytest.raises(Killed):
        typed(*options)
    assert (tmp_path / "results.md").exists()
    begun = [path for path, _ in trained.runs]
    trained.stop_after = 1000
    typed(*options)
    again = [path for path, _ in trained.runs][3:]
    assert again == [run_directory(tmp_path, (STUDY_PLANS["difficulty"].rows[1].label, 1))]
    assert not set(again) & set(begun)
    text = (tmp_path / "results.md").read_text()
    typed(*options)
    typed(*options[:-1], 3)
    assert len(trained.runs) == 6
    assert (tmp_path / "results.md").read_text() != text


def test_runs_of_another_configuration_are_not_mixed_in(trained: Trained, tmp_path: Path) -> None:
    options = ("difficulty", "--out", tmp_path, "--seeds", 1)
    typed(*options)
    with pytest.raises(ConfigError, match=r"seed0 was run with another configuration"):
        typed(*options, "--set", "training.epochs=2")
    assert len(trained.runs) == 2


def test_a_mistake_in_any_row_is_told_before_the_first_run(
    trained: Trained, tmp_path: Path
) -> None:
    for row, message in (
        ("agents.chats=none", "did you mean agents.chat"),
        ("data.split=nowhere", "has no split 'nowhere'"),
        ("agents.max_rivals='3", "--row takes"),
    ):
        with pytest.raises(ConfigError, match=message):
            typed("difficulty", "--out", tmp_path, "--row", row)
    assert trained.runs == []


def test_a_benchmark_has_a_study_of_its_own(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(presets, "ROTATING_SPLITS", {"utd-mhad": ("xsub", "cleaned")})
    typed("guidance", "--benchmark", "utd-mhad", "--only", "L_con, online")
    assert len(trained.runs) == 2 * 10
    for number, (out, config) in enumerate(trained.runs):
        assert out.is_relative_to(Path("runs/guidance/utd-mhad"))
        assert (config.seed, config.data.archive) == (number // 2, "utd_mhad")
        assert config.data.split == ("xsub", "cleaned")[config.seed % 2]
        assert config.model == preset("utd-mhad", PresetSize.TINY).model
    with open("runs/guidance/utd-mhad/results.csv") as file:
        lines = list(csv.DictReader(file))
    assert {line["part"] for line in lines} == {"cleaned, xsub in turn"}
    assert sum(line["metric"] == "top1" for line in lines) == 20
    with pytest.raises(ConfigError, match="--out names the folder of the runs"):
        typed("guidance")


def test_recipes_are_compared_on_the_part_held_out(trained: Trained, tmp_path: Path) -> None:
    typed("difficulty", "--out", tmp_path, "--seeds", 2, "--validate", 0.25)
    for _, config in trained.runs:
        assert (config.training.validation_share, config.training.validation_until) == (0.25, 1)
    with (tmp_path / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["part"] for line in lines} == {"validation set"}
    top = {(line["row"], line["value"]) for line in lines if line["metric"] == "top1"}
    assert top == {("class loss only", "0.000000"), ("both losses, online", "1.000000")}


def test_the_tables_of_a_page_are_rewritten(trained: Trained, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- tables of default -->\nold\n<!-- end of default -->\nAfter.\n")
    typed("difficulty", "--out", tmp_path, "--seeds", 1, "--page", page)
    text = page.read_text()
    assert text.startswith("Before.\n") and text.endswith("\nAfter.\n") and "old" not in text
    assert "### xsub\n\n|  | top-1 |" in text
    with pytest.raises(DataError, match="tables of default, held out needs"):
        typed("difficulty", "--out", tmp_path / "held", "--seeds", 1, "--page", page,
              "--validate", 0.5)  # fmt: skip
    assert page.read_text() == text
    assert len(trained.runs) == 2
    typed("difficulty", "--out", tmp_path, "--seeds", 1, "--page", tmp_path / "new.md")
    assert "<!-- tables of default -->\n\n### xsub\n" in (tmp_path / "new.md").read_text()
    with pytest.raises(ConfigError, match="cannot be read"):
        typed("difficulty", "--out", tmp_path, "--seeds", 1, "--page", tmp_path)


def test_several_runs_at_once(
    few: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run has its process's device, and the tables are written after every one."""
    given: list[tuple[dict[Path, Config], list[str]]] = []
    trained = Trained()

    def train_on_devices(
        runs: dict[Path, Config], devices: list[str], train: Any, *, on_update: Any
    ) -> None:
        given.append((runs, devices))
        for out, config in runs.items():
            trained(replace(config, device="cpu"), few, out, resume=True, watch=None)
            on_update(RunUpdate(out, "cpu", RunStatus.FINISHED))
            seen = (tmp_path / "results.csv").read_text()
            assert seen.count(",xsub,top1,") == len(trained.runs)

    monkeypatch.setattr(datasets, "prepare_dataset", lambda *_: few)
    monkeypatch.setattr(workers, "train_on_devices", train_on_devices)
    options = ("difficulty", "--out", tmp_path, "--seeds", 2, "--devices", "cpu,cpu")
    typed(*options)
    typed(*options)
    (runs, devices), (rest, _) = given
    assert devices == ["cpu", "cpu"] and len(runs) == 4 and rest == {}


class Quiet(Callback):
    """Watch nothing, but break off before the last epoch if told so."""

    def __init__(self) -> None:
        self.kill = False
        self.first_epochs: list[int] = []

    @contextmanager
    def __call__(self, config: Config, found: LatestCheckpoint) -> Iterator[Quiet]:
        self.first_epochs.append(found.checkpoint.epoch if found.checkpoint else 0)
        yield self

    def on_step(self, epoch: int, *_: Any) -> None:
        if self.kill and epoch == 1:
            raise Killed


def test_a_study_is_trained_and_an_unfinished_run_goes_on(
    few: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Quiet()
    monkeypatch.setattr(datasets, "prepare_dataset", lambda *_: few)
    monkeypatch.setattr(progress, "watch", watch)
    small = ("training.epochs=2", "clips.frames=8", "clips.test_clips=1", "model.width=8",
             "training.batch_size=2", "training.validation_share=0", "device=cpu")  # fmt: skip
    options = ["difficulty", "--out", tmp_path, "--seeds", 1]
    options += [text for setting in small for text in ("--set", setting)]
    watch.kill = True
    with pytest.raises(Killed):
        typed(*options)
    watch.kill = False
    typed(*options)
    assert watch.first_epochs == [0, 1, 0]
    baseline, guided = (
        RunDirectory(run_directory(tmp_path, (row.label, 0)))
        for row in STUDY_PLANS["difficulty"].rows
    )
    assert read_config(baseline.config).agents.chat == "none"
    assert read_config(guided.config).agents.chat == "analyst"
    summary = guided.read_summary()
    assert summary is not None
    with (tmp_path / "results.csv").open() as file:
        lines = [list(line.values()) for line in csv.DictReader(file)]
    assert ["both losses, online", "0", "xsub", "top1", f"{summary['top1']:.6f}"] in lines
    typed(*options)
    assert len(watch.first_epochs) == 3
