"""Scores against one clip at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.clip_frames import sample_test_frames
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.settings import AugmentSettings, ClipSettings
from skeletonagent.evaluation.predict import predict, predict_distributed
from skeletonagent.models.recognizer import Recognizer, build_recognizer

STICK = SkeletonLayout("stick", ("top", "middle", "bottom"), ((0, 1), (1, 2)))
SAMPLES = torch.tensor([4, 0, 3, 1, 5])


@pytest.fixture(scope="module")
def sampler() -> ClipSampler:
    rng = np.random.default_rng(0)
    sequences = [
        SkeletonSequence(
            (60 * rng.normal(size=(1 + i % 2, 5 + 7 * i, 3, 3))).astype(np.float32),
            i % 4,
            f"sample {i}",
        )
        for i in range(6)
    ]
    store = ClipStore.from_sequences(sequences, STICK, ("a", "b", "c", "d"))
    return ClipSampler(
        store, ClipSettings(8, Stream.BONE, test_clips=3), AugmentSettings(rotation=0.5)
    )


@pytest.fixture
def recognizer() -> Recognizer:
    torch.manual_seed(0)
    model = build_recognizer(
        "stgcn++", STICK, channels=3, persons=2, num_classes=4, text_dim=2, width=8, dropout=0.5
    )
    torch.nn.init.normal_(model.cls_head.fc.weight, std=1.0)
    return model


@torch.no_grad()
def literal_scores(recognizer: Recognizer, sampler: ClipSampler, clips: int) -> np.ndarray:
    recognizer.eval()
    rows = []
    for sample in SAMPLES.tolist():
        total = torch.zeros(4)
        length = int(sampler.store.lengths[sample])
        for frames in sample_test_frames(length, 8, clips):
            joints = sampler.store.gather(torch.tensor([sample]), torch.from_numpy(frames)[None])
            bone = joints - joints[..., list(STICK.parents), :]
            exponentials = recognizer.classify(bone)[0].exp()
            total += exponentials / exponentials.sum()
        rows.append(total / clips)
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("clips", [1, 3])
def test_scores_equal_one_clip_at_a_time(
    recognizer: Recognizer, sampler: ClipSampler, clips: int
) -> None:
    expected = literal_scores(recognizer, sampler, clips)
    scores = predict(recognizer, sampler, SAMPLES, num_clips=clips)
    np.testing.assert_allclose(scores.probs, expected, atol=1e-5)
    np.testing.assert_allclose(scores.probs.sum(axis=1), 1, atol=1e-5)
    assert scores.sample_ids == tuple(f"sample {i}" for i in SAMPLES.tolist())
    assert scores.labels.tolist() == [i % 4 for i in SAMPLES.tolist()]
    assert scores.probs.std(axis=0).max() > 0.02  # or any scores would do


def test_the_samplers_number_of_clips_is_taken_unless_another_is_asked_for(
    recognizer: Recognizer, sampler: ClipSampler
) -> None:
    default = predict(recognizer, sampler, SAMPLES).probs
    three, one = (predict(recognizer, sampler, SAMPLES, num_clips=n).probs for n in (3, 1))
    np.testing.assert_array_equal(default, three)
    assert np.abs(default - one).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 2, 4, 7, 15, 1000])
def test_scores_do_not_depend_on_the_batch(
    recognizer: Recognizer, sampler: ClipSampler, batch_size: int
) -> None:
    whole = predict(recognizer, sampler, SAMPLES, batch_size=64)
    parts = predict(recognizer, sampler, SAMPLES, batch_size=batch_size)
    np.testing.assert_allclose(parts.probs, whole.probs, atol=1e-5)
    assert parts.sample_ids == whole.sample_ids


@pytest.mark.parametrize("training", [True, False])
def test_the_recognizer_is_left_as_it_was(
    recognizer: Recognizer, sampler: ClipSampler, training: bool
) -> None:
    recognizer.train(training)
    before = {name: value.clone() for name, value in recognizer.state_dict().items()}
    predict(recognizer, sampler, SAMPLES)
    assert all(module.training is training for module in recognizer.modules())
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_recognizer_in_training_is_scored_as_at_rest(
    recognizer: Recognizer, sampler: ClipSampler
) -> None:
    at_rest = predict(recognizer.eval(), sampler, SAMPLES).probs
    np.testing.assert_array_equal(predict(recognizer.train(), sampler, SAMPLES).probs, at_rest)


def test_only_the_class_head_is_run_and_without_gradients(
    recognizer: Recognizer, sampler: ClipSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("a training head was run")

    monkeypatch.setattr(recognizer.joint_head, "forward", refuse)
    monkeypatch.setattr(recognizer.text_head, "forward", refuse)
    recognizer.cls_head.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    seen: list[bool] = []
    predict(recognizer, sampler, SAMPLES, batch_size=6)
    assert seen == [False] * 3


def test_the_recognizer_runs_in_the_contexts_precision(
    recognizer: Recognizer, sampler: ClipSampler
) -> None:
    entered = 0

    @contextmanager
    def low_precision() -> Iterator[None]:
        nonlocal entered
        entered += 1
        with torch.autocast("cpu", torch.bfloat16):
            yield

    low = predict(recognizer, sampler, SAMPLES, batch_size=3, autocast=low_precision)
    assert entered == 1
    assert low.probs.dtype == np.float32
    np.testing.assert_allclose(low.probs.sum(axis=1), 1, atol=1e-5)
    full = predict(recognizer, sampler, SAMPLES).probs
    assert 0 < np.abs(low.probs - full).max() < 0.1


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_together_predict_what_one_does(
    recognizer: Recognizer, sampler: ClipSampler, world_size: int
) -> None:
    whole = predict(recognizer, sampler, SAMPLES, num_clips=1)
    parts: list[ClassProbabilities] = []

    def all_gather(part: ClassProbabilities) -> list[ClassProbabilities]:
        """Return the parts of the ranks that have called so far."""
        parts.append(part)
        return parts

    for rank in range(world_size):
        together = predict_distributed(
            recognizer,
            sampler,
            SAMPLES,
            rank=rank,
            world_size=world_size,
            all_gather=all_gather,
            num_clips=1,
        )
    assert together.sample_ids == whole.sample_ids
    np.testing.assert_array_equal(together.labels, whole.labels)
    np.testing.assert_allclose(together.probs, whole.probs, atol=1e-6)
