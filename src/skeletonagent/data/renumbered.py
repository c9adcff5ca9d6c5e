"""Renumbered persons: bodies of a sample that are one person whom a tracker numbered anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from skeletonagent.data.stored_bodies import StoredBodies

MOST_LOST_FRAMES = 15
"""Number of frames after which a body that appears is not the one that vanished."""

_NEAR = 0.25
"""Mean distance of the joints of both, in sizes of the body, below which they are near."""

_STEP = 0.03
"""Growth of that distance with each frame in which neither is seen."""


def with_leading_body(bodies: StoredBodies) -> StoredBodies:
    """Return samples of joined persons, of whom the one that is seen in most frames is first."""
    return join_renumbered(bodies).most_seen_first()


def join_renumbered(bodies: StoredBodies) -> StoredBodies:
    """Return samples in which bodies that follow one another at the same place are one body.

    Two bodies are one person if they are never seen at once, and wherever one follows the other it
    appears within :data:`MOST_LOST_FRAMES` frames near the place where the other vanished. The
    body with the smaller number gets all frames, the other one is absent from then on.
    """
    samples = _with_alternating_bodies(bodies)
    if not samples:
        return bodies
    rows, is_part = bodies.numbered_rows.clone(), torch.zeros_like(bodies.present[:, 0])
    for sample in samples:
        start, length = int(bodies.starts[sample]), int(bodies.lengths[sample])
        shape = (int(bodies.persons[sample]), length)
        own = slice(start, start + shape[0] * length)
        joints = bodies.joints[own].unflatten(0, shape).cpu().numpy()
        seen = bodies.present[own].unflatten(0, shape).cpu().numpy()
        taken = torch.from_numpy(joined_bodies(joints, seen)).to(rows.device)
        frames = start + torch.arange(length, device=rows.device)
        rows[own] = (taken.clamp(min=0) * length + frames).flatten()
        is_part[own] = taken.lt(0).flatten()
    return replace(
        bodies,
        frames=bodies.frames[rows].masked_fill(is_part[:, None, None], 0),
        present=bodies.present[rows] & ~is_part[:, None],
    )


def _with_alternating_bodies(bodies: StoredBodies) -> list[int]:
    """Return the samples of which two bodies are seen, but never at once."""
    visible = bodies.present.any(dim=1)
    first = bodies.bodies == bodies.first_bodies[bodies.samples]  # a row for each frame
    found = torch.zeros_like(bodies.persons, dtype=torch.bool)
    for pair in combinations(range(int(bodies.persons.max())), 2):
        exists = bodies.persons > max(pair)
        one, other = (
            visible[bodies.rows_of(torch.full_like(bodies.persons, number) * exists)] & first
            for number in pair
        )
        flags = torch.stack([one, other, one & other], dim=1).long()
        counts = flags.new_zeros(len(bodies.lengths), 3).index_add(0, bodies.samples, flags)
        found |= exists & counts[:, 0].gt(0) & counts[:, 1].gt(0) & counts[:, 2].eq(0)
    samples: list[int] = found.nonzero()[:, 0].tolist()
    return samples


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
