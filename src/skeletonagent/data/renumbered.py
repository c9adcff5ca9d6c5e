"""Renumbered persons: bodies of a sample that are one person whom a tracker numbered anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import torch

from skeletonagent.data.person_joining import joined_bodies
from skeletonagent.data.stored_bodies import StoredBodies


def with_leading_body(bodies: StoredBodies) -> StoredBodies:
    """Return samples of joined persons, of whom the one that is seen in most frames is first."""
    return join_renumbered(bodies).most_seen_first()


def join_renumbered(bodies: StoredBodies) -> StoredBodies:
    """Return samples in which bodies that follow one another at the same place are one body.

    Two bodies are one person if they are never seen at once, and wherever one follows the other it
    appears within ``MOST_LOST_FRAMES`` frames near the place where the other vanished. The
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
