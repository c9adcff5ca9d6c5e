from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import CheckpointError, DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, KINECT_20, KINECT_25, SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.archive import write_archive
from skeletonagent.data.settings import ClipSettings
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.inference import stream_model
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.models.fused import FusedRecognizer
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.report.clip_player import (
    TIME_STEPS,
    clip_player,
    explain_clip,
    open_clip_context,
    select_clips,
    shown_joints,
    upright_axes,
)
from skeletonagent.report.runs import read_runs
from skeletonagent.report.skeleton_svg import joint_positions

from .conftest import CLASSES, data
from .test_serialize import unpacked


def scores_of(pairs: list[tuple[int, int]], sure: list[float]) -> ClassProbabilities:
    """Return scores of samples of some class, taken for another, so surely."""
    rows = np.full((len(pairs), 4), 0.0)
    for row, ((_, predicted), share) in enumerate(zip(pairs, sure, strict=True)):
        rows[row] = (1 - share) / 3
        rows[row, predicted] = share
    ids = tuple(f"s{n}" for n in range(len(pairs)))
    return ClassProbabilities(ids, np.array([label for label, _ in pairs]), rows)


def test_every_kind_of_mistake_has_its_turn_and_the_surest_comes_first() -> None:
    pairs = [(0, 1), (0, 1), (0, 1), (2, 3), (1, 1), (2, 2), (2, 2), (3, 3)]
    scores = scores_of(pairs, [0.6, 0.9, 0.7, 0.8, 0.9, 0.5, 0.4, 0.6])
    assert select_clips(scores, 4) == [
        1,
        3,
        2,
        6,
    ]  # three mistakes, then the least sure of right ones
    assert select_clips(scores, 8) == [1, 3, 2, 0, 6, 7, 4, 5]
    assert select_clips(scores, 0) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1), st.integers(0, 40))
def test_as_many_clips_as_can_be_and_none_twice(pairs: list[tuple[int, int]], most: int) -> None:
    chosen = select_clips(scores_of(pairs, [0.5] * len(pairs)), most)
    assert len(chosen) == len(set(chosen)) == min(most, len(pairs))


class OneJoint(FusedRecognizer):
    """A recognizer that looks at the height of a single joint alone."""

    def __init__(self, joint: int) -> None:
        torch.nn.Module.__init__(self)
        self.joint = joint

    def forward(self, clips: Tensor, bodies: Tensor | None = None) -> Tensor:
        del bodies
        heights = (clips[:, 0, :, self.joint, 1] ** 2).mean(dim=1)
        return torch.stack([heights, -heights, torch.zeros_like(heights)], dim=1)


def fresh() -> Recognizer:
    torch.manual_seed(0)
    return build_recognizer(
        "stgcn++", KINECT_20, channels=3, persons=1, num_classes=3, text_dim=4, width=6
    )


def model_of(recognizer: Recognizer) -> StreamModel:
    config = Config(clips=ClipSettings(frames=16))
    metadata = RecognizerMetadata(config, CLASSES, KINECT_20, 3, 1, 4, InputFormat(KINECT_20, 3))
    return StreamModel(recognizer.eval(), metadata, Guidance(KINECT_20, ()), epoch=1)


def moving() -> SkeletonSequence:
    joints = np.random.default_rng(3).normal(0, 1, (1, 16, 20, 3)).astype(np.float32)
    joints[0, :, 5] = 0.7  # still
    return SkeletonSequence(joints, 0, "s")


def test_the_joint_that_is_looked_at_is_the_one_that_is_important(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_model, "fuse_for_inference", lambda _: OneJoint(11))
    sequence = moving()
    _, importance = explain_clip(model_of(fresh()), sequence)

    def log_probabilities(height: float) -> np.ndarray:
        logits = np.array([height, -height, 0])
        return logits - np.log(np.exp(logits).sum())

    height = sequence.joints[0, :, 11, 1].astype(float)
    whole, still = (height**2).mean(), height.mean() ** 2
    expected = log_probabilities(whole) - log_probabilities(still)
    np.testing.assert_allclose(importance[11], expected, atol=1e-4)
    assert expected[0] > 0.1 and expected[1] < -0.1
    np.testing.assert_allclose(np.delete(importance, 11, axis=0), 0, atol=1e-6)


def test_a_still_joint_has_no_importance_and_the_whole_clip_comes_last() -> None:
    recognizer = fresh()
    with torch.no_grad():
        recognizer.cls_head.fc.weight.mul_(100)  # of fresh weights all classes are alike
    model, sequence = model_of(recognizer), moving()
    over_time, importance = explain_clip(model, sequence)
    assert over_time.shape == (TIME_STEPS, 3) and importance.shape == (20, 3)
    np.testing.assert_allclose(importance[5], 0, atol=1e-5)
    assert np.abs(importance).max() > 1e-3
    store = ClipStore.from_sequences([sequence], KINECT_20, CLASSES)
    (batch,) = model.sampler(store).test_batches(torch.tensor([0]), 1, clips=1)
    whole = recognizer.classify(batch.clips).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(over_time[-1:], whole, atol=1e-5)


@pytest.mark.parametrize("layout", [KINECT_20, KINECT_25, COCO_17])
@pytest.mark.parametrize(("places", "signs"), [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1))])
def test_a_standing_person_stands_whatever_the_axes(
    layout: SkeletonLayout, places: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    drawn = joint_positions(layout)
    person = np.concatenate([drawn, np.zeros((len(drawn), 1))], axis=1)
    joints = np.zeros((1, 6, len(drawn), 3), dtype=np.float32)
    for shown, (axis, sign) in enumerate(zip(places, signs, strict=True)):
        joints[..., axis] = sign * person[:, shown]
    sequence = SkeletonSequence(joints, 0, "s")
    axes = upright_axes([sequence], layout, 3)
    assert axes[:2] == tuple(zip(places, signs, strict=True))[:2]
    np.testing.assert_allclose(shown_joints(sequence, axes)[0, 0, :, :2], drawn, atol=1e-6)


def test_joints_of_an_image_stand_upright_and_have_no_depth() -> None:
    drawn = joint_positions(COCO_17)
    joints = np.repeat((drawn * (100, -100))[None, None], 500, axis=1).astype(np.float32)
    scored = np.concatenate([joints, np.ones_like(joints[..., :1])], axis=-1)
    sequence = SkeletonSequence(scored, 0, "s")
    axes = upright_axes([sequence], COCO_17, 2)
    assert axes == ((0, 1), (1, -1))
    shown = shown_joints(sequence, axes)
    assert shown.shape == (1, 120, 17, 3) and not shown[..., 2].any()
    np.testing.assert_allclose(shown[0, 0, :, :2], 100 * drawn, atol=1e-4)


def test_clips_of_a_run_can_be_played(runs: Path) -> None:
    (run,) = read_runs([runs / "guided"])
    checkpoint = run.checkpoint()
    assert checkpoint is not None and run.predictions is not None
    found = clip_player(open_clip_context(checkpoint), run.predictions, 5)
    assert found is not None and len(found["clips"]) == 5 and found["tested"] == 9
    for clip in found["clips"]:
        row = run.predictions.sample_ids.index(clip["id"])
        assert clip["predicted"] == run.predictions.probs[row].argmax() == clip["top"][0][0]
        assert unpacked(clip["joints"]).shape == (1, clip["frames"], 20, 3)
        assert unpacked(clip["probs_over_time"]).shape == (TIME_STEPS, len(clip["classes"]))
        assert set(clip["joint_importance"]) == {str(clip["label"]), str(clip["predicted"])}
        assert unpacked(clip["joint_importance"][str(clip["label"])]).max() in (0, 1)


def test_what_has_none_of_the_clips_shows_none(runs: Path, tmp_path: Path) -> None:
    (run,) = read_runs([runs / "guided"])
    checkpoint = run.checkpoint()
    assert checkpoint is not None and run.predictions is not None
    context = open_clip_context(checkpoint)
    other = replace(run.predictions, sample_ids=tuple(f"x{n}" for n in range(9)))
    assert clip_player(context, other, 5) is None
    with pytest.raises(DataError):
        open_clip_context(checkpoint, str(tmp_path / "none.npz"))
    strange = replace(data(), store=replace(data().store, class_names=("a", "b", "c")))
    with pytest.raises(CheckpointError):
        open_clip_context(checkpoint, str(write_archive(strange, tmp_path)))
