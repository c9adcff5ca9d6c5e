"""Motion features of labelled clips, measured once for all that asks about them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.evidence.motion_features import MotionFeatures, measure_motion
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.loader import ClipLoader, StreamingLoader, iterate_batches

CHUNK_SAMPLES = 1024
"""Samples measured at a time where not all are in memory."""


@dataclass(frozen=True)
class MeasuredClips:
    """Motion features of labelled clips, on the host.

    Args:
        layout: The skeleton.
        class_names: Names of the classes in label order.
        labels: Label of each clip.
        features: Motion features of each clip.
    """

    layout: SkeletonLayout
    class_names: tuple[str, ...]
    labels: Int[Tensor, " n"]
    features: MotionFeatures


def measure_labelled_clips(
    source: ClipLoader | ClipStore, samples: Int[Tensor, " n"]
) -> MeasuredClips:
    """Return the motion features of some samples of a store.

    Args:
        source: Clips in any unit, 2D or 3D, in memory or loaded in shards.
        samples: Positions of the samples in the store.
    """
    store = source if isinstance(source, ClipStore) else source.store
    if isinstance(source, StreamingLoader):
        batches = iterate_batches(source, samples.split(CHUNK_SAMPLES))
        parts = [measure_motion(sampler.store, chosen) for sampler, chosen, _ in batches]
        features = MotionFeatures(
            torch.cat([part.values for part in parts]), torch.cat([part.known for part in parts])
        )
    else:
        features = measure_motion(store, samples)
    return MeasuredClips(store.layout, store.class_names, store.labels[samples].cpu(), features)
