"""What a trained run predicts: alike to its evaluation, from any folder, of any input."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, random_bodies, turn
from tests.small_run import CLASSES, SETTINGS, samples, small_archive, small_run, swinging

from skeletonagent.api import train
from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.layout import COCO_17, COCO_20
from skeletonagent.core.streams import Stream
from skeletonagent.data.preprocessing import add_coco20_joints
from skeletonagent.evaluation.ensemble import fuse
from skeletonagent.experiments.datasets import open_dataset, prepare_dataset, write_dataset
from skeletonagent.inference.evaluate import evaluate_split
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def model(run: Path) -> Predictor:
    return load_predictor(run, "cpu")


def joints_of(sequences: list[SkeletonSequence]) -> list[np.ndarray]:
    return [sequence.joints for sequence in sequences]


def test_a_predictor_says_what_it_was_trained_on(model: Predictor) -> None:
    assert model.class_names == CLASSES
    assert model.layout == COCO_17 and model.models[0].metadata.layout == COCO_20
    assert model.streams == (Stream.JOINT,)
    assert model.config.clips.frames == 8 and model.guidance.layout == COCO_20
    assert model.input_format.channel_names == ("x", "y") and model.persons == 2
    assert model.device == torch.device("cpu")


def test_predictions_equal_those_of_evaluation(model: Predictor, run: Path, archive: Path) -> None:
    data = prepare_dataset(model.config.data)
    evaluated = evaluate_split(model, data)
    stored = open_dataset(archive).store
    ids = evaluated.probabilities.sample_ids
    given = [stored.sequence(stored.index_of[sample]).joints for sample in ids]
    np.testing.assert_array_equal(model.predict(given).probs, evaluated.probabilities.probs)
    summary = RunDirectory(run).read_summary()
    assert summary is not None and summary["top1"] == evaluated.top1
    assert "of halves: top-1" in repr(evaluated)


def test_interpolated_clips_are_predicted_as_they_are_evaluated(
    archive: Path, tmp_path: Path
) -> None:
    run = small_run(
        archive,
        tmp_path / "linear",
        clips__sampling="linear",
        clips__test_clips=4,
        augment__warp=0.3,
        augment__jitter=0.02,
        agents__chat="none",
    ).path
    model = load_predictor(run, "cpu")
    evaluated = evaluate_split(model, prepare_dataset(model.config.data)).probabilities
    stored = open_dataset(archive).store
    given = [stored.sequence(stored.index_of[sample]).joints for sample in evaluated.sample_ids]
    np.testing.assert_array_equal(model.predict(given).probs, evaluated.probs)
    # The first of the clips, of the whole sample, is that of a sample resampled by itself.
    sample = given[0][:, ::2][:, :8]
    resampled = model.predict(sample, num_clips=1).probs
    model_at_8 = load_predictor(run, "cpu", overrides=["clips.sampling=segments", "augment.warp=0"])
    np.testing.assert_allclose(resampled, model_at_8.predict(sample, num_clips=1).probs, atol=1e-6)


def test_a_sample_is_predicted_alike_in_any_company(model: Predictor) -> None:
    given = joints_of(samples())
    together = model.predict(given).probs
    for number, joints in enumerate(given):
        np.testing.assert_allclose(model.predict(joints).probs[0], together[number], atol=1e-6)
    reverse = model.predict(given[::-1], batch_size=3).probs
    np.testing.assert_allclose(reverse[::-1], together, atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_one_body_may_stand_without_its_axis_and_be_a_tensor(model: Predictor) -> None:
    joints = samples(1)[0].joints
    expected = model.predict(joints).probs
    for alike in (
        joints[0],
        torch.from_numpy(joints),
        joints.astype(np.float64),
        joints[0].tolist(),
    ):
        np.testing.assert_array_equal(model.predict(alike).probs, expected)


def test_what_was_not_seen_is_as_absent_as_zeros(model: Predictor) -> None:
    joints = swinging(1, 5, bodies=2)
    zeros, gaps = joints.copy(), joints.copy()
    zeros[0, 4], gaps[0, 4] = 0, np.nan  # a frame
    zeros[1, :, 3], gaps[1, :, 3, 1] = 0, np.nan  # a joint, of which one number is missing
    np.testing.assert_array_equal(model.predict(gaps).probs, model.predict(zeros).probs)
    absent = np.stack([joints[0], np.full_like(joints[0], np.nan)])
    np.testing.assert_allclose(
        model.predict(absent).probs, model.predict(joints[0]).probs, atol=1e-6
    )
    assert np.isnan(gaps).any()  # what was given is as it was


def test_of_more_bodies_those_seen_most_are_taken(model: Predictor) -> None:
    joints = swinging(1, 5, bodies=3)
    passer_by = joints.copy()
    passer_by[0, 5:] = np.nan
    with pytest.warns(UserWarning, match=r"sample '0': .* room for 2 of its 3 bodies"):
        taken = model.predict(passer_by).probs
    np.testing.assert_array_equal(taken, model.predict(joints[1:]).probs)
    nobody = np.concatenate([np.full_like(joints[:1], np.nan), joints[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.predict(nobody).probs, taken)


def test_nobody_at_all_is_said(model: Predictor) -> None:
    with pytest.warns(UserWarning, match="no joint was seen"):
        assert len(model.predict(np.full((5, 17, 2), np.nan))) == 1


def test_one_clip_is_quicker_and_no_sample_is_none(model: Predictor) -> None:
    joints = joints_of(samples(3))
    assert (model.predict(joints, num_clips=1).probs != model.predict(joints).probs).any()
    assert model.predict([]).probs.shape == (0, 3) and model.features([]).shape == (0, 32)


def test_features_are_what_the_classifier_takes(model: Predictor) -> None:
    joints = joints_of(samples(4))
    features = model.features(joints, num_clips=1)
    head = model.models[0].recognizer.cls_head
    with torch.inference_mode():
        probs = head(torch.from_numpy(features)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probs, model.predict(joints, num_clips=1).probs, atol=1e-5)


def test_streams_are_fused_as_in_the_paper(streams: Path, archive: Path) -> None:
    both = load_predictor(streams, "cpu")
    assert both.streams == (Stream.JOINT, Stream.JOINT_MOTION) and both.weights == (2, 1)
    joints = joints_of(samples(4))
    single = [load_predictor(streams / name, "cpu") for name in ("joint", "joint_motion")]
    probs = [one.predict(joints).probs.astype(np.float64) for one in single]
    np.testing.assert_allclose(both.predict(joints).probs, (2 * probs[0] + probs[1]) / 3)
    width = sum(one.features(joints).shape[1] for one in single)
    assert both.features(joints).shape == (4, width)
    data = prepare_dataset(both.config.data)
    ids = data.splits["halves"].test
    fused = fuse([one.predict_data(data, ids) for one in single], (2, 1))
    np.testing.assert_array_equal(both.predict_data(data, ids).probs, fused.probs)


def test_streams_of_other_classes_are_not_fused(streams: Path) -> None:
    models = load_predictor(streams, "cpu").models
    other = replace(models[1], metadata=replace(models[1].metadata, class_names=("a", "b", "c")))
    with pytest.raises(CheckpointError, match="different classes or joints"):
        Predictor.fused([models[0], other])


def test_a_run_is_all_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive = small_archive(Path("skeletons") / "mine")
    made = small_run(archive, Path("runs") / "first", agents__chat="none")
    joints = joints_of(samples(3))
    expected = made.predictor("cpu").predict(joints).probs
    shutil.move(tmp_path / "runs" / "first", tmp_path / "renamed")
    shutil.rmtree(tmp_path / "skeletons")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = load_predictor(Path(os.pardir) / "renamed", "cpu")
    np.testing.assert_array_equal(moved.predict(joints).probs, expected)
    newest = RunDirectory(tmp_path / "renamed").checkpoints.latest().checkpoint
    assert newest is not None
    alone = tmp_path / "renamed" / "checkpoints" / newest.name
    np.testing.assert_array_equal(load_predictor(alone, "cpu").predict(joints).probs, expected)


def test_a_run_finds_its_data_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = small_run(small_archive(Path("skeletons") / "mine"), Path("first"), agents__chat="none")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    made.path = tmp_path / "first"
    assert made.summary is not None and made.evaluate().top1 == made.summary["top1"]


def test_a_damaged_newest_checkpoint_is_passed_over(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    newest, older = sorted((copy / "checkpoints").iterdir(), reverse=True)[:2]
    (newest / "tensors.safetensors").write_bytes(b"torn")
    with pytest.warns(UserWarning, match="passed over: .*checksum"):
        assert load_predictor(copy, "cpu").models[0].epoch == int(older.name[-4:])
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(CheckpointError, match="holds no trained run"):
        load_predictor(copy)


def test_the_base_of_the_package_is_to_be_given_actions() -> None:
    with pytest.raises(CheckpointError, match=r"actions add .* --base base"):
        load_predictor("base")


def test_settings_can_be_overridden(run: Path) -> None:
    joints = samples(1)[0].joints
    one = load_predictor(run, "cpu", overrides=["clips.test_clips=1"])
    assert one.config.clips.test_clips == 1
    two = load_predictor(run, "cpu")
    np.testing.assert_array_equal(one.predict(joints).probs, two.predict(joints, num_clips=1).probs)
    with pytest.raises(CheckpointError, match="another one than asked for"):
        load_predictor(run, "cpu", overrides=["model.width=16"])
    with pytest.raises(ConfigError, match="clips"):
        load_predictor(run, "cpu", overrides=["clips.frame=1"])


def pixels(**sizes: object) -> list[SkeletonSequence]:
    """Return samples in pixels with confidence, of images of that size."""
    return [
        replace(
            sequence,
            joints=np.concatenate([300 * sequence.joints, np.ones_like(sequence.joints[..., :1])],
                                  axis=-1),
            **sizes,
        )
        for sequence in samples()
    ]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
def test_pixels_are_divided_as_in_training(tmp_path: Path, known: bool) -> None:

    sequences = pixels(image_size=(1920.0, 1080.0) if known else None)
    ids = [sequence.sample_id for sequence in sequences]
    path = write_dataset(
        sequences,
        layout="coco-17",
        class_names=CLASSES,
        splits={"halves": (ids[:6], ids[6:])},
        path=tmp_path / "pixels",
        has_confidence=True,
    )
    changes = {"data.scale": "image", "data.confidence": True, "agents.chat": "none"}
    run = train("default", data=path, out=tmp_path / "run", overrides={**SETTINGS, **changes})
    model = run.predictor("cpu")
    assert model.input_format.channel_names == ("x", "y", "confidence")
    assert model.input_format.has_image_sizes is known
    expected = run.evaluate(device="cpu").probabilities.probs
    given = joints_of(sequences[6:])
    if known:
        with pytest.raises(DataError, match=r"needs image_size=\(width, height\)"):
            model.predict(given)
    sized = model.predict(given, image_size=(1920, 1080))
    np.testing.assert_array_equal(sized.probs, expected)
    from_file = model.predict(path)
    assert from_file.sample_ids == tuple(ids)
    np.testing.assert_allclose(from_file.probs[6:], expected, atol=1e-6)


def test_bodies_are_turned_and_measured_as_in_training(tmp_path: Path) -> None:
    sequences = [
        SkeletonSequence(random_bodies(n, 1, frames=9, absent=0.1), n % 3, f"s{n}")
        for n in range(12)
    ]
    ids = [sequence.sample_id for sequence in sequences]
    path = write_dataset(
        sequences,
        layout=SMALL_BODY,
        class_names=CLASSES,
        splits={"halves": (ids[:6], ids[6:])},
        path=tmp_path / "bodies",
    )
    changes = {
        "data.orientation": "body",
        "data.scale": "body",
        "data.gaps": "interpolate",
        "agents.chat": "none",
    }
    run = train("default", data=path, out=tmp_path / "run", overrides={**SETTINGS, **changes})
    model, given = run.predictor("cpu"), joints_of(sequences[6:])
    expected = model.predict(given).probs
    np.testing.assert_array_equal(expected, run.evaluate(device="cpu").probabilities.probs)
    tilted = turn(0, 0.4) @ turn(1, 2.0)
    elsewhere = [
        np.where(joints.any(axis=-1, keepdims=True), 1000 * (joints @ tilted.T + 3), np.nan)
        for joints in given
    ]
    np.testing.assert_allclose(model.predict(elsewhere).probs, expected, atol=1e-4)


def test_coco_17_is_completed_for_a_run_on_coco_20(tmp_path: Path) -> None:

    store = add_coco20_joints(ClipStore.from_sequences(samples(), COCO_17, CLASSES))
    sequences = [store.sequence(index) for index in range(len(store))]
    ids = list(store.sample_ids)
    path = write_dataset(
        sequences,
        layout="coco-20",
        class_names=CLASSES,
        splits={"halves": (ids[:6], ids[6:])},
        path=tmp_path / "twenty",
    )
    run = train("default", data=path, out=tmp_path / "run",
                overrides={**SETTINGS, "agents.chat": "none"})  # fmt: skip
    model = run.predictor("cpu")
    assert model.layout == COCO_20
    twenty, seventeen = joints_of(sequences), joints_of(samples())
    np.testing.assert_allclose(
        model.predict(seventeen).probs, model.predict(twenty).probs, atol=1e-6
    )
