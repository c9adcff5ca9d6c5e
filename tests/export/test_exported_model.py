"""Exported files in use: the same predictions as the run, and files that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.small_run import CLASSES, samples, small_archive, small_run, swinging

import skeletonagent as sa
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.export.description import KERNEL_RIDGE, PROPERTY
from skeletonagent.export.session import OnnxSession
from skeletonagent.inference.evaluate import evaluate_split
from skeletonagent.inference.predictor import Predictor, load_predictor


@pytest.fixture(scope="module")
def exported(file: Path) -> Predictor:
    return sa.load(file)


def clips() -> list[np.ndarray]:
    """Return clips of one and two bodies, with absent joints, frames and bodies."""
    found = [swinging(n % 3, n, frames=12 + 3 * n, bodies=1 + n % 2) for n in range(4)]
    found[1][0, 4:7] = np.nan
    found[2][0, :, 3] = np.nan
    found[3][1, :15] = np.nan
    return found


def test_a_file_predicts_what_its_run_predicts(exported: Predictor, predictor: Predictor) -> None:
    ours, theirs = exported.predict(clips()), predictor.predict(clips())
    np.testing.assert_allclose(ours.probs, theirs.probs, atol=1e-5)
    np.testing.assert_allclose(ours.novelty, theirs.novelty, rtol=1e-4, atol=1e-5)
    assert ours.class_names == theirs.class_names
    one = exported.predict(clips(), num_clips=1, batch_size=1)
    np.testing.assert_allclose(one.probs, predictor.predict(clips(), num_clips=1).probs, atol=1e-5)
    features = exported.features(clips())
    np.testing.assert_allclose(features, predictor.features(clips()), rtol=1e-3, atol=1e-5)
    assert exported.predict([]).probs.shape == (0, 3)


def test_a_file_finds_the_segments_that_its_run_finds(
    exported: Predictor, predictor: Predictor
) -> None:
    joints = np.concatenate([swinging(n, n, frames=25) for n in range(3)], axis=1)
    ours, theirs = exported.segment(joints, fps=30), predictor.segment(joints, fps=30)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.person, one.start, one.end, one.label) == (
            other.person, other.start, other.end, other.label,
        )  # fmt: skip
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.explanation.joints == other.explanation.joints
        assert one.explanation.sentences == other.explanation.sentences
    assert exported.entropy_limit == pytest.approx(predictor.entropy_limit)
    settings = {key: ours.engine[key] for key in ("threshold", "threshold_from", "window")}
    assert settings == {key: theirs.engine[key] for key in settings}


def test_a_file_is_evaluated_as_its_run_is(exported: Predictor, predictor: Predictor) -> None:
    data = prepare_dataset(predictor.config.data)
    ours, theirs = evaluate_split(exported, data), evaluate_split(predictor, data)
    np.testing.assert_allclose(ours.probabilities.probs, theirs.probabilities.probs, atol=1e-5)


def test_a_file_says_what_it_is(exported: Predictor, file: Path) -> None:
    assert repr(exported) == "Predictor of 3 classes on coco-17: tiny-gcn, joint, cpu"
    assert exported.class_names == CLASSES and exported.models[0].kernel_ridge is not None
    assert exported.segmenter.description["runs"] == [str(file)]


def test_settings_in_place_of_the_files(file: Path) -> None:
    assert sa.load(file, overrides=["clips.test_clips=1"]).config.clips.test_clips == 1
    with pytest.raises(ConfigError, match=r"clips\.frames is 8 for good"):
        sa.load(file, overrides=["clips.frames=9"])
    with pytest.raises(ConfigError, match="runs on the CPU; leave out the device cuda:0"):
        sa.load(file, "cuda:0")


def test_engines(file: Path, run: Path, tmp_path: Path) -> None:
    assert sa.load(run, engine="torch").runs == (run,)
    with pytest.raises(ConfigError, match="runs in ONNX Runtime; for PyTorch, name the run"):
        sa.load(file, engine="torch")
    with pytest.raises(ConfigError, match="no engine 'fast'; there are auto, onnx, torch"):
        sa.load(file, engine="fast")
    with pytest.raises(ConfigError, match=f"write it with 'skeletonagent export {run}'"):
        sa.load(run, engine="onnx")
    (tmp_path / "model.onnx").write_bytes(file.read_bytes())
    assert sa.load(tmp_path, engine="onnx").class_names == CLASSES


@pytest.mark.parametrize("text", ["no base64!", "AAAA", "A" * 5])
def test_a_damaged_classifier_is_refused(text: str, file: Path, tmp_path: Path) -> None:
    model = onnx.load(file)
    texts = {item.key: item.value for item in model.metadata_props}
    onnx.helper.set_model_props(model, texts | {KERNEL_RIDGE: text})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"is damaged|is no kernel ridge classifier"):
        sa.load(tmp_path / "model.onnx")


def test_a_file_without_the_ending_is_told_to_have_it(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.bin"
    other.write_bytes(file.read_bytes())
    with pytest.raises(ConfigError, match=r"model\.bin is a file without the ending \.onnx"):
        sa.load(other)


def test_what_was_exported_is_not_exported_again(exported: Predictor, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exported already and has no weights"):
        exported.export(tmp_path / "again.onnx")


def test_models_of_others_are_refused(file: Path, tmp_path: Path) -> None:
    model = onnx.load(file)
    del model.metadata_props[:]
    bare = tmp_path / "bare.onnx"
    onnx.save(model, bare)
    with pytest.raises(DataError, match="is damaged"):
        sa.load(bare)
    model.graph.input[0].name = "images"
    onnx.helper.set_model_props(model, {PROPERTY: "{}"})
    onnx.save(model, bare)
    with pytest.raises(DataError, match="cannot be read as an ONNX model: "):
        sa.load(bare)
    with pytest.raises(DataError, match="cannot be read as an ONNX model: No such file"):
        sa.load(tmp_path / "none.onnx")


def test_a_file_has_the_base_of_its_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features of the base follow those of the network, and probabilities are the run's.

    Both come from one pass of the graph.
    """
    single = [replace(one, joints=one.joints[:1]) for one in samples()]
    run = small_run(
        small_archive(tmp_path / "archive", single), tmp_path / "run", kernel_ridge__weight=1.0
    )
    theirs = load_predictor(run.path, "cpu")
    theirs.export(tmp_path / "model.onnx")
    ours = sa.load(tmp_path / "model.onnx")
    given = [clip[:1] for clip in clips()]
    np.testing.assert_allclose(ours.predict(given).probs, theirs.predict(given).probs, atol=1e-5)
    assert ours.features(given).shape == theirs.features(given).shape
    ridge = ours.models[0].kernel_ridge
    assert ridge is not None and ridge.base_width > 0
    data = prepare_dataset(theirs.config.data)
    wanted = evaluate_split(theirs, data).probabilities
    shown: list[int] = []
    monkeypatch.setattr(OnnxSession, "run", counting(OnnxSession.run, shown))
    found = evaluate_split(ours, data).probabilities
    np.testing.assert_allclose(found.probs, wanted.probs, atol=1e-5)
    assert sum(shown) == theirs.config.clips.test_clips * len(found.sample_ids)


def counting(run: Callable[..., Any], shown: list[int]) -> Callable[..., Any]:
    """Return a function that notes how many clips it is shown."""

    def noted(session: OnnxSession, clips: np.ndarray, bodies: np.ndarray) -> Any:
        shown.append(len(clips))
        return run(session, clips, bodies)

    return noted
