"""Choice of the joints that tell a class from others."""

from __future__ import annotations

import math

from skeletonagent.agents.answers.checks import NEAR_ALL
from skeletonagent.agents.evidence.effect_sizes import SHARE, EffectSizes
from skeletonagent.core.layout import SkeletonLayout

DETAILED = (4, 8)
"""Fewest and most joints of a description."""
DISTINGUISHING = (2, 6)
"""Fewest and most joints that set a class apart from its rivals."""


def decisive_joints(
    layout: SkeletonLayout, effects: EffectSizes, least: int, most: int
) -> tuple[int, ...]:
    """Return the joints with the largest effects beyond chance, ascending.

    Joints are taken until the effect drops below half of the largest, both sides of a pair
    together where either is meant; one that keeps still, only if no moving one has a larger effect.
    If these are too few, others that move follow: those beyond chance, then those next to them.
    """
    most = max(1, min(most, math.ceil(NEAR_ALL * layout.num_joints) - 1))
    least = min(least, most)
    score, either = effects.proven
    moves = effects.moves.tolist()
    moving = max((s for s, move in zip(score, moves, strict=True) if move), default=0.0)
    smallest = SHARE * max(score)
    chosen: list[int] = []
    for joint in sorted(range(len(score)), key=lambda v: -score[v]):
        unit = {joint, layout.mirror[joint]} if either[joint] else {joint}
        new = sorted(unit - set(chosen))
        large = 0 < smallest <= score[joint] and (moves[joint] or score[joint] >= moving)
        if large and len(chosen) + len(new) <= most:
            chosen += new
    raw, _ = effects.decisive
    while len(chosen) < least:
        adjacent = {end for bone in layout.bones for end in bone if set(bone) & set(chosen)}
        filling = {
            joint: (moves[joint] and score[joint] > 0, moves[joint], joint in adjacent, raw[joint])
            for joint in range(layout.num_joints)
            if joint not in chosen
        }
        chosen.append(max(filling, key=filling.__getitem__))
    return tuple(sorted(chosen))
