"""Pairs of persons who may act together: each person with the one nearest to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float


def nearest_pairs(
    bodies: Mapping[str, Float[np.ndarray, "v c"]], coordinates: int
) -> set[tuple[str, ...]]:
    """Return each person with the nearest other person of a frame.

    Args:
        bodies: Joints of the persons by their names; NaN where a joint was not seen.
        coordinates: Number of leading channels that are coordinates.
    """
    names = sorted(bodies)
    if len(names) < 2:
        return set()
    joints = np.stack([bodies[name][:, :coordinates] for name in names])
    seen = ~np.isnan(joints).any(axis=-1, keepdims=True)
    count = np.maximum(seen.sum(axis=1), 1)
    places = np.where(seen, joints, 0).sum(axis=1, dtype=np.float64) / count
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    return {(names[min(i, j)], names[max(i, j)]) for i, j in enumerate(nearest.tolist())}


def pair_name(names: Sequence[str]) -> str:
    """Return the name of one person, or of several that act together."""
    return "+".join(names)
