"""Class head that begins with the nearest class mean."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch

from skeletonagent.training.class_means import SCALE, begin_with_class_means


def test_the_head_scores_the_direction_of_class_means(world: ModuleType, tmp_path: Any) -> None:
    training = world.training(tmp_path)
    recognizer, loader = training.state.recognizer, training.data.loader
    samples, labels = training.data.train, loader.store.labels
    samples = samples[labels[samples] != labels.max()]  # the last class has no clips
    recognizer.train()
    begin_with_class_means(recognizer, loader, samples, seed=3)
    assert recognizer.training
    recognizer.eval()
    generator = torch.Generator().manual_seed(3)
    crops = []
    with torch.no_grad():
        for _ in range(16):
            batch = loader.train_batch(samples, generator, loader.count_bodies(samples))
            crops.append(recognizer.features(batch.clips, batch.bodies))
        features = torch.stack(crops).mean(0)
        logits = recognizer.cls_head.fc(features)
    centred = features - features.mean(0)
    usual = centred.norm(dim=1).mean()
    for label in range(loader.store.num_classes):
        of_class = labels[samples] == label
        if not of_class.any():
            assert not logits[:, label].any()
            continue
        mean = centred[of_class].mean(0)
        expected = SCALE * centred @ mean / (mean.norm() * usual)
        torch.testing.assert_close(logits[:, label], expected, rtol=1e-3, atol=1e-3)
