"""Where clips lie among each other as a recognizer learns, in two dimensions (paper fig. 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.report.serialize import quantize
from skeletonagent.training.feature_snapshots import FeatureSnapshot

NEIGHBOURS = 5
"""How many neighbours vote on a clip's class."""
PERPLEXITY = 25.0
"""About how many clips t-SNE takes for the neighbours of one."""

Flat = Float[np.ndarray, "n 2"]
Projection = Callable[[Float[np.ndarray, "n d"], Flat | None], Flat]
"""Features, and where the clips were before, to places."""


def embedding(
    snapshots: Sequence[FeatureSnapshot], *, quick: bool = False
) -> dict[str, Any] | None:
    """Return the clips' places after some epochs; None without snapshots.

    Args:
        snapshots: At least some, of the same clips.
        quick: Whether principal components will do.
    """
    shots = [shot for shot in snapshots if shot.sample_ids == snapshots[-1].sample_ids]
    if not shots or len(shots[0].sample_ids) < 3:
        return None
    method, project = ("principal components", principal) if quick else best_projection()
    places: list[Flat] = []
    for shot in shots:
        flat = project(shot.embeddings.astype(np.float64), places[-1] if places else None)
        places.append(aligned_to(flat, places[-1]) if places else centred(flat))
    return {
        "method": method,
        "epochs": [shot.epoch for shot in shots],
        "sample_ids": list(shots[0].sample_ids),
        "labels": shots[0].labels.tolist(),
        "places": quantize(np.stack(places), "int16"),
        "neighbours": [neighbour_accuracy(shot.embeddings, shot.labels) for shot in shots],
        "voters": NEIGHBOURS,
    }


def best_projection() -> tuple[str, Projection]:
    """Return t-SNE, or principal components where scikit-learn is not installed, by name."""
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        return "principal components", principal

    def neighbouring(features: Float[np.ndarray, "n d"], before: Flat | None) -> Flat:
        # Beginning where the clips were keeps their arrangement from epoch to epoch.
        start = centred(principal(features, None) if before is None else before) * 1e-4
        t_sne = TSNE(
            perplexity=min(PERPLEXITY, (len(features) - 1) / 3),
            init=start.astype(np.float32),
            max_iter=600,
            random_state=0,
        )
        flat: Flat = t_sne.fit_transform(features.astype(np.float32)).astype(np.float64)
        return flat

    return "t-SNE", neighbouring


def principal(features: Float[np.ndarray, "n d"], before: Flat | None) -> Flat:
    """Return the first two principal components; where the clips were before does not matter."""
    del before
    middle = features - features.mean(axis=0)
    left, strength, _ = np.linalg.svd(middle, full_matrices=False)
    scores = left[:, :2] * strength[:2]
    flat: Flat = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
    return flat


def centred(places: Flat) -> Flat:
    """Return places around the origin, at a root mean square distance of one from it."""
    middle = places - places.mean(axis=0)
    size = np.sqrt((middle**2).sum(axis=1).mean())
    moved: Flat = middle / (size or 1.0)
    return moved


def aligned_to(places: Flat, before: Flat) -> Flat:
    """Return places centred, and turned and mirrored so that they move least (Procrustes)."""
    middle = centred(places)
    left, _, right = np.linalg.svd(middle.T @ before)
    turned: Flat = middle @ (left @ right)
    return turned


def neighbour_accuracy(features: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> float:
    """Return the share of clips whose nearest others name their class, in all dimensions.

    A picture in two dimensions may show groups that are not there; this figure does not.
    Of classes with as many votes the nearer ones win.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(length, 1e-12)
    likeness = (unit @ unit.T).astype(np.float64)
    np.fill_diagonal(likeness, -np.inf)
    order = np.argsort(-likeness, axis=1, kind="stable")
    near = labels[order[:, : min(NEIGHBOURS, len(labels) - 1)]]
    votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    chosen = near[np.arange(len(labels)), votes.argmax(axis=1)]
    return float((chosen == labels).mean())
