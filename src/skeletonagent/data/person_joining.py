"""Joining of bodies that follow one another at the same place, in one sample, without torch."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

MOST_LOST_FRAMES = 15
"""Number of frames after which a body that appears is not the one that vanished."""

_NEAR = 0.25
"""Mean distance of the joints of both, in sizes of the body, below which they are near."""

_STEP = 0.03
"""Growth of that distance with each frame in which neither is seen."""


def joined_bodies(
    joints: Float[np.ndarray, "m t v d"], present: Bool[np.ndarray, "m t v"]
) -> Int[np.ndarray, "m t"]:
    """Return the body that each body is in each frame, -1 where it has become part of another.

    Args:
        joints: Coordinates of the bodies of one sample.
        present: Whether each joint is present.
    """
    persons, length = present.shape[:2]
    taken = np.repeat(np.arange(persons)[:, None], length, axis=1)
    visible: np.ndarray = np.any(present, axis=2)
    for one, other in combinations(range(persons), 2):
        alternate = visible[one].any() and visible[other].any()
        if not alternate or (visible[one] & visible[other]).any():
            continue
        both: Int[np.ndarray, " t"] = np.where(visible[other], taken[other], taken[one])
        if _follow_near(joints, present, both, visible[one], visible[other]):
            taken[one], taken[other] = both, -1
            visible[one] |= visible[other]
            visible[other] = False
    return taken


def _follow_near(
    joints: Float[np.ndarray, "m t v d"],
    present: Bool[np.ndarray, "m t v"],
    taken: Int[np.ndarray, " t"],
    one: Bool[np.ndarray, " t"],
    other: Bool[np.ndarray, " t"],
) -> bool:
    """Return whether two bodies are near each other wherever one follows the other.

    Args:
        joints: Coordinates of all bodies.
        present: Whether each joint is present.
        taken: The body that is seen in each frame.
        one: Frames in which the first of the two is seen.
        other: Frames in which the second is seen.
    """
    for before, after in pairwise(np.flatnonzero(one | other).tolist()):
        if one[before] == one[after]:
            continue
        lost = after - before - 1
        if lost > MOST_LOST_FRAMES:
            return False
        ends = [(taken[frame], frame) for frame in (before, after)]
        both = present[ends[0]] & present[ends[1]]
        if not both.any():
            return False
        places = [joints[end][both] for end in ends]
        distance = np.linalg.norm(places[1] - places[0], axis=-1).mean()
        size = max(float(np.linalg.norm(np.ptp(joints[end][present[end]], axis=0))) for end in ends)
        if not distance <= (_NEAR + _STEP * lost) * size:
            return False
    return True
