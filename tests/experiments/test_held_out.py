"""Held-out predictions: every clip once, by a recognizer that has not seen its subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import held_out
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.held_out import held_out_predictions
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=1", "model.backbone=tiny-gcn", "model.width=8",
        "training.batch_size=8", "training.steps=2", "training.validation_share=0", "device=cpu",
        "agents.chat=none", "data.scale=body", "data.clips_per_class=1",
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    return synthetic_dataset(clips_per_class=4, subjects=4)


def test_every_clip_is_predicted_once(data: SkeletonData) -> None:
    predictions = held_out_predictions(CONFIG, data, 3)
    assert sorted(predictions.sample_ids) == sorted(data.store.sample_ids)
    labels = dict(zip(data.store.sample_ids, data.store.labels.tolist(), strict=True))
    assert [labels[sample] for sample in predictions.sample_ids] == predictions.labels.tolist()
    np.testing.assert_allclose(predictions.probs.sum(axis=1), 1, rtol=1e-5)


def test_subjects_are_on_one_side_and_clips_are_preprocessed(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Config, SkeletonData]] = []

    def train(config: Config, data: SkeletonData, out: Path, **_: Any) -> Mapping[str, Any]:
        seen.append((config, data))
        test = data.splits["fold"].test
        probs = np.full((len(test), data.store.num_classes), 1 / data.store.num_classes)
        labels = data.store.labels[data.store.indices(test)].numpy()
        ClassProbabilities(test, labels, probs).save(RunDirectory(out).predictions)
        return {}

    monkeypatch.setattr(held_out, "run_experiment", train)
    predictions = held_out_predictions(CONFIG, data, 2)
    assert len(seen) == 2 and len(predictions.labels) == len(data.store)
    for config, folded in seen:
        subject = dict(zip(folded.store.sample_ids, folded.store.subjects or (), strict=True))
        train_ids, test_ids = folded.splits["fold"].train, folded.splits["fold"].test
        assert len(train_ids) + len(test_ids) == len(data.store)
        assert not {subject[s] for s in train_ids} & {subject[s] for s in test_ids}
        assert folded.input_format is not None
        assert (config.data.split, config.data.clips_per_class) == ("fold", None)


def test_without_subjects_each_class_is_spread(data: SkeletonData) -> None:
    alone = replace(data, store=replace(data.store, subjects=None))
    predictions = held_out_predictions(CONFIG, alone, 2)
    assert sorted(predictions.sample_ids) == sorted(data.store.sample_ids)


def test_a_signal_interrupts_as_before_any_training(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message may say that everything is saved."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise TrainingInterrupted(SIGTERM)

    monkeypatch.setattr(held_out, "run_experiment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        held_out_predictions(CONFIG, data, 2)
