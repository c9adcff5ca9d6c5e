"""Runs that begin with the weights of another one: settings, weights, record, and resuming."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.small_run import CLASSES, samples, small_archive

from skeletonagent.api import Run, train
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.layout import KINECT_20
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.build import load_recognizer
from skeletonagent.experiments.config import Config, with_overrides, write_config
from skeletonagent.experiments.datasets import (
    open_dataset,
    prepare_dataset,
    preprocess_dataset,
    write_dataset,
)
from skeletonagent.experiments.fine_tuning import (
    INITIAL_WEIGHTS,
    InitialWeights,
    read_source,
)
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import plan_training
from skeletonagent.experiments.run import run_experiment
from skeletonagent.experiments.training_request import TrainingRequest, require_archive
from skeletonagent.inference.evaluate import evaluate_split
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.run_directory import RunDirectory

SETTINGS = [
    "clips.frames=8", "clips.test_clips=2", "model.backbone=joint-cnn", "model.readout=temporal",
    "model.readout_width=4", "model.width=4", "training.epochs=2", "training.batch_size=4",
    "training.ema_decay=0.8", "training.optimizer=adamw", "training.learning_rate=0.01",
    "agents.chat=none", "device=cpu", "data.scale=body", "augment.rotation=0.3",
    "training.validation_share=0",
]  # fmt: skip


class Watch(Callback):
    """Callback that keeps remarks, and ends the run in the middle of an epoch."""

    def __init__(self, stop: tuple[int, int] | None = None) -> None:
        self.stop = stop
        self.remarks: list[str] = []

    def __call__(self, config: Config, latest: LatestCheckpoint) -> Watch:
        return self

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None: ...

    def on_remark(self, remark: str) -> None:
        self.remarks.append(remark)

    def on_step(self, epoch: int, step: int, *_: Any) -> None:
        if (epoch, step) == self.stop:
            raise KeyboardInterrupt


def run(config: Config, data: SkeletonData, out: Path, watch: Watch, **options: Any) -> Any:
    return run_experiment(config, data, out, watch=watch, **{"resume": False, **options})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "first")


@pytest.fixture(scope="module")
def data(archive: Path) -> SkeletonData:
    return preprocess_dataset(open_dataset(archive))


@pytest.fixture(scope="module")
def source(archive: Path, data: SkeletonData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on the first archive."""
    out = tmp_path_factory.mktemp("runs") / "source"
    config = with_overrides(Config(), [*SETTINGS, f"data.archive={archive}", "seed=5"])
    run(config, data, out, Watch())
    return out


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of another skeleton, in 3D, with two of three classes the same."""
    path = tmp_path_factory.mktemp("skeletons") / "second"
    clips = samples(12, joints=20, channels=3)
    ids = [clip.sample_id for clip in clips]
    return write_dataset(
        clips,
        layout=KINECT_20,
        class_names=("squat", "wave", "throw"),
        splits={"main": (ids[:8], ids[8:])},
        path=path,
    )


def planned(source: Path, out: Path, *assignments: str, **options: Any) -> Config:
    """Return the configuration of the only run that a command asks for."""
    request = TrainingRequest(init_from=source, assignments=assignments, **options)
    (config,) = plan_training(request, out, resume=False).values()
    return config


def test_settings_are_those_of_the_source(source: Path, archive: Path, tmp_path: Path) -> None:
    trained = read_source(source).metadata.config
    config = planned(source, tmp_path / "run")
    assert config.training.init_from == str(source.resolve())
    assert config.data == trained.data and config.data.archive == str(archive)
    assert config.clips == trained.clips and config.augment == trained.augment
    assert replace(config.training, init_from=None) == trained.training
    assert (config.seed, config.device) == (0, "auto")


def test_another_archive_brings_its_own_split(source: Path, other: Path, tmp_path: Path) -> None:
    config = planned(source, tmp_path / "run", archive=other)
    assert (config.data.archive, config.data.split) == (str(other), "main")
    assert config.data.scale == "body" and config.clips.frames == 8
    assigned = planned(source, tmp_path / "run", f"data.archive={other}", "data.scale=none")
    assert assigned.data == replace(config.data, scale=assigned.data.scale)
    assert assigned.data.scale == "none"


def test_a_setting_does_as_the_option_does(source: Path, tmp_path: Path) -> None:
    request = TrainingRequest(assignments=(f"training.init_from={source}", "training.epochs=5"))
    (config,) = plan_training(request, tmp_path / "run", resume=False).values()
    assert config == planned(source, tmp_path / "run", "training.epochs=5")


def test_a_preset_keeps_what_does_not_belong_to_the_weights(
    source: Path, other: Path, tmp_path: Path
) -> None:
    trained = read_source(source).metadata.config
    config = planned(source, tmp_path / "run", config="utd-mhad", archive=other)
    given = preset("utd-mhad")
    assert (config.augment, config.loss, config.agents) == (given.augment, given.loss, given.agents)
    assert config.training.steps == given.training.steps
    assert (config.clips, config.model) == (trained.clips, trained.model)
    assert config.data.scale == trained.data.scale


@pytest.mark.parametrize("options", [{"size": PresetSize.TINY}, {"recipe": Recipe.BEST}])
def test_variants_of_no_preset_are_refused(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="--preset-size and --recipe"):
        planned(source, tmp_path / "run", **options)


def test_the_same_classes_keep_all_weights(
    source: Path, data: SkeletonData, tmp_path: Path
) -> None:
    watch = Watch()
    config = planned(source, tmp_path / "run", "device=cpu", "training.learning_rate=1e-30")
    summary = run(config, data, tmp_path / "run", watch)
    (line,) = [remark for remark in watch.remarks if remark.startswith("weights of ")]
    assert "tensors taken; 20 of 20 joints; 3 of 3 classes" in line
    record = summary[INITIAL_WEIGHTS]
    assert record["source"] == str(source.resolve()) and record["epoch"] == 2
    assert record["classes"] == list(CLASSES) and not record["weights"]["fresh"]
    before = load_recognizer(read_source(source).checkpoint).state_dict()
    after = load_recognizer(read_source(tmp_path / "run").checkpoint).state_dict()
    for name in before:
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(before[name], after[name], rtol=0, atol=1e-12)
    assert InitialWeights.from_json(record).to_json() == record
    written = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert written[INITIAL_WEIGHTS] == record


def test_another_skeleton_and_other_classes(source: Path, other: Path, tmp_path: Path) -> None:
    watch = Watch()
    out = tmp_path / "run"
    config = planned(source, out, "device=cpu", archive=other)
    summary = run(config, preprocess_dataset(open_dataset(other)), out, watch)
    (line,) = [remark for remark in watch.remarks if remark.startswith("weights of ")]
    assert "14 of 20 joints (fresh: spine, head, left hand, " in line
    assert "2 of 3 classes (fresh: throw)" in line
    record = summary[INITIAL_WEIGHTS]
    assert record["kept_classes"] == ["squat", "wave"]
    assert record["weights"]["in_part"]["cls_head.fc.weight"] == pytest.approx(2 / 3, abs=1e-4)


@pytest.mark.parametrize("stop", [(0, 1), (0, 2), (1, 1)])
def test_a_killed_run_goes_on_alike_without_its_source(
    source: Path, other: Path, tmp_path: Path, stop: tuple[int, int]
) -> None:
    copied = tmp_path / "source"
    shutil.copytree(source, copied)
    data = preprocess_dataset(open_dataset(other))
    settings = ("device=cpu", "training.freeze=backbone", "training.taken_rate_factor=0.3")
    config = planned(copied, tmp_path / "plan", *settings, archive=other)
    run(config, data, tmp_path / "whole", Watch())
    with pytest.raises(KeyboardInterrupt):
        run(config, data, tmp_path / "cut", Watch(stop))
    shutil.rmtree(copied)
    torch.manual_seed(99)
    watch = Watch()
    run(config, data, tmp_path / "cut", watch, resume=True)
    assert not [remark for remark in watch.remarks if remark.startswith("weights of ")]
    one, two = (
        RunDirectory(tmp_path / name).checkpoints.latest().checkpoint for name in ("whole", "cut")
    )
    assert one is not None and two is not None
    assert one.metadata == two.metadata and INITIAL_WEIGHTS in one.metadata
    assert one.tensors.keys() == two.tensors.keys()
    assert all(torch.equal(tensor, two.tensors[name]) for name, tensor in one.tensors.items())


def test_a_run_is_resumed_from_the_command_line(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (config,) = plan_training(TrainingRequest(init_from=source), out, resume=False).values()
    write_config(config, RunDirectory(out).config)
    for init_from in (None, source):
        again = plan_training(TrainingRequest(init_from=init_from), out, resume=True)
        assert again == {out: config}
    with pytest.raises(ConfigError, match="begun with another --from"):
        plan_training(TrainingRequest(init_from=tmp_path), out, resume=True)
    with pytest.raises(ConfigError, match=r"already holds a run.*train --from .* --out ANOTHER"):
        plan_training(TrainingRequest(), out, resume=False)


def test_a_folder_of_streams(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "joint")
    assert read_source(tmp_path, Stream.JOINT).path == (tmp_path / "joint").resolve()
    with pytest.raises(CheckpointError, match="it holds the runs joint: name one of them"):
        read_source(tmp_path)
    checkpoint = tmp_path / "joint" / "checkpoints" / "epoch_0001"
    assert read_source(checkpoint).checkpoint.epoch == 1
    (tmp_path / "joint" / "checkpoints" / "epoch_0002" / "tensors.safetensors").write_bytes(b"")
    with pytest.warns(UserWarning, match="passed over"):
        assert read_source(tmp_path / "joint").checkpoint.epoch == 1


def test_no_run_to_take_weights_from(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no trained run to take weights from"):
        planned(tmp_path / "nowhere", tmp_path / "run")


def test_a_recognizer_that_nothing_fits(source: Path, data: SkeletonData, tmp_path: Path) -> None:
    settings = ("device=cpu", "model.backbone=tiny-gcn", "model.readout=mean")
    config = planned(source, tmp_path / "run", *settings)
    numbers = SkeletonLayout("numbers", tuple(f"joint {v}" for v in range(20)), ())
    store = replace(data.store, layout=numbers, class_names=("a", "b", "c"))
    with pytest.raises(CheckpointError, match=r"no weight of .* fits this recognizer"):
        run(config, replace(data, store=store), tmp_path / "run", Watch())


def test_an_archive_that_is_gone_is_asked_for(tmp_path: Path) -> None:
    request = TrainingRequest(init_from=Path("runs/first"))
    with pytest.raises(ConfigError, match=r"runs/first trains on the archive 'gone'.*--data"):
        require_archive(request, "gone")
    require_archive(TrainingRequest(init_from=Path("runs/first"), archive=tmp_path), "gone")
    require_archive(request, "synthetic")


def test_mirroring_without_pairs_is_refused(data: SkeletonData, tmp_path: Path) -> None:
    numbers = SkeletonLayout("numbers", tuple(f"joint {v}" for v in range(20)), ())
    plain = replace(data, store=replace(data.store, layout=numbers))
    for name in ("mirror", "swap"):
        config = with_overrides(Config(), [*SETTINGS, f"augment.{name}=0.5"])
        with pytest.raises(ConfigError, match=rf"augment\.{name} exchanges left and right joints"):
            run(config, plain, tmp_path / "run", Watch())


def test_a_recognizer_of_pictures_from_joints_in_3d(other: Path, tmp_path: Path) -> None:
    """Trained and tested on an archive in 3D, it takes joints in 2D."""
    request = TrainingRequest(
        archive=other, size=PresetSize.TINY, assignments=(*SETTINGS, "data.dims=2")
    )
    (config,) = plan_training(request, tmp_path / "run", resume=False).values()
    data = prepare_dataset(config.data)
    run(config, data, tmp_path / "run", Watch())
    model = load_predictor(tmp_path / "run", "cpu")
    assert model.input_format.channel_names == ("x", "y")
    joints = samples(1, joints=20)[0].joints
    pixels = 100 * joints * [1, -1] + 300
    one, two = model.predict(joints).probs, model.predict(pixels).probs
    torch.testing.assert_close(torch.tensor(one), torch.tensor(two), rtol=1e-3, atol=1e-4)
    assert evaluate_split(model, data).top1 == RunDirectory(tmp_path / "run").read_summary()["top1"]
    again = planned(tmp_path / "run", tmp_path / "second", archive=other)
    assert again.data.dims == 2
    page = Run(tmp_path / "run").report(tmp_path / "page.html", clips=2)
    assert "time_steps" in page.read_text(encoding="utf-8")


def test_in_python(source: Path, other: Path, data: SkeletonData, tmp_path: Path) -> None:
    changes = {"device": "cpu", "training.epochs": 1}
    with pytest.raises(ConfigError, match=r"name data=\.\.\."):
        train(out=tmp_path / "none")
    run = train(init_from=source, data=other, out=tmp_path / "other", overrides=changes)
    assert run.config.clips.frames == 8 and run.config.training.epochs == 1
    assert run.summary and run.summary[INITIAL_WEIGHTS]["kept_classes"] == ["squat", "wave"]
    again = train(init_from=source, out=tmp_path / "same", overrides=changes)
    assert again.config.data == read_source(source).metadata.config.data
    held = train(init_from=source, data=data, out=tmp_path / "held", overrides=changes)
    assert held.config.training.init_from == str(source.resolve())
    resumed = train(init_from=source, out=tmp_path / "same", overrides=changes, resume=True)
    assert resumed.summary and again.config == resumed.config
    config = replace(again.config, training=replace(again.config.training, init_from=None))
    given = train(config, data=data, init_from=source, out=tmp_path / "given")
    assert given.config.training.init_from == str(source.resolve())
