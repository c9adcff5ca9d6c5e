"""Features of clips after some epochs, projected to two dimensions (paper fig. 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.report.serialize import quantize
from skeletonagent.training.feature_snapshots import FeatureSnapshot

NEIGHBOURS = 5
"""Number of nearest neighbours that vote on a clip's class."""
PERPLEXITY = 25.0
"""Perplexity of t-SNE: about the number of neighbours of a clip."""

Positions2D = Float[np.ndarray, "n 2"]
Projection = Callable[[Float[np.ndarray, "n d"], Positions2D | None], Positions2D]
"""Function of features and the positions of the epoch before, returning positions."""


def embedding(
    snapshots: Sequence[FeatureSnapshot], *, quick: bool = False
) -> dict[str, Any] | None:
    """Return the clips' positions after some epochs; None without snapshots.

    Args:
        snapshots: Feature snapshots, in the order of their epochs.
        quick: Whether principal components are enough.
    """
    shots = [shot for shot in snapshots if shot.sample_ids == snapshots[-1].sample_ids]
    if not shots or len(shots[0].sample_ids) < 3:
        return None
    method, project = ("principal components", principal_components) if quick else best_projection()
    positions: list[Positions2D] = []
    for shot in shots:
        flat = project(shot.embeddings.astype(np.float64), positions[-1] if positions else None)
        positions.append(
            align_positions(flat, positions[-1]) if positions else normalize_positions(flat)
        )
    return {
        "method": method,
        "epochs": [shot.epoch for shot in shots],
        "sample_ids": list(shots[0].sample_ids),
        "labels": shots[0].labels.tolist(),
        "positions": quantize(np.stack(positions), "int16"),
        "neighbour_accuracy": [neighbour_accuracy(shot.embeddings, shot.labels) for shot in shots],
        "num_neighbours": NEIGHBOURS,
    }


def best_projection() -> tuple[str, Projection]:
    """Return t-SNE, or principal components where scikit-learn is not installed, by name."""
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        return "principal components", principal_components

    def t_sne_projection(
        features: Float[np.ndarray, "n d"], before: Positions2D | None
    ) -> Positions2D:
        # Starting from the epoch before keeps the arrangement of the clips.
        start = (
            normalize_positions(principal_components(features, None) if before is None else before)
            * 1e-4
        )
        t_sne = TSNE(
            perplexity=min(PERPLEXITY, (len(features) - 1) / 3),
            init=start.astype(np.float32),
            max_iter=600,
            random_state=0,
        )
        flat: Positions2D = t_sne.fit_transform(features.astype(np.float32)).astype(np.float64)
        return flat

    return "t-SNE", t_sne_projection


def principal_components(
    features: Float[np.ndarray, "n d"], before: Positions2D | None
) -> Positions2D:
    """Return the first two principal components; the positions of the epoch before are unused."""
    del before
    middle = features - features.mean(axis=0)
    left, strength, _ = np.linalg.svd(middle, full_matrices=False)
    scores = left[:, :2] * strength[:2]
    flat: Positions2D = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
    return flat


def normalize_positions(positions: Positions2D) -> Positions2D:
    """Return positions with mean zero and a root mean square distance of one from it."""
    middle = positions - positions.mean(axis=0)
    size = np.sqrt((middle**2).sum(axis=1).mean())
    moved: Positions2D = middle / (size or 1.0)
    return moved


def align_positions(positions: Positions2D, before: Positions2D) -> Positions2D:
    """Return normalized positions, rotated and mirrored so that they move least (Procrustes)."""
    middle = normalize_positions(positions)
    left, _, right = np.linalg.svd(middle.T @ before)
    turned: Positions2D = middle @ (left @ right)
    return turned


def neighbour_accuracy(features: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> float:
    """Return the accuracy of a nearest-neighbour classifier on the features, in all dimensions.

    A projection to two dimensions may show groups that do not exist; this accuracy does not. Of
    classes with equal votes the nearer one wins.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(length, 1e-12)
    similarity = (unit @ unit.T).astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")
    near = labels[order[:, : min(NEIGHBOURS, len(labels) - 1)]]
    votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    chosen = near[np.arange(len(labels)), votes.argmax(axis=1)]
    return float((chosen == labels).mean())
