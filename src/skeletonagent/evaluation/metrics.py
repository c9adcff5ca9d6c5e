"""Metrics of class probabilities: accuracies, calibration and likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from skeletonagent.core.predictions import ClassProbabilities

CALIBRATION_BINS = 15
"""Bins of equal width. Source: Guo et al. 2017 (arXiv 1706.04599), section 4."""

SMALLEST_PROBABILITY = 1e-12
"""Lower bound of a probability, so that one sample cannot make a mean infinite."""


def mean_class_accuracy(predictions: ClassProbabilities) -> float:
    """Return the mean over classes of the top-1 accuracy, of the classes that have samples."""
    return float(np.nanmean(predictions.per_class_accuracy()))


def evaluate_parts(
    predictions: ClassProbabilities, parts: Mapping[str, Set[str]]
) -> dict[str, dict[str, Any]]:
    """Return accuracies of each part of the test set, as plain values.

    Args:
        predictions: Class probabilities of all test samples.
        parts: Sample ids of each part; parts may overlap.
    """
    return {
        name: {
            "samples": len(part.sample_ids),
            "top1": part.topk_accuracy(1),
            "top5": part.topk_accuracy(5),
            "mean_class": mean_class_accuracy(part),
        }
        for name, part in ((name, predictions.subset(ids)) for name, ids in parts.items())
    }


def expected_calibration_error(
    predictions: ClassProbabilities, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error of the top-1 predictions, 0 for no samples.

    Samples are put into bins of equal width by their confidence, the probability of the predicted
    class; the error is the mean over samples of the distance between accuracy and mean confidence
    of their bin. Each bin contains its upper edge and not its lower one, but for the first, which
    contains both. Source: Guo et al. 2017, eq. 3.

    Args:
        predictions: Class probabilities.
        bins: Number of bins.
    """
    confidence = predictions.probs.max(axis=1)
    is_correct = predictions.probs.argmax(axis=1) == predictions.labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    excess = np.bincount(bin_of, weights=is_correct - confidence, minlength=bins)
    return float(np.abs(excess).sum() / max(len(is_correct), 1))


def negative_log_likelihood(predictions: ClassProbabilities) -> float:
    """Return the mean over samples of minus the logarithm of the true class's probability.

    Raises:
        ValueError: If there are no samples.
    """
    if not predictions.sample_ids:
        raise ValueError("a likelihood needs samples, got none")
    of_label = np.take_along_axis(predictions.probs, predictions.labels[:, None], axis=1)
    return float(-np.log(np.maximum(of_label, SMALLEST_PROBABILITY)).mean())
