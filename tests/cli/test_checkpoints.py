"""``convert-checkpoint``: from the authors' file to a run that can be evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from tests.small_run import small_archive
from torch import Tensor

from skeletonagent.api import train
from skeletonagent.cli.checkpoints import convert_checkpoint
from skeletonagent.cli.evaluate import evaluate
from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import write_archive
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.settings import Origin
from skeletonagent.experiments import released_run
from skeletonagent.experiments.config import read_config
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.models.released_checkpoint import ReleasedCheckpoint
from skeletonagent.models.settings import PersonPooling
from skeletonagent.training.run_directory import RunDirectory

FILE = Path("xsub_bm.pth")

Convert = Callable[..., RunDirectory]


def released(
    layout: SkeletonLayout = KINECT_25,
    classes: int = 60,
    backbone: str = "skeletonagent",
    stream: Stream | None = None,
    channels: int = 3,
) -> ReleasedCheckpoint:
    torch.manual_seed(0)
    recognizer = build_recognizer(
        backbone, layout, channels=channels, persons=2, num_classes=classes, text_dim=4, width=8
    )
    torch.nn.init.normal_(recognizer.cls_head.fc.weight)  # scores that differ
    joints = torch.arange(layout.num_joints) % 3 == torch.arange(classes)[:, None] % 3
    return ReleasedCheckpoint(
        state=recognizer.state_dict(),
        backbone=backbone,
        width=8,
        joints=layout.num_joints,
        channels=channels,
        persons=2,
        num_classes=classes,
        text_dim=4,
        salient=joints,
        stream=stream,
        epoch=150,
        text_tower=149,
    )


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Convert:
    """Return the command, given what it is to find in the file."""

    def run(
        found: ReleasedCheckpoint,
        out: str = "run",
        benchmark: str | None = None,
        stream: str | None = None,
        as_json: bool = False,
    ) -> RunDirectory:
        monkeypatch.setattr(released_run, "read_released_checkpoint", lambda path: found)
        convert_checkpoint(FILE, tmp_path / out, benchmark, stream, as_json)
        return RunDirectory(tmp_path / out)

    return run


def facts_in(run: RunDirectory) -> dict[str, object]:
    checkpoint = run.checkpoints.latest().checkpoint
    assert checkpoint is not None
    return dict(checkpoint.metadata)


def test_a_run_holds_weights_k_and_facts(convert: Convert) -> None:
    found = released()
    run = convert(found)
    checkpoint = run.checkpoints.latest().checkpoint
    assert checkpoint is not None and checkpoint.name == "epoch_0150"
    weights = checkpoint.tensors_under("recognizer")
    assert weights.keys() == found.state.keys()
    assert all(torch.equal(tensor, found.state[name]) for name, tensor in weights.items())
    assert torch.equal(checkpoint.tensors["salient"], found.salient)
    guidance = Guidance.from_json(checkpoint.metadata["guidance"], KINECT_25)
    assert torch.equal(guidance.salient(), found.salient)
    assert checkpoint.metadata["class_names"] == list(BENCHMARKS["ntu60"].class_names)
    config = read_config(run.config)
    assert (config.model.backbone, config.model.width) == ("skeletonagent", 8)
    assert config.model.person_pooling is PersonPooling.RELEASED
    assert (config.data.archive, config.data.origin) == ("ntu60", Origin.PERSON)
    assert (config.clips.frames, config.clips.test_clips) == (100, 10)


@pytest.mark.parametrize(
    ("classes", "layout", "name"),
    [
        (60, KINECT_25, "ntu60"), (120, KINECT_25, "ntu120"), (99, COCO_20, "finegym"),
        (400, COCO_20, "kinetics-skeleton"), (155, UAV_17, "uav-human"),
    ],
)  # fmt: skip
def test_benchmarks_are_told_by_their_sizes(
    classes: int, layout: SkeletonLayout, name: str, convert: Convert
) -> None:
    facts = facts_in(convert(released(layout, classes, "dg-stgcn")))
    assert facts["class_names"] == list(BENCHMARKS[name].class_names)
    assert facts["layout"]["joints"] == list(layout.joints)
    assert facts["config"]["data"]["archive"] == name
    assert (facts["config"]["data"]["origin"] == "none") == (layout is not KINECT_25)


def test_classes_of_no_known_set_are_numbered(
    convert: Convert, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_in(convert(released(classes=2)))
    assert facts["class_names"] == ["class 1", "class 2"]
    assert "--benchmark" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told", "expected"),
    [(None, None, "joint"), (None, "bm", "bone_motion"), ("k", "bm", "kbone")],
)
def test_the_stream_is_given_or_told_by_the_file(
    given: str | None, told: str | None, expected: str, convert: Convert
) -> None:
    found = released(stream=told and Stream.parse(told))
    assert read_config(convert(found, stream=given).config).clips.stream.value == expected


def test_json_says_what_was_read(convert: Convert, capsys: pytest.CaptureFixture[str]) -> None:
    found = released()
    run = convert(found, benchmark="NTU60", as_json=True)
    told = json.loads(capsys.readouterr().out)
    recognizer = found.recognizer(KINECT_25)
    assert told == {
        "benchmark": "ntu60", "backbone": "skeletonagent", "width": 8, "classes": 60,
        "joints": 25, "channels": 3, "persons": 2, "stream": "joint", "epoch": 150,
        "text_tower": 149, "out": str(run.path),
        "parameters": sum(parameter.numel() for parameter in recognizer.parameters()),
    }  # fmt: skip


def test_one_file_holds_the_same(convert: Convert, tmp_path: Path) -> None:
    found = released()
    convert(found, out="weights.safetensors")
    with safetensors.safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        names, facts = set(file.keys()), json.loads(file.metadata()["metadata"])
        salient: Tensor = file.get_tensor("salient")
    assert names == {"salient", *(f"recognizer.{name}" for name in found.state)}
    assert torch.equal(salient, found.salient)
    assert facts["class_names"] == list(BENCHMARKS["ntu60"].class_names)
    with pytest.raises(ConfigError, match=r"weights\.safetensors exists already"):
        convert(found, out="weights.safetensors")


def test_a_run_is_not_written_over(convert: Convert) -> None:
    convert(released())
    with pytest.raises(ConfigError, match="run exists already; choose another --out"):
        convert(released())


@pytest.mark.parametrize(
    ("benchmark", "problem"),
    [
        ("ntu", "no benchmark 'ntu'; there are ntu60"),
        ("ntu120", "does not have the checkpoint's 60 classes and 25 joints"),
        ("uav-human", "does not have the checkpoint's 60 classes and 25 joints"),
    ],
)
def test_other_benchmarks_are_refused(
    benchmark: str, problem: str, convert: Convert, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=problem):
        convert(released(), benchmark=benchmark)
    assert not (tmp_path / "run").exists()


def test_other_skeletons_and_weights_are_refused(convert: Convert, tmp_path: Path) -> None:
    found = released()
    with pytest.raises(CheckpointError, match="24 joints; released recognizers have 25, 20, 17"):
        convert(replace(found, joints=24))
    with pytest.raises(CheckpointError, match=r"cls_head\.fc\.bias is missing"):
        convert(
            replace(found, state={k: t for k, t in found.state.items() if "cls_head.fc.b" not in k})
        )
    assert not (tmp_path / "run").exists()


def test_a_converted_run_can_be_evaluated(convert: Convert, tmp_path: Path) -> None:
    """The scores are those of the weights, for samples of one and of two bodies."""
    rng = np.random.default_rng(0)
    sequences = [
        SkeletonSequence(rng.normal(0, 1, (1 + n % 2, 9, 25, 3)).astype(np.float32), n, f"clip{n}")
        for n in range(4)
    ]
    store = ClipStore.from_sequences(sequences, KINECT_25, BENCHMARKS["ntu60"].class_names)
    splits = {"xsub": Split(train=("clip0",), test=("clip1", "clip2", "clip3"))}
    archive = write_archive(SkeletonData("few", "Few", store, splits, "xsub"), tmp_path / "data")
    found = released()
    run = convert(found)
    path = tmp_path / "predictions.npz"
    set_ = ["clips.frames=9", "clips.test_clips=1", "device=cpu"]
    evaluate(run.path, data=archive, split=None, predictions=path, set_=set_, as_json=False)
    scores = ClassProbabilities.load(path)
    clips = np.zeros((3, 2, 9, 25, 3), dtype=np.float32)
    for row, sequence in enumerate(sequences[1:]):
        body = sequence.joints - sequence.joints[0, 0, KINECT_25.center]
        clips[row, : len(body)] = body
    with torch.no_grad():
        logits = found.recognizer(KINECT_25).eval().classify(torch.from_numpy(clips))
    assert scores.sample_ids == ("clip1", "clip2", "clip3")
    np.testing.assert_allclose(scores.probs, logits.softmax(1).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "backbone", "channels", "stream"),
    [
        ("ntu60", "skeletonagent", 3, "b"), ("ntu120", "skeletonagent", 3, "km"),
        ("finegym", "skeletonagent", 3, "j"), ("kinetics-skeleton", "dg-stgcn", 3, "bm"),
        ("uav-human", "skeletonagent", 3, "k"), ("finegym", "skeletonagent", 2, "jm"),
    ],
)  # fmt: skip
def test_every_released_variant_is_evaluated_as_it_was_converted(
    name: str, backbone: str, channels: int, stream: str, convert: Convert, tmp_path: Path
) -> None:
    """The archive has what the benchmark's has: joints, channels and confidence."""
    row = BENCHMARKS[name]
    layout = COCO_20 if row.layout == COCO_17 else row.layout
    run = convert(
        released(layout, len(row.class_names), backbone, channels=channels), stream=stream
    )
    rng, joints = np.random.default_rng(0), row.layout.num_joints
    clips = [rng.uniform(0.1, 1, (1, 12, joints, 3)).astype(np.float32) for _ in range(2)]
    sequences = [SkeletonSequence(clip, n, f"clip{n}") for n, clip in enumerate(clips)]
    store = ClipStore.from_sequences(
        sequences, row.layout, row.class_names, has_confidence=row.has_confidence
    )
    splits = {"standard": Split(("clip0",), ("clip0", "clip1"))}
    archive = write_archive(
        SkeletonData("few", "Few", store, splits, "standard"), tmp_path / "data"
    )
    path = tmp_path / "predictions.npz"
    set_ = ["clips.frames=8", "clips.test_clips=1", "device=cpu"]
    evaluate(run.path, data=archive, split=None, predictions=path, set_=set_, as_json=True)
    probs = ClassProbabilities.load(path).probs
    assert probs.shape == (2, len(row.class_names)) and np.isfinite(probs).all()
    config = read_config(run.config)
    assert config.data.confidence == (row.has_confidence and channels == 3)


def test_trainings_on_another_layout_begin_with_a_converted_checkpoint(
    convert: Convert, tmp_path: Path
) -> None:
    source = convert(released())
    run = train(
        init_from=source.path, data=small_archive(tmp_path / "mine"), out=tmp_path / "mine_run",
        overrides={
            "training.steps": 2, "training.batch_size": 4, "training.warmup_epochs": 0,
            "clips.frames": 8, "clips.test_clips": 1, "data.confidence": False,
            "agents.chat": "none", "device": "cpu",
        },
    )  # fmt: skip
    assert run.summary is not None
    record = run.summary["initial_weights"]
    assert record["source"] == str(source.path.resolve()) and record["layout"] == KINECT_25.name
    assert "left wrist" in record["kept_joints"] and "left eye" in record["fresh_joints"]
    assert len(record["weights"]["whole"]) > len(record["weights"]["fresh"])
