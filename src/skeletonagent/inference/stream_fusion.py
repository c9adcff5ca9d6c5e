"""Fusion of recognizers of several streams: one recognizer's answer from that of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.evaluation.ensemble import fuse
from skeletonagent.inference.stream_recognizer import StreamRecognizer


def require_fusible(models: Sequence[StreamRecognizer]) -> None:
    """Check that recognizers of several streams may be fused.

    Raises:
        CheckpointError: If they were trained on different classes, joints or channels.
    """
    first = models[0].metadata
    for model in models[1:]:
        other = model.metadata
        if (other.class_names, other.input_format) != (first.class_names, first.input_format):
            raise CheckpointError(
                f"the streams {models[0].config.clips.stream} and {model.config.clips.stream} "
                "were trained on different classes or joints; load one of them alone"
            )


def fuse_streams(
    parts: Sequence[ClassProbabilities], weights: Sequence[float]
) -> ClassProbabilities:
    """Return the class probabilities of streams as one; those of a single one stay as they are."""
    return parts[0] if len(parts) == 1 else fuse(parts, weights)


def fused_predictions(
    models: Sequence[StreamRecognizer],
    weights: Sequence[float],
    samples: Sequence[SkeletonSequence],
    batch_size: int | None,
    num_clips: int | None,
) -> ClassProbabilities:
    """Return the fused class probabilities of samples in memory; there may be none.

    Args:
        models: Recognizers of the streams.
        weights: Weight of each.
        samples: Samples as stored.
        batch_size: Clips in a batch; by default twice that of training.
        num_clips: Test clips of a sample; by default as many as in the run's configuration.
    """
    if not samples:
        nothing = np.zeros((0, len(models[0].metadata.class_names)), dtype=np.float32)
        return ClassProbabilities((), np.zeros(0, dtype=np.int64), nothing)
    parts = [model.predict_samples(samples, batch_size, num_clips) for model in models]
    return fuse_streams(parts, weights)


def joined_features(
    models: Sequence[StreamRecognizer],
    samples: Sequence[SkeletonSequence],
    batch_size: int | None,
    num_clips: int | None,
) -> Float[np.ndarray, "n d"]:
    """Return the features of samples in memory, those of the streams side by side.

    For the arguments see :func:`fused_predictions`.
    """
    if not samples:
        width = sum(model.feature_width for model in models)
        return np.zeros((0, width), dtype=np.float32)
    columns = [model.sample_features(samples, batch_size, num_clips) for model in models]
    return np.concatenate(columns, axis=1)
