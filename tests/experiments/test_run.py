"""A training run: its directory, its summary, and resuming it after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.prompts import PROMPT_VERSION
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import ChatError, CheckpointError, ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import run as experiment_run
from skeletonagent.experiments.config import Config, read_config, with_overrides
from skeletonagent.experiments.data_fingerprint import DataFingerprint
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import LatestCheckpoint, load_checkpoint
from skeletonagent.training.dialogue_log import DIALOGUE_LOG
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=2", "model.backbone=stgcn++", "model.width=8",
        "training.epochs=4", "training.guidance_period=2", "training.batch_size=4",
        "training.validation_share=0.25", "training.validation_until=0.75",
        "training.ema_decay=0.8", "training.learning_rate=0.02", "device=cpu",
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    """Four generated classes of four subjects, one of them tested."""
    generated = synthetic_dataset(clips_per_class=4, subjects=4)
    store = generated.store
    kept = [store.sequence(n) for n in range(len(store)) if store.labels[n] < 4]
    ids = {sequence.sample_id for sequence in kept}
    split = generated.splits["xsub"]
    parts = [tuple(s for s in part if s in ids) for part in (split.train, split.test)]
    return replace(
        generated,
        name="few",
        store=ClipStore.from_sequences(kept, store.layout, store.class_names[:4]),
        splits={"xsub": Split(*parts)},
    )


class Killed(Exception):
    """Stands for a run that is killed."""


class Watcher(Callback):
    """Watch a run, and kill it in the middle of an epoch if one is named."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.began: list[int] = []
        self.damaged: tuple[str, ...] = ()
        self.remarks: list[str] = []

    @contextmanager
    def __call__(self, config: Config, latest: LatestCheckpoint) -> Iterator[Watcher]:
        self.began.append(latest.checkpoint.epoch if latest.checkpoint else 0)
        self.damaged = latest.corrupt
        yield self

    def on_remark(self, remark: str) -> None:
        self.remarks.append(remark)

    def on_step(self, epoch: int, step: int, *_: Any) -> None:
        if epoch == self.stop and step == 2:
            raise Killed


def run(data: SkeletonData, out: Path, *changes: str, **options: Any) -> dict[str, Any]:
    arguments = {"resume": False, "watch": Watcher()} | options
    return experiment_run.run_experiment(with_overrides(CONFIG, changes), data, out, **arguments)


@pytest.fixture(scope="module")
def uninterrupted(data: SkeletonData, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Return a run that was not interrupted."""
    path = tmp_path_factory.mktemp("whole") / "run"
    run(data, path)
    return RunDirectory(path)


def test_files_of_a_run_directory(uninterrupted: RunDirectory, data: SkeletonData) -> None:
    assert sorted(path.name for path in uninterrupted.path.iterdir()) == [
        "checkpoints", "config.yaml", "confusions.npz", "dialogues", "evaluation_parts.json",
        "guidance.json", "metrics.jsonl", "predictions.npz", "provenance.json", "summary.json",
    ]  # fmt: skip
    assert [path.name for path in sorted(uninterrupted.checkpoints.path.iterdir())] == [
        DIALOGUE_LOG,
        "epoch_0003", "epoch_0004",
    ]  # fmt: skip
    assert len(list(uninterrupted.dialogues.iterdir())) == 5
    assert read_config(uninterrupted.config) == with_overrides(CONFIG, ["data.split=xsub"])
    records = uninterrupted.read_metrics()
    assert [record["epoch"] for record in records] == [0, 1, 2, 3]
    assert [record["round"] for record in records] == [0, 0, 1, 1]
    assert [record["validation_top1"] is None for record in records] == [False] * 3 + [True]
    rounds = json.loads(uninterrupted.guidance.read_text())["rounds"]
    assert [entry["round"] for entry in rounds] == [0, 1]


def test_the_summary_agrees_with_the_files(uninterrupted: RunDirectory, data: SkeletonData) -> None:
    summary = json.loads(uninterrupted.summary.read_text())
    predictions = ClassProbabilities.load(uninterrupted.predictions)
    assert predictions.sample_ids == data.splits["xsub"].test
    np.testing.assert_array_equal(
        predictions.labels, data.store.labels[data.store.indices(predictions.sample_ids)].numpy()
    )
    np.testing.assert_allclose(predictions.probs.sum(axis=1), 1, rtol=1e-5)
    right = (predictions.probs.argmax(axis=1) == predictions.labels).mean()
    assert summary["top1"] == summary["test"]["xsub"]["top1"] == pytest.approx(right)
    assert summary["test"]["xsub"]["samples"] == len(predictions.labels) == 4
    with np.load(uninterrupted.confusions) as file:
        assert file["class_names"].tolist() == list(data.store.class_names)
        np.testing.assert_array_equal(file["counts"], predictions.confusions())
    records = uninterrupted.read_metrics()
    assert summary["validation_top1"] == records[2]["validation_top1"]
    assert (summary["epochs"], summary["seed"], summary["stream"]) == (4, 0, "joint")
    assert (summary["agents"]["rounds"], summary["agents"]["prompts"]) == (1, PROMPT_VERSION)
    files = uninterrupted.dialogues.glob("*.jsonl")
    said = [line for file in files for line in file.read_text().splitlines()]
    assert sum(summary["agents"]["questions"].values()) == len(said)


def assert_alike(left: RunDirectory, right: RunDirectory) -> None:
    """Compare two runs bit for bit, but for the times."""
    epochs = [
        [{k: v for k, v in r.items() if "second" not in k} for r in side.read_metrics()]
        for side in (left, right)
    ]
    assert epochs[0] == epochs[1]
    names = [[path.name for path in sorted(d.checkpoints.path.iterdir())] for d in (left, right)]
    assert names[0] == names[1]
    logs = [(d.checkpoints.path / DIALOGUE_LOG).read_bytes() for d in (left, right)]
    assert logs[0] == logs[1]
    for name in names[0][1:]:
        one, other = (load_checkpoint(d.checkpoints.path / name) for d in (left, right))
        assert one.metadata == other.metadata
        assert one.tensors.keys() == other.tensors.keys()
        for key, tensor in one.tensors.items():
            assert torch.equal(tensor, other.tensors[key]), key
    assert left.guidance.read_bytes() == right.guidance.read_bytes()
    said = [{p.name: p.read_bytes() for p in d.dialogues.iterdir()} for d in (left, right)]
    assert said[0] == said[1]
    for file in ("predictions", "confusions"):
        with np.load(getattr(left, file)) as one, np.load(getattr(right, file)) as other:
            assert one.files == other.files
            for key in one.files:
                np.testing.assert_array_equal(one[key], other[key])
    summaries = [json.loads(d.summary.read_text()) for d in (left, right)]
    for summary in summaries:
        del summary["seconds"], summary["finished"]
    assert summaries[0] == summaries[1]


@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(
    uninterrupted: RunDirectory, data: SkeletonData, tmp_path: Path, stop: int
) -> None:
    with pytest.raises(Killed):
        run(data, tmp_path, watch=Watcher(stop))
    assert not (tmp_path / "summary.json").exists()
    watcher = Watcher()
    torch.manual_seed(1234)
    run(data, tmp_path, resume=True, watch=watcher)
    assert watcher.began == [stop]
    assert_alike(uninterrupted, RunDirectory(tmp_path))


def test_a_run_can_be_killed_several_times(
    uninterrupted: RunDirectory, data: SkeletonData, tmp_path: Path
) -> None:
    for stop in (1, 1, 2, 3):
        with pytest.raises(Killed):
            run(data, tmp_path, resume=True, watch=Watcher(stop))
    run(data, tmp_path, resume=True)
    assert_alike(uninterrupted, RunDirectory(tmp_path))


def talkative(question: Question, history: Sequence[Exchange]) -> str:
    """Answer by what was asked and said before; now and then badly, or not at all."""
    said = sum(len(exchange.answer) for exchange in history) + len(question.rivals)
    first = said % (len(question.joints) - 2)
    labels = [f"{n + 1}-{question.joints[n]}" for n in (first, first + 2)]
    if question.step is not Step.DISTINGUISH:
        return f"{question.action}, after {said} letters"
    if said % 3 == 0:
        raise ChatError("script", question.action, question.step, 1, "tired")
    if said % 3 == 1:
        return "no idea"
    return f"Joints: {', '.join(labels)}\nDifference: {question.action} differs by {said}."


def test_a_run_with_a_chat_is_resumed_exactly(
    data: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_experiment = experiment_run.build_experiment

    def with_chat(config: Config, opened: SkeletonData, *others: Any) -> Any:
        layout = opened.store.layout
        chat = ScriptedChat(talkative)
        orchestrator = GuidanceOrchestrator(
            Questioner(chat, layout),
            Selector(layout),
            Reviewer(layout),
            opened.store.class_names,
            max_rivals=3,
        )
        experiment = build_experiment(config, opened, *others)
        agents = replace(experiment.agents, start=orchestrator.start, refresh=orchestrator.refresh)
        return replace(experiment, agents=agents)

    monkeypatch.setattr(experiment_run, "build_experiment", with_chat)
    run(data, tmp_path / "uninterrupted", "training.guidance_period=1")
    for stop in (1, 3):
        with pytest.raises(Killed):
            run(
                data,
                tmp_path / "cut",
                "training.guidance_period=1",
                resume=True,
                watch=Watcher(stop),
            )
    run(data, tmp_path / "cut", "training.guidance_period=1", resume=True)
    assert_alike(*(RunDirectory(tmp_path / name) for name in ("uninterrupted", "cut")))
    latest = load_checkpoint(tmp_path / "cut" / "checkpoints" / "epoch_0004")
    guidance = latest.metadata["guidance"]
    assert guidance["round"] == 3
    assert any(item["rivals"] for item in guidance["classes"])


def test_a_language_model_is_asked_anew_where_a_resumed_run_has_rounds_before_it(
    data: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_experiment, asked = experiment_run.build_experiment, []

    def with_check(config: Config, opened: SkeletonData, *others: Any) -> Any:
        experiment = build_experiment(config, opened, *others)
        checked = replace(experiment.agents, check_again=lambda: asked.append(config.seed))
        return replace(experiment, agents=checked)

    monkeypatch.setattr(experiment_run, "build_experiment", with_check)
    for period, count in ((2, 1), (0, 1)):
        name = tmp_path / f"period{period}"
        changes = (f"training.guidance_period={period}", "training.epochs=3")
        with pytest.raises(Killed):
            run(data, name, *changes, watch=Watcher(1))
        run(data, name, *changes, resume=True)
        assert len(asked) == count
        run(data, name, *changes, resume=True)  # it is finished
        assert len(asked) == count


def test_a_finished_run_stays_as_it_is(data: SkeletonData, tmp_path: Path) -> None:
    first = run(data, tmp_path, "training.epochs=1")
    again = run(data, tmp_path, "training.epochs=1", resume=True)
    changing = ("seconds", "finished")
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in again.items() if k not in changing
    }


def test_resuming_nothing_is_starting(data: SkeletonData, tmp_path: Path) -> None:
    watcher = Watcher()
    run(data, tmp_path / "new", "training.epochs=1", resume=True, watch=watcher)
    assert watcher.began == [0]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_not_written_over(uninterrupted: RunDirectory, data: SkeletonData) -> None:
    before = contents(uninterrupted.path)
    with pytest.raises(ConfigError, match="already holds a run; add --resume"):
        run(data, uninterrupted.path)
    assert contents(uninterrupted.path) == before


def test_a_run_is_resumed_with_the_same_configuration_only(
    uninterrupted: RunDirectory, data: SkeletonData
) -> None:
    before = contents(uninterrupted.path)
    changes = ("seed=1", "training.epochs=9", "model.width=12")
    with pytest.raises(ConfigError) as caught:
        run(data, uninterrupted.path, *changes, resume=True)
    for key in ("seed", "training.epochs", "model.width"):
        assert key in str(caught.value)
    assert "training.guidance_period" not in str(caught.value)
    assert contents(uninterrupted.path) == before


def test_a_longer_training_is_another_run(
    uninterrupted: RunDirectory, data: SkeletonData, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"it is finished.*train --from .* --out ANOTHER"):
        run(data, uninterrupted.path, "training.epochs=9", resume=True)


def test_a_run_is_resumed_with_the_same_classes_only(data: SkeletonData, tmp_path: Path) -> None:
    run(data, tmp_path, "training.epochs=1")
    names = tuple(reversed(data.store.class_names))
    other = replace(data, store=replace(data.store, class_names=names))
    with pytest.raises(CheckpointError, match="other classes"):
        run(other, tmp_path, "training.epochs=1", resume=True)


def relabelled(data: SkeletonData) -> SkeletonData:
    return replace(data, store=replace(data.store, labels=data.store.labels.flip(0)))


def exchanged(data: SkeletonData) -> SkeletonData:
    split = data.splits["xsub"]
    return replace(data, splits={"xsub": Split(split.test, split.train)})


def moved(data: SkeletonData) -> SkeletonData:
    return replace(data, store=replace(data.store, frames=data.store.frames.roll(1, 0) * 1.1))


@pytest.mark.parametrize(
    ("change", "part"), [(relabelled, "labels"), (exchanged, "split"), (moved, "coordinates")]
)
def test_a_run_is_resumed_on_the_same_data_only(
    uninterrupted: RunDirectory, data: SkeletonData, change: Any, part: str
) -> None:
    before = contents(uninterrupted.path)
    with pytest.raises(CheckpointError, match=f"trained on other data .* the {part} differ"):
        run(change(data), uninterrupted.path, resume=True)
    assert contents(uninterrupted.path) == before


def test_other_arithmetic_makes_no_other_data(data: SkeletonData) -> None:
    rounded = replace(data.store, frames=data.store.frames.half().float())
    before = DataFingerprint.of(data, "xsub")
    assert before.differences(DataFingerprint.of(replace(data, store=rounded), "xsub")) == []
    assert DataFingerprint.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_another_number_of_threads_is_said(
    uninterrupted: RunDirectory, data: SkeletonData, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted.path, tmp_path / "run")
    watcher, before = Watcher(), torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        run(data, tmp_path / "run", resume=True, watch=watcher)
    finally:
        torch.set_num_threads(before)
    (remark,) = [line for line in watcher.remarks if "CPU thread" in line]
    assert f"only with OMP_NUM_THREADS={before}" in remark


def test_a_damaged_checkpoint_is_skipped_and_reported(
    uninterrupted: RunDirectory, data: SkeletonData, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(data, tmp_path, watch=Watcher(2))
    torn = RunDirectory(tmp_path)
    draft = tmp_path / "dialogues" / ".000_wave.jsonl.x.draft"
    draft.write_text("what a killed process was writing")
    (tmp_path / "checkpoints" / "epoch_0002" / "tensors.safetensors").write_bytes(b"")
    watcher = Watcher()
    run(data, tmp_path, resume=True, watch=watcher)
    assert watcher.began == [1]
    assert len(watcher.damaged) == 1 and "epoch_0002" in watcher.damaged[0]
    assert not draft.exists()
    assert_alike(uninterrupted, torn)


def test_without_a_readable_checkpoint_no_run_is_resumed(
    data: SkeletonData, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(data, tmp_path, watch=Watcher(1))
    (tmp_path / "checkpoints" / "epoch_0001" / "state.json").write_bytes(b"{")
    with pytest.raises(CheckpointError, match="epoch_0001"):
        run(data, tmp_path, resume=True)


def test_an_unguided_run_has_no_rounds_and_is_saved_with_the_weights_it_was_trained_with(
    data: SkeletonData, tmp_path: Path
) -> None:
    summary = run(
        data, tmp_path, "agents.chat=none", "training.epochs=3", "training.guidance_period=1"
    )
    agents = summary["agents"]
    assert (agents["chat"], agents["rounds"], agents["questions"]) == ("none", 0, {})
    saved = read_config(RunDirectory(tmp_path).config)
    assert (saved.loss.alpha, saved.loss.beta) == (0, 0)
    metadata = load_checkpoint(tmp_path / "checkpoints" / "epoch_0003").metadata
    assert metadata["config"]["loss"]["beta"] == 0
    changes = ("agents.chat=none", "training.epochs=3", "training.guidance_period=1")
    assert run(data, tmp_path, *changes, resume=True)["top1"] == summary["top1"]
