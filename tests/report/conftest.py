"""Run directories as a training leaves them, with names that try to break out of a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skeletonagent.agents import prompts
from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_20
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.archive import write_archive
from skeletonagent.experiments.config import Config, with_overrides, write_config
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training.callbacks import EpochRecord, RunLogger
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.feature_snapshots import FOLDER, FeatureSnapshot, learned_graphs
from skeletonagent.training.run_directory import RunDirectory

EVIL = "</script><b>wave"
CLASSES = (EVIL, 'clap & "shout"', "=HYPERLINK(1)")
TEXT_DIM = 4
SMALL = (
    "model.backbone=stgcn++", "model.width=6", "clips.frames=8", "clips.test_clips=1",
    "training.epochs=4", "agents.text_encoder=wordllama",
)  # fmt: skip
RunMaker = Callable[..., Path]


def data() -> SkeletonData:
    """Return clips in which one hand goes up, faster with the class."""
    rng = np.random.default_rng(0)
    rest = np.array([(0.1 * v, -0.05 * v, 3.0) for v in range(20)])
    sequences = []
    for n in range(18):
        frames = 9 + n % 4
        joints = rest + rng.normal(0, 0.01, (1, frames, 20, 3))
        joints[0, :, 11, 1] += (n % 3 + 1) * np.linspace(0, 1, frames)
        sequences.append(SkeletonSequence(joints.astype(np.float32), n % 3, f"a<i>{n}", n % 2 + 1))
    ids = tuple(sequence.sample_id for sequence in sequences)
    store = ClipStore.from_sequences(sequences, KINECT_20, CLASSES)
    return SkeletonData("tiny", "Tiny", store, {"half": Split(ids[:9], ids[9:])}, "half")


def said(action: str, step: Step, answer: str, round_: int, **facts: Any) -> Exchange:
    rivals, counts = ((CLASSES[1], "gone"), (3, 1)) if round_ else ((), ())
    question = prompts.question(step, action, KINECT_20, rivals, counts=counts, round_number=round_)
    return Exchange(question, answer, **facts)


def guidance(round_: int) -> Guidance:
    """Return guidance whose first class changes with the round, and the others do not."""
    classes = []
    for label, action in enumerate(CLASSES):
        exchanges = [said(action, Step.OVERVIEW, f"{action} moves.", 0)]
        if not label:
            failed = said(action, Step.DISTINGUISH, EVIL, 1, outcome=Outcome.REJECTED, problem="no")
            exchanges += [
                said(action, Step.DISTINGUISH, f"Joints: 12\nDifference: {EVIL} {r}.", r,
                     outcome=Outcome.REPAIRED, problem="the <form>", earlier=(failed,),
                     remarks=("the <hip> rests",))
                for r in range(1, round_ + 1)
            ]  # fmt: skip
        told = f"{action}, as told in round {round_ if not label else 0}."
        joints = (11, 7 + round_) if not label else ()
        classes.append(ClassGuidance(action, joints, told, (), Dialogue(action, tuple(exchanges))))
    return Guidance(KINECT_20, tuple(classes), round_)


def epoch(number: int) -> EpochRecord:
    validated = None if number == 3 else 0.2 * number
    return EpochRecord(
        number,
        3.0 - number / 2,
        1.5,
        1.0,
        0.5,
        0.25 * number,
        validated,
        0.1,
        number // 2,
        9.0,
        1.5,
    )


def scored(seed: int, store: ClipStore, ids: tuple[str, ...]) -> ClassProbabilities:
    rng = np.random.default_rng(seed)
    labels = store.labels[store.indices(ids)].numpy()
    scores = rng.uniform(0, 1, (len(ids), 3)) + 0.4 * np.eye(3)[labels]
    return ClassProbabilities(ids, labels, scores / scores.sum(axis=1, keepdims=True))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(data(), tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def make_run(archive: Path) -> RunMaker:
    """Return a function that writes a run: ``make_run(folder, "seed=1", finished=False)``."""

    def made(path: Path, *settings: str, finished: bool = True, epochs: int = 4) -> Path:
        assignments = [f"data.archive={archive}", "data.split=half", *SMALL, *settings]
        config = with_overrides(Config(), assignments)
        run = RunDirectory(path)
        write_config(config, run.config)
        if not epochs:
            return path
        recorder = RunLogger(run)
        guided = config.agents.chat != "none"
        before, now = None, guidance(0)
        recorder.on_guidance(before, now)
        recognizer = _recognizer(config)
        for number in range(epochs):
            if guided and number and number % 2 == 0:
                before, now = now, guidance(now.round + 1)
                recorder.on_guidance(before, now)
            recorder.on_epoch(epoch(number))
            if number % 2:
                _snapshot(recognizer, number + 1, config.seed).save(path / FOLDER)
        _save(run, config, recognizer, now, epochs)
        if finished:
            _finish(run, config)
        return path

    return made


def _recognizer(config: Config) -> torch.nn.Module:
    torch.manual_seed(config.seed)
    return build_recognizer(
        "stgcn++", KINECT_20, channels=3, persons=1, num_classes=3, text_dim=TEXT_DIM, width=6
    )


def _snapshot(recognizer: torch.nn.Module, done: int, seed: int) -> FeatureSnapshot:
    rng = np.random.default_rng(seed)
    labels = np.arange(9) % 3
    features = rng.normal(0, 1, (9, 6)) + done * 3 * np.eye(6)[labels]
    ids = tuple(f"a<i>{n}" for n in range(9))
    graphs = learned_graphs(recognizer.state_dict())
    return FeatureSnapshot(done, ids, labels, features.astype(np.float32), graphs)


def _save(
    run: RunDirectory, config: Config, recognizer: torch.nn.Module, now: Guidance, epochs: int
) -> None:
    tensors = {f"recognizer.{name}": value for name, value in recognizer.state_dict().items()}
    tensors["confusions"] = torch.tensor([[5, 1, 0], [2, 4, 0], [0, 0, 6]])
    metadata = RecognizerMetadata(
        config, CLASSES, KINECT_20, 3, 1, TEXT_DIM, data().store.input_format
    )
    run.checkpoints.save(
        Checkpoint(epochs, tensors, metadata.to_json() | {"guidance": now.to_json()})
    )


def _finish(run: RunDirectory, config: Config) -> None:
    opened = prepare_dataset(config.data)
    ids = opened.splits["half"].test
    scores = scored(config.seed, opened.store, ids)
    scores.save(run.predictions)
    part = {"samples": len(ids), "top1": scores.topk_accuracy(1), "top5": 1.0, "mean_class": 0.5}
    summary = {
        "data": "tiny", "split": "half", "stream": "joint", "top1": scores.topk_accuracy(1),
        "test": {"half": part}, "parameters": 1234, "device": "a <machine>",
        "agents": {"rounds": 1}, "epochs": 4, "seconds": 6.0, "seed": config.seed,
    }  # fmt: skip
    write_text(run.summary, json.dumps(summary))


@pytest.fixture(scope="session")
def runs(make_run: RunMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs: guided ones of two seeds, an unguided one, one going, one begun."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "guided", "seed=0")
    make_run(folder / "again", "seed=1")
    make_run(folder / "unguided", "agents.chat=none", "seed=0")
    make_run(folder / "going", finished=False, epochs=3)
    make_run(folder / "begun", finished=False, epochs=0)
    return folder
