"""Calibration: whether a recognizer is as often right as it is sure."""

from __future__ import annotations

import numpy as np

from skeletonagent.core.scores import Scores

BINS = 15
"""Equal widths of confidence. Source: Guo et al. 2017 (arXiv 1706.04599), section 4."""

SMALLEST = 1e-12
"""A probability counts as no smaller, so that one sample cannot make the mean infinite."""


def calibration_error(scores: Scores, bins: int = BINS) -> float:
    """Return the expected calibration error of the top-1 predictions, 0 for no samples.

    Samples are put into bins of equal width by the score of their predicted class; the error is
    the mean over samples of how far accuracy and mean confidence of their bin lie apart.
    Source: Guo et al. 2017, eq. 3. The first bin holds its lower end, every bin its upper.

    Args:
        scores: Probabilities.
        bins: Number of bins.
    """
    confidence = scores.scores.max(axis=1)
    right = scores.scores.argmax(axis=1) == scores.labels
    chosen = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    excess = np.bincount(chosen, weights=right - confidence, minlength=bins)
    return float(np.abs(excess).sum() / max(len(right), 1))


def negative_log_likelihood(scores: Scores) -> float:
    """Return the mean over samples of minus the logarithm of their own class's score.

    Raises:
        ValueError: If there are no samples.
    """
    if not scores.sample_ids:
        raise ValueError("a likelihood needs samples, got none")
    own = np.take_along_axis(scores.scores, scores.labels[:, None], axis=1)
    return float(-np.log(np.maximum(own, SMALLEST)).mean())
