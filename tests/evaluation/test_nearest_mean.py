"""The nearest class mean, compared with one written out sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.loader import ClipLoader, DeviceOptions, build_clip_loader
from skeletonagent.data.settings import AugmentSettings, ClipSettings, Placement
from skeletonagent.evaluation import nearest_mean
from skeletonagent.evaluation.nearest_mean import nearest_mean_accuracies

STICK = SkeletonLayout("stick", ("top", "bottom"), ((0, 1),))


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    """Five poses with noise of their size, in clips of one or two bodies."""
    generator = np.random.default_rng(3)
    poses = generator.normal(size=(5, 2, 3))
    sequences = []
    for n in range(60):
        noise = generator.normal(size=(1 + n % 2, 1, 2, 3))
        moving = generator.normal(0, 0.1, size=(1 + n % 2, 5 + n % 9, 2, 3))
        joints = (poses[n % 5] + noise + moving).astype(np.float32)
        sequences.append(SkeletonSequence(joints, n % 5, f"clip{n}"))
    store = ClipStore.from_sequences(sequences, STICK, [*"abcde"])
    return SkeletonData("poses", "Poses", store, {}, "none")


def loader_of(data: SkeletonData, placement: Placement = Placement.DEVICE) -> ClipLoader:
    options = DeviceOptions(torch.device("cpu"), placement=placement, shard_megabytes=0.01)
    return build_clip_loader(data, ClipSettings(frames=8), AugmentSettings(), options)


def literal_accuracy(data: SkeletonData, train: list[int], test: list[int]) -> float:
    """Return the accuracy with the first test clip of each sample by itself."""
    sampler = loader_of(data)
    assert isinstance(sampler, ClipSampler)

    def feature(sample: int) -> np.ndarray:
        (batch,) = sampler.test_batches(torch.tensor([sample]), 1, clips=1)
        return batch.clips.numpy().ravel().astype(np.float64)

    labels = data.store.labels.tolist()
    means = {
        label: np.mean([feature(n) for n in train if labels[n] == label], axis=0)
        for label in {labels[n] for n in train}
    }
    right = 0
    for n in test:
        distances = {label: ((feature(n) - mean) ** 2).sum() for label, mean in means.items()}
        right += min(distances, key=distances.__getitem__) == labels[n]
    return right / len(test)


@pytest.mark.parametrize("placement", [Placement.DEVICE, Placement.HOST])
def test_accuracies_are_the_literal_ones(
    data: SkeletonData, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest_mean, "_SAMPLES_AT_ONCE", 7)
    order = torch.arange(len(data.store))
    test, rest = order[::4], order[order % 4 > 0]
    draws = [rest, order[1::4], rest[:5], rest[:3]]
    found = nearest_mean_accuracies(loader_of(data, placement), draws, test)
    wanted = [literal_accuracy(data, draw.tolist(), test.tolist()) for draw in draws]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert len(set(found)) > 2 and min(found) < 0.4 < max(found)


def test_a_class_without_clips_is_never_predicted(data: SkeletonData) -> None:
    """With clips of one class alone, exactly the test samples of that class are right."""
    labels = data.store.labels
    one = (labels == 3).nonzero().flatten()
    accuracy = nearest_mean_accuracies(loader_of(data), [one], torch.arange(len(labels)))
    assert accuracy == pytest.approx([len(one) / len(labels)])
