"""Measures of clips as stored, by which sources of recordings differ, in NumPy.

For what is measured see :class:`skeletonagent.core.clip_measures.ClipMeasures`; those of training
clips are computed in :mod:`skeletonagent.data.clip_measures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.clip_measures import ClipMeasures
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends, foot_joints
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.settings import Origin
from skeletonagent.runtime.body_arrays import BodyArrays, frame_means
from skeletonagent.runtime.body_size import mean_distances
from skeletonagent.runtime.body_turns import SampleAxes, points

_SHORT = 1e-7
"""Length below which a mean of unit vectors has no direction."""


def measures_of_samples(
    samples: Sequence[SkeletonSequence], layout: SkeletonLayout, coordinates: int
) -> ClipMeasures:
    """Return the measures of samples as stored, at least one.

    Args:
        samples: Samples, with joints of zeros where they are absent.
        layout: The skeleton.
        coordinates: Number of coordinates to measure, the first ones.
    """
    rows = [
        _measured(BodyArrays.of(sample.joints[..., :coordinates], coordinates), layout)
        for sample in samples
    ]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return ClipMeasures(sample_ids=tuple(sample.sample_id for sample in samples), **columns)


def _measured(bodies: BodyArrays, layout: SkeletonLayout) -> dict[str, np.ndarray]:
    lengths, together = mean_distances(bodies, *bone_ends(layout))
    bones = _mean_of_bodies(lengths, together & (lengths > 0))
    size = _mean_of_known(bones)
    steps = _differences(bodies.joints.astype(np.float64), bodies.present)
    changes = _differences(*steps)
    squared = np.square(steps[0]).sum(axis=-1)
    squares, ways, rough = (
        _mean_of_bodies(*frame_means(values, known))
        for values, known in (
            (squared, steps[1]),
            (np.sqrt(squared), steps[1]),
            (np.square(changes[0]).sum(axis=-1), changes[1]),
        )
    )
    frames = bodies.visible.sum()
    seen = bodies.present.sum(axis=(0, 1)) / (frames if frames else np.nan)
    up, left = SampleAxes(bodies, layout, Origin.PERSON).of_bodies
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "size": np.asarray(size),
            "bones": np.log(bones / size),
            "speed": np.asarray(_mean_of_known(ways) / size),
            "roughness": np.sqrt(_mean_of_known(rough) / _mean_of_known(squares)),
            "absent": 1 - seen.mean(),
            "seen": seen,
            "up": _direction(up),
            "left": _direction(left),
            "front": np.asarray(_front(bodies, layout, up, left) / size),
        }


def _differences(
    values: Float[np.ndarray, "m t v d"], known: Bool[np.ndarray, "m t v"]
) -> tuple[Float[np.ndarray, "m t v d"], Bool[np.ndarray, "m t v"]]:
    """Return the differences to the frame before, and where both are known."""
    found, both = np.zeros_like(values), np.zeros_like(known)
    found[:, 1:] = values[:, 1:] - values[:, :-1]
    both[:, 1:] = known[:, 1:] & known[:, :-1]
    return found, both


def _mean_of_bodies(
    values: Float[np.ndarray, "m k"], known: Bool[np.ndarray, "m k"]
) -> Float[np.ndarray, " k"]:
    """Return means over the bodies for which a value is known; else NaN."""
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    means: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _mean_of_known(values: Float[np.ndarray, " k"]) -> np.float64:
    known = values[~np.isnan(values)]
    return np.float64(known.mean() if len(known) else np.nan)


def _direction(vectors: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " d"]:
    """Return the mean direction of bodies; NaN where none has one."""
    total = (vectors * points(vectors)[:, None]).sum(axis=0)
    length = np.sqrt(np.square(total).sum())
    direction: np.ndarray = total / length if length > _SHORT else np.full_like(total, np.nan)
    return direction


def _front(
    bodies: BodyArrays,
    layout: SkeletonLayout,
    up: Float[np.ndarray, "m d"],
    left: Float[np.ndarray, "m d"],
) -> float:
    """Return the way from the ankles to the feet along left x up; NaN where unknown."""
    feet, ankles = foot_joints(layout)
    if bodies.coordinates != 3 or not feet or not ankles:
        return float("nan")
    places, known = frame_means(bodies.joints.astype(np.float64), bodies.present)
    ahead = left[:, [1, 2, 0]] * up[:, [2, 0, 1]] - left[:, [2, 0, 1]] * up[:, [1, 2, 0]]
    forward = (places * ahead[:, None]).sum(axis=-1)
    measured = points(up) & points(left) & known[:, [*feet, *ankles]].all(axis=1)
    ways = forward[:, feet].mean(axis=1) - forward[:, ankles].mean(axis=1)
    return float(_mean_of_bodies(ways[:, None], measured[:, None])[0])
