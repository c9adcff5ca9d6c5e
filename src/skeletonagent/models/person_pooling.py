"""Pooling over persons: which bodies are run, and which count in the mean of a clip."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.models.settings import PersonPooling


def bodies_to_run(
    pooling: PersonPooling, bodies: Int[Tensor, " b"] | None
) -> Int[Tensor, " b"] | None:
    """Return the bodies that must be run: all, where absent ones count."""
    return None if pooling is PersonPooling.RELEASED else bodies


def mean_over_persons(
    features: Float[Tensor, "b *d"],
    clips: Float[Tensor, "n m t v c"],
    pooling: PersonPooling,
    bodies: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "n *d"]:
    """Return the mean of each clip's bodies.

    Args:
        features: Features of the bodies that were run.
        clips: The clips of these bodies.
        pooling: Bodies that count.
        bodies: Bodies that were run; None if all were.
    """
    n, m = clips.shape[:2]
    run = None
    if bodies is not None:
        run = clips.new_zeros(n * m, dtype=torch.bool).index_fill(0, bodies, True).view(n, m)
        features = features.new_zeros(n * m, *features.shape[1:]).index_copy(0, bodies, features)
    weights = person_weights(clips, pooling, run)
    per_body = features.unflatten(0, (n, m))
    mean: Tensor = (per_body * weights.view(n, m, *[1] * (per_body.ndim - 2))).sum(dim=1)
    return mean


def person_weights(
    clips: Float[Tensor, "n m t v c"],
    pooling: PersonPooling,
    run: Bool[Tensor, "n m"] | None = None,
) -> Float[Tensor, "n m"]:
    """Return each body's weight in the mean over persons; the weights of a clip sum to one.

    Args:
        clips: The clips.
        pooling: Bodies that count.
        run: Bodies that have features, at least one a clip; None if all.
    """
    present = clips.ne(0).flatten(2).any(dim=2)
    if pooling is PersonPooling.RELEASED:
        counted = present.new_ones(present.shape)
    else:
        counted = present | ~present.any(dim=1, keepdim=True)
    if run is not None:
        counted = counted & run
    return counted / counted.sum(dim=1, keepdim=True)
