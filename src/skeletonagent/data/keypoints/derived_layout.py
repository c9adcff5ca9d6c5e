"""Layout derived from data: which joints are joined by bones, where nothing names them.

Bones keep their length while other distances change. So the bones are the tree that spans the
joints with the least change of distance; of joints that are rigid to each other, near ones are
joined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
    breadth_first_order,
    minimum_spanning_tree,
)

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout

_NEARNESS = 0.1
"""Weight of the mean distance beside the change of the distance."""
_MOST_FRAMES = 400
"""Frames that are measured, evenly spread over all."""
_TINY = 1e-9
"""Added to all costs, since a cost of zero would be no edge."""


def derived_layout(
    joints: Float[np.ndarray, "m t v c"] | Sequence[Float[np.ndarray, "m t v c"]],
    name: str = "derived",
) -> SkeletonLayout:
    """Return a layout whose bones keep their length best; its joints are ``joint 1`` and so on.

    It has no left and right: nothing in it says which joints are mirror images.

    Args:
        joints: Joints of a recording, or of several with the same joints; NaN where one was not
            seen. More motion makes bones more certain.
        name: Name of the layout.

    Raises:
        DataError: If some joints are never seen together with any others.
    """
    recordings = [joints] if isinstance(joints, np.ndarray) else list(joints)
    costs = np.stack([_costs(_frames(each)) for each in recordings])
    known = ~np.isnan(costs).all(axis=0)
    cost = np.full(costs.shape[1:], np.inf)
    cost[known] = np.nanmedian(costs[:, known], axis=0)
    v = len(cost)
    tree = _spanning_tree(cost)
    if len(tree) != v - 1:
        raise DataError("no layout can be derived: some joints are never seen together")
    center = _middle(tree, v)
    return SkeletonLayout(
        name=name,
        joints=tuple(f"joint {number}" for number in range(1, v + 1)),
        bones=_away_from(center, tree, v),
        center=center,
        given_pairs=(),
    )


def _frames(joints: Float[np.ndarray, "m t v c"]) -> Float[np.ndarray, "k v c"]:
    bodies = joints.reshape(-1, *joints.shape[2:]).astype(np.float64)
    seen = bodies[~np.isnan(bodies).all(axis=(1, 2))]
    return seen[:: max(1, len(seen) // _MOST_FRAMES)]


def _costs(frames: Float[np.ndarray, "k v c"]) -> Float[np.ndarray, "v v"]:
    """Return for each pair of joints how far its distance strays from its median, plus nearness.

    The unit is the median distance of two joints; NaN where a pair is never seen.
    """
    v = frames.shape[1]
    cost = np.full((v, v), np.nan)
    if not len(frames):
        return cost
    for joint in range(v):
        distance = np.linalg.norm(frames - frames[:, joint, None], axis=2)
        seen = ~np.isnan(distance).all(axis=0)
        usual = np.nanmedian(distance[:, seen], axis=0)
        strays = np.nanmedian(np.abs(distance[:, seen] - usual), axis=0)
        cost[joint, seen] = strays + _NEARNESS * usual
    unit = np.nanmedian(cost[~np.eye(v, dtype=bool)]) if v > 1 else 1.0
    return cost / (unit if unit > 0 else 1.0)


def _spanning_tree(cost: Float[np.ndarray, "v v"]) -> Int[np.ndarray, "e 2"]:
    """Return the pairs of the tree that spans the joints with the least cost."""
    finite = np.where(np.isfinite(cost), cost + _TINY, 0)
    np.fill_diagonal(finite, 0)
    return np.argwhere(minimum_spanning_tree(finite).toarray() > 0)


def _middle(tree: Int[np.ndarray, "e 2"], v: int) -> int:
    """Return the joint from which the farthest one is the fewest bones away."""
    adjacency = _adjacency(tree, v)
    hops = np.where(adjacency, 1.0, np.inf)
    np.fill_diagonal(hops, 0)
    for middle in range(v):
        hops = np.minimum(hops, hops[:, middle, None] + hops[middle])
    return int(hops.max(axis=1).argmin())


def _away_from(root: int, tree: Int[np.ndarray, "e 2"], v: int) -> tuple[tuple[int, int], ...]:
    """Return the bones as (child, parent), seen from the root."""
    order, parents = breadth_first_order(_adjacency(tree, v).astype(float), root, directed=False)
    return tuple((int(joint), int(parents[joint])) for joint in order[1:])


def _adjacency(tree: Int[np.ndarray, "e 2"], v: int) -> np.ndarray:
    joined = np.zeros((v, v), dtype=bool)
    joined[tree[:, 0], tree[:, 1]] = joined[tree[:, 1], tree[:, 0]] = True
    return joined
