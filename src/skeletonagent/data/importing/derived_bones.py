"""Skeleton derived from data: bones join joints that are near and keep their distance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.sparse.csgraph import minimum_spanning_tree  # type: ignore[import-untyped]

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.bone_check import seen_bodies

MOST_BODIES_MEASURED = 200
"""Bodies of which distances are measured; more say nothing new."""
_STEADINESS = 3.0
"""Weight of the spread of a distance, in a clip and between bodies, beside the distance itself."""
_COUNTERPART = 2.0
"""Factor of the cost of a bone between a left and a right joint of the same name."""
_MIDDLE = 0.7
"""Factor of the cost of a bone between two joints of no side, where others have sides."""


def derive_skeleton(
    clips: Sequence[Float[np.ndarray, "_ _ v c"]], name: str, joint_names: Sequence[str] | None
) -> SkeletonLayout:
    """Return a skeleton whose bones are the tree of the nearest and steadiest distances.

    Of the bones of UTD-MHAD, NW-UCLA, SBU and JHMDB it finds all 66.

    Args:
        clips: Coordinates; a joint that was not seen is NaN, or zero in all of them.
        name: Name of the skeleton.
        joint_names: Names of the joints; None calls them ``joint 1`` and so on.

    Raises:
        DataError: If two joints are never seen together with others, so that no tree is found.
    """
    bodies = seen_bodies(clips, MOST_BODIES_MEASURED)
    if not bodies:
        raise DataError("nobody is seen in any clip, so no skeleton can be found; give --layout")
    v = bodies[0].shape[1]
    names = tuple(joint_names or (f"joint {n + 1}" for n in range(v)))
    costs = _same_on_both_sides(_costs(bodies), SkeletonLayout(name, names, ()))
    np.fill_diagonal(costs, 0)
    tree = minimum_spanning_tree(np.where(np.isnan(costs), 1e3, costs + 1e-9)).toarray()
    edges = [(int(a), int(b)) for a, b in np.argwhere(tree > 0)]
    center = _center(edges, costs, v)
    layout = SkeletonLayout(name, names, _rooted(edges, center), center)
    return _with_mirrored_bones(layout)


def _costs(bodies: Sequence[Float[np.ndarray, "_ v c"]]) -> Float[np.ndarray, "v v"]:
    """Return for any two joints their distance and how unsteady it is, in mean distances."""
    means, spreads = [], []
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.filterwarnings("ignore", "All-NaN|Mean of empty|Degrees of", RuntimeWarning)
        for body in bodies:
            apart = np.linalg.norm(body[:, :, None] - body[:, None], axis=-1)
            median = np.nanmedian(apart, axis=0)
            size = np.nanmean(np.where(median > 0, median, np.nan))
            means.append(median / size)
            spreads.append(np.nanstd(apart, axis=0) / size)
        spread = np.nanmean(spreads, axis=0) + np.nanstd(means, axis=0)
        costs: Float[np.ndarray, "v v"] = np.nanmedian(means, axis=0) + _STEADINESS * spread
    return costs


def _same_on_both_sides(
    costs: Float[np.ndarray, "v v"], joints: SkeletonLayout
) -> Float[np.ndarray, "v v"]:
    """Return costs that are the mean of both sides, where names say the sides.

    A bone from a joint to its counterpart is taken last: knees that stay side by side are no bone.
    Bones between joints in the middle of the body are taken first: a neck does not hang on one
    shoulder.
    """
    mirror = list(joints.mirror)
    even: Float[np.ndarray, "v v"] = (costs + costs[np.ix_(mirror, mirror)]) / 2
    for left, right in joints.pairs:
        even[[left, right], [right, left]] *= _COUNTERPART
    if joints.pairs:
        middle = [joint for joint, other in enumerate(mirror) if other == joint]
        even[np.ix_(middle, middle)] *= _MIDDLE
    return even


def _with_mirrored_bones(layout: SkeletonLayout) -> SkeletonLayout:
    """Return a layout whose right bones are the mirrored left ones, where that makes no circle."""
    for left, right in layout.pairs:
        parent = layout.parents[left]
        wanted = layout.mirror[parent]
        if parent == left or right in layout.roots or layout.parents[right] == wanted:
            continue
        bones = tuple((c, wanted if c == right else p) for c, p in layout.bones)
        with suppress(ValueError):
            layout = replace(layout, bones=bones)
    return layout


def _center(edges: Sequence[tuple[int, int]], costs: Float[np.ndarray, "v v"], v: int) -> int:
    """Return the joint from which the farthest joint along the bones is nearest."""
    along = np.full((v, v), np.inf)
    np.fill_diagonal(along, 0)
    for a, b in edges:
        along[a, b] = along[b, a] = np.nan_to_num(costs[a, b], nan=1.0)
    for k in range(v):
        along = np.minimum(along, along[:, [k]] + along[[k]])
    return int(along.max(axis=1).argmin())


def _rooted(edges: Sequence[tuple[int, int]], root: int) -> tuple[tuple[int, int], ...]:
    """Return the edges of a tree as (child, parent), from a root outwards."""
    bones: list[tuple[int, int]] = []
    reached, left = {root}, list(edges)
    while left:
        for edge in [edge for edge in left if reached & set(edge)]:
            parent, child = edge if edge[0] in reached else edge[::-1]
            bones.append((child, parent))
            reached.add(child)
            left.remove(edge)
    return tuple(bones)
