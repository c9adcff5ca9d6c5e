"""Measuring of clips as stored: sizes, bones, speeds, absent joints and directions of bodies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clip_measures import ClipMeasures
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends, foot_joints
from skeletonagent.data.orientation import OrientationAxes, has_direction
from skeletonagent.data.settings import Origin
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks

MOST_MEASURED = 2000
"""Clips of a data set that are measured, evenly spread; more say nothing new."""

_SHORT = 1e-7
"""Length below which a mean of unit vectors has no direction."""


def measure_clips(store: ClipStore, coordinates: int | None = None) -> ClipMeasures:
    """Return the measures of all clips of a store, as stored.

    Args:
        store: Clips before preprocessing, with joints of zeros where they are absent.
        coordinates: Number of coordinates to measure, the first ones; by default all.
    """
    parts = [_measure(_in_plane(bodies, coordinates), store) for bodies in body_chunks(store)]
    columns = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    return ClipMeasures(sample_ids=store.sample_ids, **columns)


def measure_some(store: ClipStore, coordinates: int | None = None) -> ClipMeasures:
    """Return the measures of at most :data:`MOST_MEASURED` clips, evenly spread over a store."""
    step = max(1, -(-len(store) // MOST_MEASURED))
    chosen = store if step == 1 else store.subset(torch.arange(0, len(store), step))
    return measure_clips(chosen, coordinates)


def _in_plane(bodies: StoredBodies, coordinates: int | None) -> StoredBodies:
    if coordinates is None or coordinates >= bodies.coordinates:
        return bodies
    return StoredBodies.of(
        bodies.frames[..., :coordinates], bodies.lengths, bodies.persons, coordinates
    )


def _measure(bodies: StoredBodies, store: ClipStore) -> dict[str, Float[Tensor, "n *k"]]:
    bones = _bone_lengths(bodies, *bone_ends(store.layout))
    size = bones.nanmean(dim=1)
    steps, changes = _movement(bodies)
    squares, rough = (
        _sample_means(bodies, *bodies.body_means(moves.square().sum(dim=-1), known)).nanmean(dim=1)
        for moves, known in (steps, changes)
    )
    ways = _sample_means(bodies, *bodies.body_means(steps[0].square().sum(dim=-1).sqrt(), steps[1]))
    seen = _seen(bodies)
    up, left = OrientationAxes(bodies, store.layout, Origin.PERSON).of_bodies
    return {
        "size": size,
        "bones": (bones / size[:, None]).log(),
        "speed": ways.nanmean(dim=1) / size,
        "roughness": (rough / squares).sqrt(),
        "absent": 1 - seen.mean(dim=1),
        "seen": seen,
        "up": _direction(bodies, up),
        "left": _direction(bodies, left),
        "front": _front(bodies, store.layout, up, left) / size,
    }


def _bone_lengths(
    bodies: StoredBodies, child: Sequence[int], parent: Sequence[int]
) -> Float[Tensor, "n b"]:
    """Return the mean length of each bone that is longer than nothing; else NaN."""
    both = bodies.present[:, child] & bodies.present[:, parent]
    spans = (bodies.joints[:, child] - bodies.joints[:, parent]).double()
    lengths, known = bodies.body_means(spans.square().sum(dim=-1).sqrt(), both)
    return _sample_means(bodies, lengths, known & (lengths > 0))


def _movement(
    bodies: StoredBodies,
) -> tuple[
    tuple[Float[Tensor, "f v d"], Bool[Tensor, "f v"]],
    tuple[Float[Tensor, "f v d"], Bool[Tensor, "f v"]],
]:
    """Return the steps of joints from frame to frame and the changes of these, where known."""
    joints = bodies.joints.double()
    same = torch.zeros_like(bodies.present)
    same[1:] = (bodies.bodies[1:] == bodies.bodies[:-1])[:, None]
    return (first := _differences(joints, bodies.present, same)), _differences(*first, same)


def _differences(
    values: Float[Tensor, "f v d"], known: Bool[Tensor, "f v"], same: Bool[Tensor, "f v"]
) -> tuple[Float[Tensor, "f v d"], Bool[Tensor, "f v"]]:
    """Return the differences to the row before, and where it is known and of the same body."""
    differences, both = torch.zeros_like(values), same & known
    differences[1:] = values[1:] - values[:-1]
    both[1:] &= known[:-1]
    return differences, both


def _sample_means(
    bodies: StoredBodies, values: Float[Tensor, "b k"], known: Bool[Tensor, "b k"]
) -> Float[Tensor, "n k"]:
    """Return means over the bodies of each sample for which a value is known; else NaN."""
    sums = _sample_sums(bodies, torch.where(known, values.double(), 0.0))
    counts = _sample_sums(bodies, known.double())
    return torch.where(counts > 0, sums / counts.clamp(min=1), torch.nan)


def _sample_sums(bodies: StoredBodies, values: Float[Tensor, "b k"]) -> Float[Tensor, "n k"]:
    zeros = values.new_zeros(len(bodies.lengths), values.shape[1])
    numbers: Int[Tensor, " b"] = bodies.body_samples
    return zeros.index_add(0, numbers, values)


def _seen(bodies: StoredBodies) -> Float[Tensor, "n v"]:
    """Return the share of the frames of a body in which each joint is there; NaN without any."""
    frames = _sample_sums(bodies, bodies.body_sums(bodies.present.any(dim=1)[:, None]))
    return _sample_sums(bodies, bodies.body_sums(bodies.present)) / frames.where(
        frames > 0, torch.nan
    )


def _direction(bodies: StoredBodies, vectors: Float[Tensor, "b d"]) -> Float[Tensor, "n d"]:
    """Return the mean direction of each sample's bodies; NaN where none has one."""
    sums = _sample_sums(bodies, vectors.double() * has_direction(vectors)[:, None])
    lengths = sums.square().sum(dim=1, keepdim=True).sqrt()
    directions: Tensor = torch.where(lengths > _SHORT, sums / lengths, torch.nan)
    return directions


def _front(
    bodies: StoredBodies,
    layout: SkeletonLayout,
    up: Float[Tensor, "b d"],
    left: Float[Tensor, "b d"],
) -> Float[Tensor, " n"]:
    """Return the way from the ankles to the feet along left x up; NaN where unknown."""
    feet, ankles = foot_joints(layout)
    if bodies.coordinates != 3 or not feet or not ankles:
        return torch.full((len(bodies.lengths),), torch.nan, dtype=torch.float64)
    places, known = bodies.body_means(bodies.joints.double(), bodies.present)
    forward = (places * torch.linalg.cross(left.double(), up.double())[:, None]).sum(dim=-1)
    measured = has_direction(up) & has_direction(left) & known[:, feet + ankles].all(dim=1)
    ways = forward[:, feet].mean(dim=1) - forward[:, ankles].mean(dim=1)
    return _sample_means(bodies, ways[:, None], measured[:, None])[:, 0]
