"""Check of a layout against data: bones that change their length, sides that differ, wrong order.

Names and counts of joints say nothing about their order. A layout that is wrong for the data joins
joints that are far apart, and bones of the left and the right side differ in length.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import minimum_spanning_tree  # type: ignore[import-untyped]

from skeletonagent.core.layout import SkeletonLayout

MOST_BODIES = 60
"""Bodies that are measured; more say nothing new."""
MOST_FRAMES = 64
"""Frames that are measured of a body, evenly spread."""
MOST_VARIATION = {2: 0.6, 3: 0.35}
"""Largest plausible variation of the bones over a clip, in 2D and in 3D.

Measured on NW-UCLA, SBU, JHMDB and UTD-MHAD: at most 0.11 for the median bone.
"""
MOST_TREE_RATIO = 1.55
"""Largest plausible total length of the bones, as multiple of the shortest tree that is possible.

Measured on the same sets, whole and by class: 1.02 to 1.31 with the right order, above 1.85 with a
random one, 1.65 where UTD-MHAD's joints are taken for those of the Kinect, whose spine begins at
the other end. BlazePose's 33 joints of people whose hands hang beside their hips reach 1.45.
"""
MOST_SIDE_RATIO = 1.3
"""Largest plausible ratio of lengths on the left and the right, median over the pairs of bones.

Measured likewise: at most 1.14 with the right order.
"""
MOST_PAIR_RATIO = {2: 2.0, 3: 1.6}
"""Largest plausible ratio of lengths of one pair of bones that are not short, in 2D and in 3D."""
LENGTH_PERCENTILE = {2: 80, 3: 50}
"""Percentile over time that is a distance; in an image, what points to the camera looks short."""
MOST_CROSSED_RATIO = 1.08
"""Largest plausible ratio of a pair of bones to the same pair with its ends exchanged."""
SHORT_BONE = 0.5
"""Length of a bone, in mean lengths of the bones, below which one pair of bones says little."""


@dataclass(frozen=True)
class BoneCheck:
    """Measures of the bones of a layout in some clips, and what in them contradicts the layout.

    Args:
        layout: Layout that was checked.
        coordinates: Number of coordinates, 2 or 3.
        lengths: Length of each bone, in mean distances of two joints; NaN where it is never seen.
        variation: Robust standard deviation of each bone's length over a clip, as share of it.
        tree_ratio: Total length of the bones, as multiple of the shortest tree of these joints.
        sides: Ratio of the longer to the shorter of each pair of a left and a right bone, by their
            child joints.
        crossed: Pairs of left and right joints that lie nearer to the other side's parent.
    """

    layout: SkeletonLayout
    coordinates: int
    lengths: Float[np.ndarray, " b"]
    variation: Float[np.ndarray, " b"]
    tree_ratio: float
    sides: Mapping[tuple[int, int], float]
    crossed: tuple[tuple[int, int], ...]

    @property
    def median_variation(self) -> float:
        """Variation of the median bone."""
        return float(np.nanmedian(self.variation))

    @property
    def median_side_ratio(self) -> float:
        """Median ratio of lengths on the two sides; 1 where there are no pairs of bones."""
        return float(np.median(list(self.sides.values()))) if self.sides else 1.0

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What contradicts the layout, in words; nothing where it is plausible."""
        checks = (
            self._variation_problem(), self._tree_problem(),
            self._side_problem(), self._crossing_problem(),
        )  # fmt: skip
        return tuple(problem for problem in checks if problem)

    @property
    def plausible(self) -> bool:
        """Whether nothing contradicts the layout."""
        return not self.problems

    def summary(self) -> str:
        """Return in words what speaks for the layout."""
        parts = [f"its bones are {self.tree_ratio:.2f} times as long as the shortest tree"]
        if self.coordinates == 3:
            parts.insert(0, f"bones keep their length within {self.median_variation:.0%}")
        if self.sides:
            parts.append(f"left and right differ by {self.median_side_ratio - 1:.0%}")
        return ", ".join(parts)

    def _variation_problem(self) -> str:
        most = MOST_VARIATION[self.coordinates]
        if not self.median_variation > most:
            return ""
        return (
            f"lengths of bones vary by {self.median_variation:.0%} within a clip, a body's by less "
            f"than {most:.0%}"
        )

    def _tree_problem(self) -> str:
        if self.tree_ratio <= MOST_TREE_RATIO:
            return ""
        longest = int(np.nanargmax(self.lengths))
        ends = " and ".join(self.layout.display_name(joint) for joint in self.layout.bones[longest])
        return (
            f"bones join joints that are far apart: in all {self.tree_ratio:.1f} times as long as "
            f"the shortest tree, the longest between {ends}"
        )

    def _side_problem(self) -> str:
        if not self.sides:
            return ""
        lengths = {child: self.lengths[n] for n, (child, _) in enumerate(self.layout.bones)}
        least = SHORT_BONE * float(np.nanmean(self.lengths))
        long = {
            pair: ratio for pair, ratio in self.sides.items()
            if max(lengths[pair[0]], lengths[pair[1]]) > least
        }  # fmt: skip
        worst = max(long or self.sides, key=lambda pair: self.sides[pair])
        most = MOST_PAIR_RATIO[self.coordinates]
        if self.median_side_ratio <= MOST_SIDE_RATIO and self.sides[worst] <= most:
            return ""
        left, right = (self.layout.display_name(joint) for joint in worst)
        return (
            f"left and right differ in length, by {self.median_side_ratio - 1:.0%} in the median, "
            f"most of all the bones to {left} and {right}, by a factor of {self.sides[worst]:.1f}"
        )

    def _crossing_problem(self) -> str:
        if not self.crossed:
            return ""
        names = ", ".join(
            " and ".join(self.layout.display_name(joint) for joint in pair) for pair in self.crossed
        )
        return f"left and right seem to be exchanged: {names}"


def check_bones(
    clips: Sequence[Float[np.ndarray, "_ _ v c"]], layout: SkeletonLayout
) -> BoneCheck | None:
    """Return the check of a layout against clips; None if too little is seen of its bones.

    Args:
        clips: Coordinates; a joint that was not seen is NaN, or zero in all of them.
        layout: Layout of as many joints.
    """
    bodies = seen_bodies(clips, MOST_BODIES)
    bones = np.array(layout.bones, dtype=int).reshape(-1, 2)
    if not bodies or not len(bones):
        return None
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.filterwarnings("ignore", "All-NaN|Mean of empty", RuntimeWarning)
        distances = _distances(bodies)
        lengths = distances[bones[:, 0], bones[:, 1]]
        variation = np.nanmedian([_variation(body, bones) for body in bodies], axis=0)
    if np.isnan(lengths).mean() > 0.5:
        return None
    return BoneCheck(
        layout=layout,
        coordinates=int(bodies[0].shape[-1]),
        lengths=lengths,
        variation=variation,
        tree_ratio=_tree_ratio(distances, lengths, bones),
        sides=_side_ratios(layout, lengths),
        crossed=_crossed_pairs(layout, distances),
    )


def choose_layout(
    clips: Sequence[Float[np.ndarray, "_ _ v c"]], candidates: Iterable[SkeletonLayout]
) -> tuple[SkeletonLayout | None, str]:
    """Return which of some layouts of the same number of joints the data confirm, and the reason.

    None is returned where all contradict the data, or where two fit alike.

    Args:
        clips: See :func:`check_bones`.
        candidates: Layouts; those of equal joints and bones count as one.
    """
    unlike = {(layout.joints, frozenset(layout.bones)): layout for layout in candidates}
    checks = [check_bones(clips, layout) for layout in unlike.values()]
    if any(check is None for check in checks):
        return None, "too little is seen of the bodies to tell"
    ranked = sorted((check for check in checks if check), key=lambda check: check.tree_ratio)
    fitting = [check for check in ranked if check.plausible]
    if not fitting:
        if not ranked:
            return None, "no known layout has as many joints"
        names = " or ".join(check.layout.name for check in ranked)
        return None, f"not {names}: {ranked[0].problems[0]}"
    first, *others = fitting
    if others and others[0].tree_ratio < 1.1 * first.tree_ratio:
        names = " and ".join(check.layout.name for check in (first, others[0]))
        return None, f"{names} fit the data alike"
    return first.layout, first.summary()


def seen_bodies(
    clips: Sequence[Float[np.ndarray, "_ _ v c"]], most: int
) -> list[Float[np.ndarray, "_ v c"]]:
    """Return bodies by some of the frames in which they are seen, NaN for absent joints.

    Args:
        clips: See :func:`check_bones`.
        most: Number of bodies at most, of clips that are spread evenly.
    """
    chosen = clips[:: max(1, len(clips) // most)]
    bodies = (absent_as_nan(body) for clip in chosen for body in clip)
    seen = (body[~np.isnan(body).all(axis=(1, 2))] for body in bodies)
    kept = (body[_spread(len(body))] for body in seen if len(body))
    return list(islice(kept, most))


def _spread(frames: int) -> Int[np.ndarray, " k"]:
    numbers = np.linspace(0, frames - 1, min(frames, MOST_FRAMES)).round()
    return np.asarray(numbers, dtype=int)


def absent_as_nan(joints: Float[np.ndarray, "*s c"]) -> Float[np.ndarray, "*s c"]:
    """Return coordinates in which a joint that was not seen, all zero or partly NaN, is all NaN."""
    absent = (joints == 0).all(axis=-1) | np.isnan(joints).any(axis=-1)
    marked: Float[np.ndarray, "*s c"] = np.where(absent[..., None], np.nan, joints).astype(float)
    return marked


def _distances(bodies: Sequence[Float[np.ndarray, "_ v c"]]) -> Float[np.ndarray, "v v"]:
    """Return the distance of any two joints, median over bodies, in mean distances of a body.

    Over the frames of a body it is the percentile :data:`LENGTH_PERCENTILE`.
    """
    relative = []
    for body in bodies:
        apart = np.linalg.norm(body[:, :, None] - body[:, None], axis=-1)
        # The one for NaN goes through every pair of joints by itself, which takes 20 times as long.
        percentile = np.nanpercentile if np.isnan(apart).any() else np.percentile
        usual = percentile(apart, LENGTH_PERCENTILE[body.shape[-1]], axis=0)
        relative.append(usual / np.nanmean(np.where(usual > 0, usual, np.nan)))
    distances: Float[np.ndarray, "v v"] = np.nanmedian(relative, axis=0)
    return distances


def _variation(
    body: Float[np.ndarray, "_ v c"], bones: Int[np.ndarray, "b 2"]
) -> Float[np.ndarray, " b"]:
    """Return the robust relative standard deviation of each bone's length over time."""
    lengths = np.linalg.norm(body[:, bones[:, 0]] - body[:, bones[:, 1]], axis=-1)
    median = np.nanmedian(lengths, axis=0)
    spread: Float[np.ndarray, " b"] = 1.4826 * np.nanmedian(np.abs(lengths - median), axis=0)
    return spread / np.where(median > 0, median, np.nan)


def _tree_ratio(
    distances: Float[np.ndarray, "v v"],
    lengths: Float[np.ndarray, " b"],
    bones: Int[np.ndarray, "b 2"],
) -> float:
    """Return the mean bone length in mean edges of the shortest tree over the same joints."""
    seen = ~np.isnan(lengths)
    joints = np.unique(bones[seen])
    among = np.nan_to_num(distances[np.ix_(joints, joints)], nan=10.0)
    tree = minimum_spanning_tree(among + 1e-6 * ~np.eye(len(joints), dtype=bool)).toarray()
    shortest = np.sort(tree[tree > 0])[: seen.sum()]  # a layout may be of several trees
    return float(lengths[seen].mean() / shortest.mean()) if len(shortest) else 1.0


def _side_ratios(
    layout: SkeletonLayout, lengths: Float[np.ndarray, " b"]
) -> dict[tuple[int, int], float]:
    """Return the ratio of lengths of the bones to each pair of left and right joints."""
    bone_of = {child: n for n, (child, _) in enumerate(layout.bones)}
    mirrored = layout.mirror
    ratios = {}
    for left, right in layout.pairs:
        if left not in bone_of or right not in bone_of:
            continue
        if mirrored[layout.parents[left]] != layout.parents[right]:
            continue  # bones of other kinds, such as a spine that one of the sides ends
        one, other = lengths[bone_of[left]], lengths[bone_of[right]]
        if min(one, other) > 0:
            ratios[left, right] = float(max(one / other, other / one))
    return ratios


def _crossed_pairs(
    layout: SkeletonLayout, distances: Float[np.ndarray, "v v"]
) -> tuple[tuple[int, int], ...]:
    """Return pairs of joints that lie clearly nearer to the parent on the other side."""
    crossed = []
    for left, right in layout.pairs:
        parents = layout.parents[left], layout.parents[right]
        if layout.mirror[parents[0]] != parents[1] or parents[0] == parents[1]:
            continue
        own = distances[left, parents[0]] + distances[right, parents[1]]
        other = distances[left, parents[1]] + distances[right, parents[0]]
        if own > MOST_CROSSED_RATIO * other > 0:
            crossed.append((left, right))
    return tuple(crossed)
