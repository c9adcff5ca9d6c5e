"""Samples prepared in NumPy and in PyTorch, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.imputation import PoseImputation
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import AugmentSettings, ClipSettings, DataSettings
from skeletonagent.runtime.pose_filling import PoseFilling
from skeletonagent.runtime.preparation import PreparedSample, SamplePreparation
from skeletonagent.runtime.sample_clips import SampleClips

CLIPS = 3
ROOM = 2


def in_torch(
    samples: Sequence[SkeletonSequence],
    settings: DataSettings,
    layout: SkeletonLayout,
    has_confidence: bool = False,
    poses: PoseDistribution | None = None,
) -> ClipStore:
    prepare = Preprocessor.from_settings(settings)
    store = prepare(ClipStore.from_sequences(samples, layout, (), has_confidence))
    return store if poses is None else PoseImputation(poses, prepare)(store)


def in_numpy(
    sample: SkeletonSequence,
    settings: DataSettings,
    layout: SkeletonLayout,
    has_confidence: bool = False,
    poses: PoseDistribution | None = None,
) -> PreparedSample:
    prepare = SamplePreparation(settings, layout, has_confidence)
    prepared = prepare(sample)
    return prepared if poses is None else PoseFilling(poses.model, prepare)(prepared)


def compare_clips(
    samples: Sequence[SkeletonSequence],
    settings: DataSettings,
    layout: SkeletonLayout,
    clips: Sequence[ClipSettings],
    has_confidence: bool = False,
    poses: PoseDistribution | None = None,
) -> float:
    """Return the largest difference of test clips, as a share of the largest number in PyTorch."""
    store = in_torch(samples, settings, layout, has_confidence, poses)
    store = replace(store, person_slots=ROOM)
    prepared = [in_numpy(sample, settings, layout, has_confidence, poses) for sample in samples]
    worst = 0.0
    for one in clips:
        sampler = ClipSampler(store, one, AugmentSettings())
        (batch,) = sampler.test_batches(torch.arange(len(samples)), len(samples), CLIPS)
        wanted = batch.clips.numpy()
        found = np.concatenate([SampleClips(one, ROOM).of(each, CLIPS) for each in prepared])
        assert found.shape == wanted.shape and found.dtype == wanted.dtype
        worst = max(worst, float(np.abs(found - wanted).max() / max(1, np.abs(wanted).max())))
    return worst
