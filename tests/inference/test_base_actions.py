"""Actions that a base tells apart by a few examples, without a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_run import CLASSES, samples, small_archive, small_run, swinging
from typer.testing import CliRunner

import skeletonagent as sa
from skeletonagent.cli.app import app
from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, KINECT_20
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.archive import read_archive
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.experiments.fine_tuning import read_source
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.pretraining import pretrain
from skeletonagent.inference.action_examples import (
    add_action,
    knowing_actions,
    list_actions,
    remove_action,
)
from skeletonagent.inference.added_actions import ExampleFormat
from skeletonagent.inference.base_actions import base_in_format, format_of_examples
from skeletonagent.inference.base_examples import WEIGHT, classifier_of_examples
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bases") / "base"
    settings = {
        "clips.frames": 8, "model.readout_width": 8, "model.width": 4, "training.steps": 30,
        "training.batch_size": 16, "device": "cpu",
    }  # fmt: skip
    pretrain(out=out, generated=6, overrides=settings)
    return out


@pytest.fixture
def base(trained: Path) -> Iterator[Path]:
    yield trained
    run = RunDirectory(trained)
    for file in (run.actions, run.kernel_ridge, *trained.glob("examples.*")):
        file.unlink(missing_ok=True)


def recording(path: Path, label: int, seed: int) -> Path:
    joints = swinging(label, seed, frames=30)
    write_keypoints(path, KeypointRecording(path.stem, joints, layout=COCO_17))
    return path


def test_a_base_tells_added_actions_apart(base: Path, tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        add_action(base, name, [recording(tmp_path / f"{name}{n}.npz", label, n) for n in (1, 2)])
    assert [(action.name, action.examples) for action in list_actions(base)] == [
        (name, 2) for name in CLASSES
    ]
    model = knowing_actions(load_predictor(base, "cpu"))
    assert model.class_names == CLASSES and model.layout == COCO_17
    for label, name in enumerate(CLASSES):
        predicted = model.predict(swinging(label, 9 + label, frames=30))
        assert predicted[0].class_name == name
    assert len(load_predictor(base, "cpu").class_names) == 6  # the base itself is as it was


def test_logits_are_those_of_the_nearest_mean(base: Path, tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "deep", samples(channels=3))
    add_action(base, "all", [archive])
    add_action(base, "one", [archive])
    model = knowing_actions(load_predictor(base, "cpu"))
    clip = swinging(0, 3, frames=30, channels=3)
    (features,) = model.features(clip)
    (row, _) = list_actions(base)
    mean = np.array(row.weight)
    head = model.models[0].recognizer.cls_head.fc
    logits = head(torch.from_numpy(features)).detach().numpy()
    assert logits[0] == pytest.approx(logits[1])
    distance = np.square(features - mean).sum() - np.square(features).sum()
    assert logits[0] == pytest.approx(-8 * distance / np.square(mean).sum(), rel=1e-3)


def test_examples_are_kept_and_a_classifier_is_fitted_to_them(base: Path, tmp_path: Path) -> None:
    files = [recording(tmp_path / f"{name}.npz", n, n) for n, name in enumerate(CLASSES)]
    add_action(base, CLASSES[0], files[:1])
    run = RunDirectory(base)
    assert not run.kernel_ridge.exists()  # nothing to tell it from
    for name, file in zip(CLASSES[1:], files[1:], strict=True):
        add_action(base, name, [file])
    examples = read_archive(base / "examples.npz").store
    assert examples.class_names == CLASSES and examples.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(examples.sequence(1).joints, swinging(1, 1, frames=30))
    model = knowing_actions(load_predictor(base, "cpu")).models[0]
    prepared = model.preprocessed([examples.sequence(n) for n in range(3)])
    wanted = classifier_of_examples(model, read_source(base), examples)
    (n, m), (of_n, of_m) = (one.features(prepared) for one in (model.kernel_ridge, wanted))
    torch.testing.assert_close(n, of_n)
    torch.testing.assert_close(m, of_m)
    torch.testing.assert_close(model.kernel_ridge.dual, wanted.dual)
    clip = examples.sequence(2)
    joined = model.predict_samples([clip]).probs
    means = replace(model, kernel_ridge=None).predict_samples([clip]).probs
    own = wanted.log_probabilities(prepared.subset(torch.tensor([2])), model_features(model, clip))
    both = (torch.from_numpy(means).log() + WEIGHT * own).div(1 + WEIGHT).softmax(dim=1)
    np.testing.assert_allclose(joined, both, atol=1e-4)
    remove_action(base, CLASSES[1])
    assert KernelRidge.load(run.kernel_ridge).intercept.shape == (2,)
    assert read_archive(base / "examples.npz").store.class_names == (CLASSES[0], CLASSES[2])
    add_action(base, CLASSES[1], files[1:2])
    (base / "examples.npz").unlink()
    add_action(base, "other", files[:1])  # a folder of an earlier version: by means alone
    known = knowing_actions(load_predictor(base, "cpu"))
    assert known.models[0].kernel_ridge is None and len(known.class_names) == 4


def model_features(model: StreamModel, clip: SkeletonSequence) -> torch.Tensor:
    """Return the features of a clip as the base of the model's classifier returns them."""
    sampler = model.sampler(model.preprocessed([clip]))
    return sample_features(model.kernel_ridge.base.encoder, sampler, torch.arange(1))


def test_a_classifier_of_other_actions_is_refused(base: Path, tmp_path: Path) -> None:
    for name in ("one", "other", "third"):
        add_action(base, name, [recording(tmp_path / f"{name}.npz", len(name) % 3, 0)])
    before = RunDirectory(base).kernel_ridge.read_bytes()
    remove_action(base, "third")
    RunDirectory(base).kernel_ridge.write_bytes(before)
    with pytest.raises(DataError, match=r"is of 3 actions, and .* has 2; remove it"):
        knowing_actions(load_predictor(base, "cpu"))


def test_joints_that_a_base_does_not_know_play_no_part(base: Path, tmp_path: Path) -> None:
    model = load_predictor(base, "cpu").models[0]
    fitted = base_in_format(model, read_source(base), ExampleFormat(InputFormat(COCO_17, 2)))
    joints = fitted.metadata.layout.num_joints
    eyes = [COCO_17.joints.index(name) for name in ("left eye", "right eye", "left ear")]
    clips = torch.randn(3, 1, 8, joints, 2, generator=torch.Generator().manual_seed(0))
    moved = clips.clone()
    moved[:, :, :, eyes] += 5
    with torch.no_grad():
        features = fitted.recognizer.features
        torch.testing.assert_close(features(clips), features(moved))


def test_formats_of_examples(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "deep", samples(channels=3))
    with pytest.warns(UserWarning, match="does not know play no part: left eye, right eye"):
        assert format_of_examples(archive) == InputFormat(COCO_17, 3)
    assert format_of_examples(recording(tmp_path / "flat.npz", 0, 0)) == InputFormat(COCO_17, 2)
    np.save(tmp_path / "nameless.npy", np.random.default_rng(0).normal(size=(30, 9, 3)))
    with pytest.raises(ConfigError, match="whose joints have names"):
        format_of_examples(tmp_path / "nameless.npy")


def test_examples_are_of_one_layout(base: Path, tmp_path: Path) -> None:
    add_action(base, "wave", [recording(tmp_path / "wave.npz", 0, 0)])
    assert KINECT_20.num_joints != COCO_17.num_joints
    np.save(tmp_path / "kinect.npy", np.random.default_rng(0).normal(size=(30, 20, 3)))
    with pytest.raises(DataError):
        add_action(base, "jump", [tmp_path / "kinect.npy"])
    with pytest.raises(ConfigError, match="'wave' is a class of the run already"):
        add_action(base, "wave", [tmp_path / "wave.npz"])
    RunDirectory(base).actions.write_text(
        RunDirectory(base).actions.read_text().replace('"layout"', '"shape"')
    )
    with pytest.raises(DataError, match="is damaged: input_format"):
        knowing_actions(load_predictor(base, "cpu"))


def test_a_copy_of_the_base_of_the_package_learns_actions(tmp_path: Path) -> None:
    """The packaged one stays as it is; a copy is made once, and of nothing else."""
    wave, known = recording(tmp_path / "wave.npz", 0, 0), tmp_path / "known"
    with pytest.raises(ConfigError, match=r"stays as it is; .* --base base"):
        add_action("base", "wave", [wave])
    with pytest.raises(ConfigError, match="needs at least one example"):
        add_action(known, "wave", base="base")
    with pytest.raises(ConfigError, match="is a base and knows no action yet"):
        knowing_actions(load_predictor(known, "cpu"))
    for label, name in enumerate(CLASSES[:2]):
        add_action(known, name, [recording(tmp_path / f"{name}.npz", label, 0)], base="base")
    model = knowing_actions(load_predictor(known, "cpu"))
    assert model.class_names == CLASSES[:2]
    assert model.predict(swinging(1, 0, frames=30))[0].class_name == CLASSES[1]


def test_a_base_is_copied_to_no_other_run(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds another run; leave out the base"):
        add_action(base, "wave", base="base")
    run = small_run(small_archive(tmp_path / "clips"), tmp_path / "run")
    with pytest.raises(ConfigError, match="is no base; name a run that"):
        add_action(tmp_path / "known", "wave", base=run.path)


def test_the_commands(base: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    for label, name in enumerate(CLASSES[:2]):
        file = recording(tmp_path / f"{name}.npz", label, 0)
        call("actions", "add", base, name, "--examples", file)
    assert "wave" in call("predict", tmp_path / "wave.npz", "--run", base, "--clips", "--csv")
    call("actions", "remove", base, "wave")
    assert "wave" not in call("actions", "list", base)


def pair(path: Path, label: int | None, seed: int) -> Path:
    """Write a recording of two persons, of whom the second stands by if it has no label."""
    one = swinging(0, seed, frames=30)
    other = np.repeat(one[:, :1], 30, axis=1) if label is None else swinging(label, seed, frames=30)
    joints = np.concatenate([one, other + np.array([3.0, 0.0])])
    write_keypoints(path, KeypointRecording(path.stem, joints, layout=COCO_17))
    return path


def test_pairs_are_told_apart_by_their_second_bodies(base: Path, tmp_path: Path) -> None:
    for name, label in (("both", 1), ("one", None)):
        files = [pair(tmp_path / f"{name}{seed}.npz", label, seed) for seed in range(3)]
        add_action(base, name, files)
    model = knowing_actions(load_predictor(base, "cpu"))
    assert model.persons == 2
    for name, label in (("both", 1), ("one", None)):
        found = model.segment(pair(tmp_path / f"new_{name}.npz", label, 9), window=30, rest="none")
        assert {segment.label for segment in found.segments} == {name}
    clips = model.models[0].metadata.training_clips
    assert clips.pair_classes == ("both", "one") and clips.median == 30
    examples = [read_archive(base / "examples.npz").store.sequence(n).joints for n in range(6)]
    model.export(tmp_path / "pairs.onnx")
    exported = sa.load(tmp_path / "pairs.onnx").predict(examples)
    np.testing.assert_allclose(exported.probs, model.predict(examples).probs, atol=1e-4)


def test_room_grows_with_the_first_example_of_a_pair(base: Path, tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES[:2]):
        add_action(base, name, [recording(tmp_path / f"{name}.npz", label, 1)])
    clip = swinging(1, 5, frames=30)
    assert knowing_actions(load_predictor(base, "cpu")).persons == 1
    means = [action.weight for action in list_actions(base)]
    add_action(base, "pair", [pair(tmp_path / "pair.npz", None, 1)])
    known = knowing_actions(load_predictor(base, "cpu"))
    assert known.persons == 2 and known.models[0].kernel_ridge is not None
    assert known.models[0].metadata.training_clips.pair_classes == ("pair",)
    weight = list_actions(base)[1].weight
    (features,) = known.features(swinging(1, 1, frames=30))
    np.testing.assert_allclose(features, weight, atol=1e-5)  # means are computed anew
    assert np.abs(np.array(means[1]) - weight).max() > 1e-4
    assert known.predict(clip)[0].class_name == CLASSES[1]
    three = np.concatenate([swinging(n, 1, frames=30) for n in range(3)])
    write_keypoints(tmp_path / "three.npz", KeypointRecording("three", three, layout=COCO_17))
    with pytest.warns(UserWarning, match="room for 2 of its 3 bodies"):
        add_action(base, "three", [tmp_path / "three.npz"])
